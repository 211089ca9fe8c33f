//! The verbs that change silences.

use std::io::Read as _;
use std::process::ExitCode;

use clap::ArgMatches;
use futures_util::StreamExt as _;
use serde_json::{Map, Value, json};

use crate::alerting::Matcher;
use crate::cli::amtool::{self, Server};
use crate::cli::{Error, output, query};
use crate::time::{Span, WallTime};

/// Where silences are made and changed.
const SILENCES: &str = "/api/v2/silences";

pub(super) fn add(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let server = Server::new(matches)?;
    let syntax = server.settings.syntax;
    let words = amtool::matcher_words(matches, "words", syntax);
    let parsed = words
        .iter()
        .map(|word| amtool::matcher(word, syntax))
        .collect::<Result<Vec<Matcher>, _>>()?;
    if parsed.is_empty() {
        return Err(Error::new("no matchers specified")
            .with_hint("say which alerts, for example: alertname=NodeDown instance=a"));
    }
    let start = match amtool::text(matches, "start") {
        "" => now(),
        given => amtool::time(given)?,
    };
    let end = match amtool::text(matches, "end") {
        "" => after(start, amtool::text(matches, "duration"))?,
        given => amtool::time(given)?,
    };
    check_order(start, end)?;
    let comment = amtool::text(matches, "comment");
    if comment.is_empty() && server.settings.require_comment {
        return Err(Error::new("comment required by config")
            .with_hint("give one with -c, or --require-comment=false"));
    }
    let mut silence = Map::new();
    let annotations = amtool::texts(matches, "annotation");
    let annotations = amtool::pairs(&annotations, "annotations", syntax)?;
    if !annotations.is_empty() {
        silence.insert("annotations".to_owned(), Value::Object(annotations));
    }
    silence.insert("comment".to_owned(), json!(comment));
    silence.insert("createdBy".to_owned(), json!(server.settings.author));
    silence.insert("startsAt".to_owned(), json!(start.to_string()));
    silence.insert("endsAt".to_owned(), json!(end.to_string()));
    let list: Vec<Value> = parsed.iter().map(matcher).collect();
    silence.insert("matchers".to_owned(), Value::Array(list));
    let answer = server.post(SILENCES, &Value::Object(silence))?;
    output::line(answer["silenceID"].as_str().unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}

fn matcher(matcher: &Matcher) -> Value {
    json!({
        "isEqual": matcher.is_equal(),
        "isRegex": matcher.is_regex(),
        "name": matcher.name,
        "value": matcher.value,
    })
}

pub(super) fn expire(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let server = Server::new(matches)?;
    for id in amtool::texts(matches, "ids") {
        server
            .delete(&path(&id))
            .map_err(|error| about(&id, &error))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn update(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let server = Server::new(matches)?;
    let mut changed = Vec::new();
    for id in amtool::texts(matches, "ids") {
        let silence = server
            .get(&path(&id), &[])
            .and_then(|silence| change(matches, silence))
            .map_err(|error| about(&id, &error))?;
        let answer = server.post(SILENCES, &postable(&silence, true))?;
        let id = answer["silenceID"].as_str().unwrap_or(&id).to_owned();
        changed.push(server.get(&path(&id), &[])?);
    }
    super::show(&server, changed, matches.get_flag("quiet"));
    Ok(ExitCode::SUCCESS)
}

/// The silence with what the flags say.
fn change(matches: &ArgMatches, mut silence: Value) -> Result<Value, Error> {
    let given = |name: &str| Some(amtool::text(matches, name)).filter(|text| !text.is_empty());
    let own =
        |silence: &Value, name: &str| amtool::time(silence[name].as_str().unwrap_or_default());
    let start = match given("start") {
        Some(text) => amtool::time(text)?,
        None => own(&silence, "startsAt")?,
    };
    let end = match (given("end"), given("duration")) {
        (Some(text), _) => amtool::time(text)?,
        (None, Some(duration)) => after(start, duration)?,
        (None, None) => own(&silence, "endsAt")?,
    };
    check_order(start, end)?;
    silence["startsAt"] = json!(start.to_string());
    silence["endsAt"] = json!(end.to_string());
    if let Some(comment) = given("comment") {
        silence["comment"] = json!(comment);
    }
    Ok(silence)
}

pub(super) fn import(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let server = Server::new(matches)?;
    let content = match amtool::text(matches, "file") {
        "" => {
            let mut content = String::new();
            let read = std::io::stdin().read_to_string(&mut content);
            read.map_err(|error| Error::new(format!("cannot read standard input: {error}")))?;
            content
        }
        file => std::fs::read_to_string(file)
            .map_err(|error| Error::new(format!("cannot read {file}: {error}")))?,
    };
    let silences: Vec<Value> = serde_json::from_str(&content).map_err(|error| {
        Error::new(format!(
            "couldn't unmarshal input data, is it JSON? {error}"
        ))
        .with_hint("import takes what `silence query -o json` writes")
    })?;
    let keep_id = !matches.get_flag("force");
    let workers = matches.get_one::<u16>("worker").copied().unwrap_or(8);
    let total = silences.len();
    let results = query::block_on(async {
        let posts = silences
            .iter()
            .map(|silence| post(&server, silence, keep_id));
        let mut results = futures_util::stream::iter(posts).buffered(usize::from(workers));
        let mut failed = 0_usize;
        while let Some((id, result)) = results.next().await {
            match result {
                Ok(id) => {
                    output::line(&id);
                }
                Err(error) => {
                    failed += 1;
                    output::complain(&about(&id, &error));
                }
            }
        }
        failed
    })?;
    if results > 0 {
        return Err(Error::new(format!(
            "couldn't import {results} out of {total} silences"
        )));
    }
    Ok(ExitCode::SUCCESS)
}

/// Adds a silence; one whose id the server does not know becomes a new one.
async fn post(server: &Server, silence: &Value, keep_id: bool) -> (String, Result<String, Error>) {
    let id = silence["id"].as_str().unwrap_or_default().to_owned();
    let mut answer = server
        .post_soon(SILENCES, &postable(silence, keep_id))
        .await;
    if keep_id && matches!(&answer, Err(error) if error.to_string().starts_with("404")) {
        answer = server.post_soon(SILENCES, &postable(silence, false)).await;
    }
    let new_id = answer.map(|answer| answer["silenceID"].as_str().unwrap_or_default().to_owned());
    (id, new_id)
}

/// What the API takes of what it shows.
fn postable(silence: &Value, keep_id: bool) -> Value {
    let mut out = Map::new();
    for name in [
        "id",
        "annotations",
        "comment",
        "createdBy",
        "endsAt",
        "matchers",
        "startsAt",
    ] {
        if let Some(value) = silence.get(name)
            && (keep_id || name != "id")
        {
            out.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(out)
}

fn path(id: &str) -> String {
    let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    format!("/api/v2/silence/{}", id.replace('+', "%20"))
}

fn about(id: &str, error: &Error) -> Error {
    let hint = error.hint().to_owned();
    let told = Error::new(format!("silence {id}: {error}"));
    let unknown = error.to_string().starts_with("404") || error.to_string().starts_with("422");
    if unknown {
        told.with_hint("`watchfire silence query --expired` and `silence query` list the ids")
    } else {
        told.with_hint(hint)
    }
}

fn now() -> WallTime {
    WallTime::from_ms(query::now_ms())
}

fn after(start: WallTime, duration: &str) -> Result<WallTime, Error> {
    let span = amtool::duration(duration)?;
    if span <= Span::ZERO {
        return Err(Error::new("silence duration must be greater than 0"));
    }
    Ok(start + span)
}

fn check_order(start: WallTime, end: WallTime) -> Result<(), Error> {
    if start > end {
        return Err(Error::new("silence cannot start after it ends"));
    }
    Ok(())
}
