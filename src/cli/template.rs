//! `watchfire template`: expands notification templates without a server, as `amtool template render` does.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;

use super::amtool;
use super::{Error, output};
use crate::alerting::templates;
use crate::model::Labels;
use crate::template::notify::{AlertData, Data};
use crate::time::{Span, WallTime};

pub(super) fn command() -> Command {
    let render = Command::new("render")
        .about("Expands a text with the templates of some files")
        .after_help(
            "Example:\n  watchfire template render --template.glob='templates/*.tmpl' --template.text='{{ template \"slack.title\" . }}' --template.data=data.json",
        )
        .arg(
            option("template.glob", "GLOB", "Template files; may be given more than once")
                .action(ArgAction::Append)
                .required(true),
        )
        .arg(option("template.text", "TEXT", "The text to expand").required(true))
        .arg(
            option("template.type", "TYPE", "text, or html as in e-mail")
                .value_parser(["text", "html"])
                .default_value("text"),
        )
        .arg(option(
            "template.data",
            "FILE",
            "JSON data as in webhooks; default two made-up alerts",
        ));
    Command::new("template")
        .about("Tries out notification templates")
        .after_help("Example:\n  watchfire template render --template.glob='*.tmpl' --template.text='{{ .Status }}'")
        .arg_required_else_help(true)
        .subcommand_required(true)
        .arg(amtool::feature_flag())
        .subcommand(render)
}

fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    match matches.subcommand() {
        Some(("render", matches)) => render(matches),
        _ => Err(Error::new("nothing to do")),
    }
}

fn render(matches: &ArgMatches) -> Result<ExitCode, Error> {
    // Templates have no matchers; a name that is wrong is told all the same.
    amtool::syntax(matches)?;
    let mut files = Vec::new();
    for pattern in amtool::texts(matches, "template.glob") {
        let found = glob::glob(&pattern)
            .map_err(|error| Error::new(format!("bad glob {pattern:?}: {error}")))?;
        for file in found {
            let file = file.map_err(|error| Error::new(error.to_string()))?;
            let text = std::fs::read_to_string(&file)
                .map_err(|error| Error::new(format!("cannot read {}: {error}", file.display())))?;
            // compat: Go names templates after the file alone.
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            files.push((name.into_owned(), text));
        }
    }
    let texts = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()));
    let set = templates::with_files(texts).map_err(|error| Error::new(error.to_string()))?;
    let now = WallTime::from_ms(super::query::now_ms());
    let data = match amtool::text(matches, "template.data") {
        "" => example(now),
        file => read(file)?,
    };
    let text = amtool::text(matches, "template.text");
    let expanded = if amtool::text(matches, "template.type") == "html" {
        set.html(text, &data, now)
    } else {
        set.text(text, &data, now)
    };
    let expanded = expanded.map_err(|error| Error::new(error.to_string()))?;
    output::raw(expanded.as_bytes());
    Ok(ExitCode::SUCCESS)
}

/// The data that amtool makes up.
fn example(now: WallTime) -> Data {
    let alert =
        |status: &str, labels: &[(&str, &str)], annotations: &[(&str, &str)], minutes, n| {
            let common = [
                ("commonlabelkey1", "commonlabelvalue1"),
                ("commonlabelkey2", "commonlabelvalue2"),
            ];
            let common_annotations = [
                ("commonannotationkey1", "commonannotationvalue1"),
                ("commonannotationkey2", "commonannotationvalue2"),
            ];
            AlertData {
                status: status.to_owned(),
                labels: Some(Labels::from_pairs(labels.iter().chain(&common).copied())),
                annotations: Some(Labels::from_pairs(
                    annotations.iter().chain(&common_annotations).copied(),
                )),
                starts_at: now - Span::minutes(minutes),
                ends_at: now,
                generator_url: "https://generatorurl.com".to_owned(),
                fingerprint: format!("fingerprint{n}"),
            }
        };
    let numbered = |kind: &str| {
        Labels::from_pairs((1..=2).map(|n| (format!("{kind}key{n}"), format!("{kind}value{n}"))))
    };
    Data {
        receiver: "receiver".to_owned(),
        status: "alertstatus".to_owned(),
        alerts: vec![
            alert(
                "firing",
                &[
                    ("label1", "value1"),
                    ("label2", "value2"),
                    ("instance", "foo.bar:1234"),
                ],
                &[("annotation1", "value1"), ("annotation2", "value2")],
                5,
                1,
            ),
            alert(
                "resolved",
                &[("foo", "bar"), ("baz", "qux")],
                &[("aaa", "bbb"), ("ccc", "ddd")],
                10,
                2,
            ),
        ],
        notification_reason: String::new(),
        group_labels: numbered("grouplabel"),
        common_labels: numbered("commonlabel"),
        common_annotations: numbered("commonannotation"),
        route_labels: Labels::empty(),
        external_url: "https://example.com".to_owned(),
    }
}

/// Reads data of the form that webhooks have; names are found whatever their case, as Go finds them.
fn read(file: &str) -> Result<Data, Error> {
    let content = std::fs::read_to_string(file)
        .map_err(|error| Error::new(format!("cannot read {file}: {error}")))?;
    let json: Value = serde_json::from_str(&content).map_err(|error| {
        Error::new(format!("{file}: {error}"))
            .with_hint("the data are the JSON object that a webhook is sent")
    })?;
    let wrong = |what: &str| Error::new(format!("{file}: {what}"));
    if !json.is_object() {
        return Err(wrong("the data must be an object"));
    }
    let mut alerts = Vec::new();
    for alert in field(&json, "alerts").as_array().into_iter().flatten() {
        let time = |name: &str| match text(alert, name) {
            given if given.is_empty() => Ok(WallTime::ZERO),
            given => WallTime::parse_rfc3339(&given)
                .ok_or_else(|| wrong(&format!("{name}: {given:?} is no RFC 3339 time"))),
        };
        alerts.push(AlertData {
            status: text(alert, "status"),
            labels: labels(alert, "labels"),
            annotations: labels(alert, "annotations"),
            starts_at: time("startsAt")?,
            ends_at: time("endsAt")?,
            generator_url: text(alert, "generatorURL"),
            fingerprint: text(alert, "fingerprint"),
        });
    }
    let set = |name: &str| labels(&json, name).unwrap_or_default();
    Ok(Data {
        receiver: text(&json, "receiver"),
        status: text(&json, "status"),
        alerts,
        notification_reason: text(&json, "notification_reason"),
        group_labels: set("groupLabels"),
        common_labels: set("commonLabels"),
        common_annotations: set("commonAnnotations"),
        route_labels: set("routeLabels"),
        external_url: text(&json, "externalURL"),
    })
}

fn field<'v>(object: &'v Value, name: &str) -> &'v Value {
    static NULL: Value = Value::Null;
    let fields = object.as_object().into_iter().flatten();
    let mut found = fields.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    found.next_back().map_or(&NULL, |(_, value)| value)
}

fn text(object: &Value, name: &str) -> String {
    field(object, name).as_str().unwrap_or_default().to_owned()
}

fn labels(object: &Value, name: &str) -> Option<Labels> {
    let set = field(object, name).as_object()?;
    let pairs = set
        .iter()
        .map(|(name, value)| (name, value.as_str().unwrap_or_default()));
    Some(Labels::from_pairs(pairs))
}
