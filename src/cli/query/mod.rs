//! `watchfire query`: asks a running server, as `promtool query` does.

mod answer;
mod plot;
mod show;

use std::future::Future;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;
use url::form_urlencoded;

use super::{Error, output};
use crate::daemon::net::{Client, Request, Response};
use crate::http::params::{parse_duration_ms, parse_time_ms};
use crate::model::http_client::ClientOptions;

use answer::Answer;

const TIMEOUT: Duration = Duration::from_mins(2);

pub(super) fn command() -> Command {
    Command::new("query")
        .about("Runs queries against a running watchfire or Prometheus")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help("Example:\n  watchfire query instant http://localhost:9090 'up == 0'")
        .subcommand(instant())
        .subcommand(range())
        .subcommand(series())
        .subcommand(labels())
}

fn server() -> Arg {
    Arg::new("server")
        .value_name("URL")
        .required(true)
        .help("The server, for example http://localhost:9090")
}

fn format() -> Arg {
    Arg::new("format")
        .short('o')
        .long("format")
        .value_name("FORMAT")
        .value_parser(PossibleValuesParser::new([
            "table", "json", "csv", "promql",
        ]))
        .default_value("table")
        .help("How the answer is shown")
}

fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn matcher() -> Arg {
    option(
        "match",
        "SELECTOR",
        "Series selector; may be given more than once",
    )
    .action(ArgAction::Append)
}

fn instant() -> Command {
    Command::new("instant")
        .about("Evaluates an expression at one point in time")
        .after_help(
            "Example:\n  watchfire query instant http://localhost:9090 'sum by (job) (up)' -o json",
        )
        .arg(server())
        .arg(
            Arg::new("expr")
                .value_name("EXPR")
                .required(true)
                .help("A PromQL expression"),
        )
        .arg(option(
            "time",
            "TIME",
            "RFC 3339 or seconds since the epoch; default now",
        ))
        .arg(format())
}

fn range() -> Command {
    Command::new("range")
        .about("Evaluates an expression at many points in time")
        .after_help(
            "Example:\n  watchfire query range http://localhost:9090 'rate(http_requests_total[5m])' --start 2026-11-21T06:00:00Z --step 1m --plot",
        )
        .arg(server())
        .arg(Arg::new("expr").value_name("EXPR").required(true).help("A PromQL expression"))
        .arg(option("start", "TIME", "First point; default 5 minutes before the end"))
        .arg(option("end", "TIME", "Last point; default now"))
        .arg(option("step", "DURATION", "Distance of points, as 15s or in seconds; default a 250th of the range"))
        .arg(
            option("header", "NAME=VALUE", "Extra header; may be given more than once")
                .action(ArgAction::Append),
        )
        .arg(
            Arg::new("plot")
                .long("plot")
                .action(ArgAction::SetTrue)
                .help("Draw the answer in the terminal"),
        )
        .arg(format())
}

fn series() -> Command {
    Command::new("series")
        .about("Lists series")
        .after_help(
            "Example:\n  watchfire query series http://localhost:9090 --match '{job=\"node\"}'",
        )
        .arg(server())
        .arg(matcher().required(true))
        .arg(option(
            "start",
            "TIME",
            "Begin of the range that is searched",
        ))
        .arg(option("end", "TIME", "End of the range that is searched"))
        .arg(format())
}

fn labels() -> Command {
    Command::new("labels")
        .about("Lists the values of a label")
        .after_help("Example:\n  watchfire query labels http://localhost:9090 job")
        .arg(server())
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .required(true)
                .help("The label"),
        )
        .arg(matcher())
        .arg(option(
            "start",
            "TIME",
            "Begin of the range that is searched",
        ))
        .arg(option("end", "TIME", "End of the range that is searched"))
        .arg(format())
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let Some((name, matches)) = matches.subcommand() else {
        return Err(Error::new("no kind of query given"));
    };
    match name {
        "instant" => run_instant(matches),
        "range" => run_range(matches),
        "series" => run_series(matches),
        _ => run_labels(matches),
    }
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map_or("", String::as_str)
}

fn time_ms(matches: &ArgMatches, name: &str) -> Result<Option<i64>, Error> {
    match text(matches, name) {
        "" => Ok(None),
        given => parse_time_ms(given).map(Some).map_err(|e| {
            Error::new(e)
                .with_hint("give RFC 3339 (2026-11-21T06:00:00Z) or seconds since the epoch")
        }),
    }
}

pub(super) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as i64)
}

fn seconds(ms: i64) -> String {
    format!("{}", ms as f64 / 1000.0)
}

fn run_instant(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let at = time_ms(matches, "time")?.unwrap_or_else(now_ms);
    let form = [
        ("query", text(matches, "expr").to_owned()),
        ("time", seconds(at)),
    ];
    let data = ask(matches, "/api/v1/query", &form)?;
    show_query(matches, &data)
}

fn run_range(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let end = time_ms(matches, "end")?.unwrap_or_else(now_ms);
    let start = time_ms(matches, "start")?.unwrap_or(end - 300_000);
    if end < start {
        return Err(Error::new("the end lies before the start").with_hint("swap --start and --end"));
    }
    let step = match text(matches, "step") {
        "" => ((end - start) / 1000 / 250).max(1) * 1000,
        given => parse_duration_ms(given)
            .map_err(|e| Error::new(e).with_hint("give a duration as 15s, 1m or in seconds"))?,
    };
    let form = [
        ("query", text(matches, "expr").to_owned()),
        ("start", seconds(start)),
        ("end", seconds(end)),
        ("step", seconds(step)),
    ];
    let data = ask(matches, "/api/v1/query_range", &form)?;
    if matches.get_flag("plot") {
        let answer = Answer::read(&data)
            .ok_or_else(|| Error::new("the server's answer is no query result"))?;
        output::line(&plot::draw(&answer, start, end));
        return Ok(ExitCode::SUCCESS);
    }
    show_query(matches, &data)
}

fn show_query(matches: &ArgMatches, data: &Value) -> Result<ExitCode, Error> {
    let format = text(matches, "format");
    if format == "json" {
        output::line(&data["result"].to_string());
        return Ok(ExitCode::SUCCESS);
    }
    let answer =
        Answer::read(data).ok_or_else(|| Error::new("the server's answer is no query result"))?;
    output::line(&match format {
        "csv" => show::csv(&answer),
        "promql" => show::promql(&answer),
        _ => show::table(&answer),
    });
    Ok(ExitCode::SUCCESS)
}

fn selection(matches: &ArgMatches) -> Result<Vec<(&'static str, String)>, Error> {
    let mut form: Vec<(&str, String)> = matches
        .get_many::<String>("match")
        .into_iter()
        .flatten()
        .map(|m| ("match[]", m.clone()))
        .collect();
    for name in ["start", "end"] {
        if let Some(ms) = time_ms(matches, name)? {
            form.push((name, seconds(ms)));
        }
    }
    Ok(form)
}

fn run_series(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let data = ask(matches, "/api/v1/series", &selection(matches)?)?;
    let list = answer::label_sets(&data);
    output::line(&match text(matches, "format") {
        "json" => data.to_string(),
        "csv" => show::csv_sets(&list),
        "promql" => show::lines(list.iter().map(show::metric)),
        _ => show::table_sets(&list),
    });
    Ok(ExitCode::SUCCESS)
}

fn run_labels(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let name = text(matches, "name");
    let path = format!(
        "/api/v1/label/{}/values",
        percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC)
    );
    let form = selection(matches)?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &form {
        query.append_pair(name, value);
    }
    let data = exchange(Request::get(
        format!("{}?{}", address(matches, &path)?, query.finish()),
        TIMEOUT,
    ))?;
    if text(matches, "format") == "json" {
        output::line(&data.to_string());
    } else {
        for value in data.as_array().into_iter().flatten() {
            output::line(value.as_str().unwrap_or_default());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn address(matches: &ArgMatches, path: &str) -> Result<String, Error> {
    let server = text(matches, "server").trim_end_matches('/');
    if !server.starts_with("http://") && !server.starts_with("https://") {
        return Err(Error::new(format!("{server:?} is no server address"))
            .with_hint(format!("write http://{server}")));
    }
    Ok(format!("{server}{path}"))
}

fn ask(matches: &ArgMatches, path: &str, form: &[(&str, String)]) -> Result<Value, Error> {
    let mut body = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form {
        body.append_pair(name, value);
    }
    let mut request = Request::post(
        address(matches, path)?,
        "application/x-www-form-urlencoded",
        body.finish(),
        TIMEOUT,
    );
    request.gzip = true;
    let headers = matches.try_get_many::<String>("header").ok().flatten();
    for header in headers.into_iter().flatten() {
        let parsed = header.split_once('=').and_then(|(name, value)| {
            Some((
                hyper::header::HeaderName::from_bytes(name.trim().as_bytes()).ok()?,
                hyper::header::HeaderValue::from_str(value.trim()).ok()?,
            ))
        });
        let Some((name, value)) = parsed else {
            return Err(
                Error::new(format!("{header:?} is no header")).with_hint("write NAME=VALUE")
            );
        };
        request.headers.append(name, value);
    }
    exchange(request)
}

/// What the server of the argument `server` has at a path.
pub(super) fn get(matches: &ArgMatches, path: &str) -> Result<Value, Error> {
    exchange(Request::get(address(matches, path)?, TIMEOUT))
}

/// Sends a request and opens the envelope.
fn exchange(request: Request) -> Result<Value, Error> {
    let answer = block_on(async {
        let client = Client::new(&ClientOptions::default())?;
        client.send(request).await
    })?
    .map_err(|e| {
        Error::new(e.to_string()).with_hint("is the server running, and is this its address?")
    })?;
    open(&answer)
}

fn open(answer: &Response) -> Result<Value, Error> {
    let Ok(mut envelope) = serde_json::from_slice::<Value>(&answer.body) else {
        let start: String = String::from_utf8_lossy(&answer.body)
            .chars()
            .take(200)
            .collect();
        return Err(Error::new(format!("{}: {start}", answer.status_text()))
            .with_hint("this does not look like the API of Prometheus"));
    };
    for kind in ["warnings", "infos"] {
        for note in envelope[kind].as_array().into_iter().flatten() {
            output::warn(note.as_str().unwrap_or_default());
        }
    }
    if envelope["status"] == "success" {
        return Ok(envelope["data"].take());
    }
    let text = envelope["error"]
        .as_str()
        .unwrap_or("the server gave no reason");
    let kind = envelope["errorType"].as_str().unwrap_or("error");
    let hint = match kind {
        "bad_data" => "the expression or a parameter is wrong",
        "timeout" => "ask for less: a shorter range, a larger step, fewer series",
        "unavailable" => "the server is starting or stopping; try again",
        _ => "the server could not answer this query",
    };
    Err(Error::new(format!("{kind}: {text}")).with_hint(hint))
}

/// Runs one future on a small runtime.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map(|runtime| runtime.block_on(future))
        .map_err(|e| Error::new(format!("cannot start the runtime: {e}")))
}
