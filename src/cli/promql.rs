//! `watchfire promql`: prints queries anew, shows their tree, changes their matchers, as `promtool promql` does.

use std::io::Read as _;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Error, output};
use crate::http::syntax_tree;
use crate::model::labels::is_legacy_name;
use crate::model::{METRIC_NAME, MatchOp, Matcher};
use crate::promql::ast::{Expr, VectorSelector};
use crate::promql::parser::{ParseOptions, parse};
use crate::promql::pretty;

/// The longest query that is read from standard input.
const QUERY_MAX: u64 = 10 << 20;

pub(super) fn command() -> Command {
    Command::new("promql")
        .about("Formats queries and changes them")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help("Example:\n  watchfire promql format 'sum(rate( http_requests_total[5m] ))by(job)'")
        .subcommand(
            leaf("format")
                .about("Prints a query as Prometheus's formatter does, long ones over several lines")
                .after_help("Examples:\n  watchfire promql format 'rate( up [5m] )'\n  echo 'up==0' | watchfire promql format -"),
        )
        .subcommand(
            leaf("parse")
                .about("Prints the tree of a query as JSON, as /api/v1/parse_query does")
                .after_help("Example:\n  watchfire promql parse 'up == 0'"),
        )
        .subcommand(
            Command::new("label-matchers")
                .about("Changes the matchers of every selector in a query")
                .subcommand_required(true)
                .arg_required_else_help(true)
                .after_help("Example:\n  watchfire promql label-matchers set 'rate(up[5m])' cluster eu")
                .subcommand(
                    leaf("set")
                        .about("Adds a matcher to every selector, or changes those on its label")
                        .after_help("Example:\n  watchfire promql label-matchers set --type '=~' 'rate(up[5m])' cluster 'eu.*'")
                        .arg(
                            Arg::new("type")
                                .short('t')
                                .long("type")
                                .value_name("OPERATOR")
                                .value_parser(PossibleValuesParser::new(["=", "!=", "=~", "!~"]))
                                .default_value("=")
                                .help("How the label is matched"),
                        )
                        .arg(name())
                        .arg(
                            Arg::new("value")
                                .value_name("VALUE")
                                .required(true)
                                .help("What it is matched against"),
                        ),
                )
                .subcommand(
                    leaf("delete")
                        .about("Takes the matchers on a label out of every selector")
                        .after_help("Example:\n  watchfire promql label-matchers delete 'rate(up{cluster=\"eu\"}[5m])' cluster")
                        .arg(name()),
                ),
        )
}

/// A command that takes a query and features.
fn leaf(name: &'static str) -> Command {
    Command::new(name)
        .arg(
            Arg::new("query")
                .value_name("QUERY")
                .required(true)
                .allow_hyphen_values(true)
                .help("A PromQL expression; - reads it from standard input"),
        )
        .arg(
            Arg::new("enable-feature")
                .long("enable-feature")
                .value_name("NAME")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .help("Switch on features of the expression language, as for serve"),
        )
}

fn name() -> Arg {
    Arg::new("name")
        .value_name("LABEL")
        .required(true)
        .help("The label")
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    match matches.subcommand() {
        Some(("format", matches)) => {
            let (expr, _) = query(matches)?;
            output::line(&pretty(&expr));
        }
        Some(("parse", matches)) => {
            let (expr, _) = query(matches)?;
            output::line(&syntax_tree::to_json(&expr));
        }
        Some(("label-matchers", matches)) => label_matchers(matches)?,
        _ => return Err(Error::new("promql what?").with_hint("watchfire promql format QUERY")),
    }
    Ok(ExitCode::SUCCESS)
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map_or("", String::as_str)
}

/// The query of the command line and the features it was read with.
fn query(matches: &ArgMatches) -> Result<(Expr, ParseOptions), Error> {
    let (options, _) = super::check::features(matches);
    let mut read = String::new();
    let given = match text(matches, "query") {
        "-" => {
            std::io::stdin()
                .lock()
                .take(QUERY_MAX)
                .read_to_string(&mut read)
                .map_err(|e| Error::new(format!("standard input: {e}")))?;
            read.as_str()
        }
        given => given,
    };
    let expr = parse(given, &options).map_err(|errors| {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let error = Error::new(texts.join("\n"));
        if texts.iter().any(|text| text.contains("not enabled")) {
            error.with_hint("--enable-feature switches it on")
        } else {
            error
        }
    })?;
    Ok((expr, options))
}

fn label_matchers(matches: &ArgMatches) -> Result<(), Error> {
    let (changed, options) = match matches.subcommand() {
        Some(("set", matches)) => {
            let (mut expr, options) = query(matches)?;
            let op = match text(matches, "type") {
                "!=" => MatchOp::NotEqual,
                "=~" => MatchOp::Regex,
                "!~" => MatchOp::NotRegex,
                _ => MatchOp::Equal,
            };
            let (name, value) = (text(matches, "name"), text(matches, "value"));
            let matcher = Matcher::new(op, name, value)
                .map_err(|e| Error::new(format!("{value:?} is no pattern: {e}")))?;
            for_each_selector(&mut expr, &|selector| set(selector, &matcher));
            (expr, options)
        }
        Some(("delete", matches)) => {
            let (mut expr, options) = query(matches)?;
            let name = text(matches, "name");
            for_each_selector(&mut expr, &|selector| delete(selector, name));
            (expr, options)
        }
        _ => return Err(Error::new("set or delete?").with_hint("run it with --help")),
    };
    let shown = pretty(&changed);
    if let Err(errors) = parse(&shown, &options) {
        let why = errors.first().map_or("", |e| e.message.as_str());
        return Err(Error::new(format!("{shown}: {why}"))
            .with_hint("with this change the query would be refused"));
    }
    output::line(&shown);
    Ok(())
}

fn for_each_selector(expr: &mut Expr, change: &impl Fn(&mut VectorSelector)) {
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        match expr {
            Expr::VectorSelector(selector) => change(selector),
            Expr::MatrixSelector(matrix) => change(&mut matrix.selector),
            other => open.extend(other.children_mut()),
        }
    }
}

fn set(selector: &mut VectorSelector, matcher: &Matcher) {
    let mut found = false;
    for known in &mut selector.matchers {
        if known.name == matcher.name {
            *known = matcher.clone();
            found = true;
        }
    }
    if !found {
        selector.matchers.push(matcher.clone());
    }
    if matcher.name == METRIC_NAME {
        let plain = matcher.op == MatchOp::Equal && is_legacy_name(&matcher.value);
        selector.name = if plain {
            matcher.value.clone()
        } else {
            String::new()
        };
    }
}

fn delete(selector: &mut VectorSelector, name: &str) {
    selector.matchers.retain(|matcher| matcher.name != name);
    if name == METRIC_NAME {
        selector.name.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str, change: impl Fn(&mut VectorSelector)) -> String {
        let mut expr = parse(text, &ParseOptions::default()).unwrap();
        for_each_selector(&mut expr, &change);
        pretty(&expr)
    }

    #[test]
    fn matchers_are_set_on_every_selector() {
        let matcher = Matcher::new(MatchOp::Regex, "job", "a|b").unwrap();
        assert_eq!(
            changed("sum(rate(a[5m])) + b{job=\"y\",x=\"z\"}", |s| set(
                s, &matcher
            )),
            "sum(rate(a{job=~\"a|b\"}[5m])) + b{job=~\"a|b\",x=\"z\"}"
        );
        let renamed = Matcher::new(MatchOp::Equal, "__name__", "c").unwrap();
        assert_eq!(changed("a{x=\"y\"}", |s| set(s, &renamed)), "c{x=\"y\"}");
    }

    #[test]
    fn matchers_are_taken_out_of_every_selector() {
        assert_eq!(
            changed("sum(rate(a{job=\"x\"}[5m])) + b{job=\"y\",x=\"z\"}", |s| {
                delete(s, "job");
            }),
            "sum(rate(a[5m])) + b{x=\"z\"}"
        );
        assert_eq!(
            changed("a{x=\"y\"}", |s| delete(s, "__name__")),
            "{x=\"y\"}"
        );
    }
}
