//! What the verbs share that talk to an alert manager as amtool does: flags, settings, requests, matchers.

mod features;
mod settings;
mod show;
mod table;

use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};
use serde_json::Value;
use url::form_urlencoded;

use super::Error;
use crate::alerting::Matcher;
use crate::alerting::matchers::{Syntax, parse_matcher};
use crate::daemon::net::{Client, Request, Response};
use crate::model::MatchOp;
use crate::model::http_client::ClientOptions;
use crate::text::quote::quote;
use crate::time::{Span, WallTime};

pub(super) use features::{chosen as chosen_syntax, flag as feature_flag, syntax};
pub(super) use settings::Output;
use settings::Settings;
pub(super) use show::{alerts, date, json, label_set, silences};
pub(super) use table::Table;

/// The flags that every such verb has.
pub(super) fn flags(command: Command) -> Command {
    command
        .arg(
            Arg::new("alertmanager.url")
                .long("alertmanager.url")
                .visible_alias("url")
                .value_name("URL")
                .global(true)
                .help("The server; default http://localhost:9090, or what amtool.yml says"),
        )
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("FORMAT")
                .value_parser(PossibleValuesParser::new(["simple", "extended", "json"]))
                .global(true)
                .help("How the answer is shown; default simple"),
        )
        .arg(
            Arg::new("date.format")
                .long("date.format")
                .value_name("LAYOUT")
                .global(true)
                .help("Go layout of times; default \"2006-01-02 15:04:05 MST\""),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("DURATION")
                .default_value("30s")
                .global(true)
                .help("How long an answer may take"),
        )
        .arg(
            Arg::new("http.config.file")
                .long("http.config.file")
                .value_name("FILE")
                .global(true)
                .help("How to connect: http_config of Prometheus, with credentials and TLS"),
        )
        .arg(feature_flag())
}

/// A server that is asked.
pub(super) struct Server {
    pub(super) settings: Settings,
    client: ClientOptions,
    timeout: Duration,
}

impl Server {
    /// Reads the flags and `amtool.yml`.
    pub(super) fn new(matches: &ArgMatches) -> Result<Self, Error> {
        let settings = Settings::read(matches)?;
        let timeout = duration(text(matches, "timeout"))?;
        let client = match &settings.http_config {
            Some(path) => settings::http_config(path)?,
            None => ClientOptions::default(),
        };
        Ok(Self {
            settings,
            client,
            timeout: Duration::from_millis(timeout.as_ms().unsigned_abs()),
        })
    }

    /// `GET` of a path below the server's address; the answer must be JSON.
    pub(super) fn get(&self, path: &str, params: &[(&str, String)]) -> Result<Value, Error> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in params {
            query.append_pair(name, value);
        }
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("{}{path}{mark}{query}", self.address()?);
        let request = Request::get(url, self.timeout);
        let response = super::query::block_on(self.send(request))??;
        read(&response)
    }

    /// As [`Self::get`]; `None` when the server does not know the path.
    pub(super) fn get_if_known(
        &self,
        path: &str,
        params: &[(&str, String)],
    ) -> Result<Option<Value>, Error> {
        match self.get(path, params) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.to_string().starts_with("404") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `POST` of JSON; what the server answers, null when that is nothing.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        super::query::block_on(self.post_soon(path, body))?
    }

    /// As [`Self::post`], beside others.
    pub(super) async fn post_soon(&self, path: &str, body: &Value) -> Result<Value, Error> {
        let url = format!("{}{path}", self.address()?);
        let request = Request::post(url, "application/json", body.to_string(), self.timeout);
        let response = self.send(request).await?;
        if response.body.is_empty() && response.status.is_success() {
            return Ok(Value::Null);
        }
        read(&response)
    }

    /// `DELETE` of a path.
    pub(super) fn delete(&self, path: &str) -> Result<(), Error> {
        let url = format!("{}{path}", self.address()?);
        let mut request = Request::get(url, self.timeout);
        request.method = hyper::Method::DELETE;
        let response = super::query::block_on(self.send(request))??;
        if response.status.is_success() {
            return Ok(());
        }
        Err(refusal(&response))
    }

    fn address(&self) -> Result<String, Error> {
        let url = self.settings.url.trim_end_matches('/');
        if url.starts_with("http://") || url.starts_with("https://") {
            return Ok(url.to_owned());
        }
        Err(Error::new(format!("{url:?} is no server address"))
            .with_hint(format!("write http://{url}")))
    }

    async fn send(&self, request: Request) -> Result<Response, Error> {
        let sent = match Client::new(&self.client) {
            Ok(client) => client.send(request).await,
            Err(error) => Err(error),
        };
        sent.map_err(|error| {
            Error::new(error.to_string()).with_hint(format!(
                "is the server running at {}? --alertmanager.url names another",
                self.settings.url
            ))
        })
    }
}

fn read(response: &Response) -> Result<Value, Error> {
    if !response.status.is_success() {
        return Err(refusal(response));
    }
    serde_json::from_slice(&response.body).map_err(|_| {
        Error::new(format!("{}: the answer is no JSON", response.status_text()))
            .with_hint("this does not look like the API of an alert manager")
    })
}

/// What the server said in its refusal: a JSON text, an object with a message, or whatever it is.
fn refusal(response: &Response) -> Error {
    let body: Option<Value> = serde_json::from_slice(&response.body).ok();
    let said = match &body {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(fields)) => ["message", "error"]
            .iter()
            .find_map(|name| fields.get(*name)?.as_str())
            .unwrap_or_default()
            .to_owned(),
        _ => String::from_utf8_lossy(&response.body)
            .chars()
            .take(200)
            .collect(),
    };
    let said = said.trim();
    let status = response.status_text();
    Error::new(if said.is_empty() {
        status
    } else {
        format!("{status}: {said}")
    })
}

/// The value of a flag; empty when it was not given.
pub(super) fn text<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches
        .try_get_one::<String>(name)
        .ok()
        .flatten()
        .map_or("", String::as_str)
}

/// All values of a flag.
pub(super) fn texts(matches: &ArgMatches, name: &str) -> Vec<String> {
    let values = matches.try_get_many::<String>(name).ok().flatten();
    values.into_iter().flatten().cloned().collect()
}

/// Positional words that are matchers, as amtool reads them: a first word that is none names the alert.
pub(super) fn matcher_words(matches: &ArgMatches, name: &str, syntax: Syntax) -> Vec<String> {
    let mut words = texts(matches, name);
    if let Some(first) = words.first_mut()
        && parse_matcher(syntax, first).is_err()
    {
        *first = format!("alertname={}", quote(first));
    }
    words
}

/// Reads a matcher.
pub(super) fn matcher(word: &str, syntax: Syntax) -> Result<Matcher, Error> {
    parse_matcher(syntax, word).map_err(|error| {
        Error::new(error.to_string())
            .with_hint("write NAME=VALUE, NAME!=VALUE, NAME=~PATTERN or NAME!~PATTERN")
    })
}

/// Words that must be `NAME=VALUE`, as an object; `what` names them in errors.
pub(super) fn pairs(
    words: &[String],
    what: &str,
    syntax: Syntax,
) -> Result<serde_json::Map<String, Value>, Error> {
    let mut object = serde_json::Map::new();
    for word in words {
        let matcher = matcher(word, syntax)?;
        if matcher.op != MatchOp::Equal {
            return Err(Error::new(format!(
                "{what} must be specified as key=value pairs"
            )));
        }
        object.insert(matcher.name, Value::String(matcher.value));
    }
    Ok(object)
}

/// Reads an RFC 3339 time.
pub(super) fn time(given: &str) -> Result<WallTime, Error> {
    WallTime::parse_rfc3339(given).ok_or_else(|| {
        Error::new(format!("{given:?} is no RFC 3339 time"))
            .with_hint("write for example 2026-11-21T06:00:00Z or 2026-11-21T07:00:00+01:00")
    })
}

/// Reads a Prometheus duration.
pub(super) fn duration(given: &str) -> Result<Span, Error> {
    Span::parse(given).map_err(|error| {
        Error::new(error.to_string()).with_hint("write for example 30m, 2h or 1h30m")
    })
}

/// The items of a list that the API answered.
pub(super) fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}
