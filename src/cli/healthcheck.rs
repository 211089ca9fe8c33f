//! `watchfire healthcheck`: a probe for containers without curl.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Error, output};
use crate::daemon::net::{Client, Request};
use crate::model::http_client::ClientOptions;

pub(super) fn command() -> Command {
    Command::new("healthcheck")
        .about("Asks a running watchfire or Prometheus whether it is well; exit code 0 or 1")
        .after_help(
            "Examples:\n  watchfire healthcheck\n  watchfire healthcheck --ready --url http://127.0.0.1:9091",
        )
        .arg(
            Arg::new("url")
                .long("url")
                .value_name("URL")
                .default_value("http://127.0.0.1:9090")
                .help("The server"),
        )
        .arg(
            Arg::new("ready")
                .long("ready")
                .action(ArgAction::SetTrue)
                .help("Ask whether queries are answered, not only whether the process is alive"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let url = matches
        .get_one::<String>("url")
        .map_or("http://127.0.0.1:9090", String::as_str)
        .trim_end_matches('/');
    let page = if matches.get_flag("ready") {
        "ready"
    } else {
        "healthy"
    };
    let url = format!("{url}/-/{page}");
    let hint = "is it running, and is this its --web.listen-address?";
    let answer = super::query::block_on(async {
        let client = Client::new(&ClientOptions::default())?;
        client
            .send(Request::get(&url, Duration::from_secs(5)))
            .await
    })?
    .map_err(|e| Error::new(e.to_string()).with_hint(hint))?;
    let text = String::from_utf8_lossy(&answer.body).trim().to_owned();
    if answer.status.is_success() {
        output::line(&text);
        return Ok(ExitCode::SUCCESS);
    }
    Err(Error::new(format!("{url}: {}: {text}", answer.status_text())).with_hint(hint))
}
