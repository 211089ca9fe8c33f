//! `watchfire config`: the configuration of a running router, as `amtool config show` and `amtool cluster show` tell it.

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use serde_json::Value;

use super::amtool::{self, Output, Server};
use super::{Error, output};

pub(super) fn command() -> Command {
    let command = Command::new("config")
        .about("Shows the router configuration of a running watchfire or Alertmanager")
        .after_help("Example:\n  watchfire config show -o extended")
        .arg_required_else_help(true)
        .subcommand_required(true)
        .subcommand(Command::new("show").about(
            "Shows the configuration without secrets; -o extended adds version and start, -o json shows all",
        ));
    amtool::flags(command)
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let Some(("show", matches)) = matches.subcommand() else {
        return Err(Error::new("nothing to do"));
    };
    let server = Server::new(matches)?;
    let status = server.get("/api/v2/status", &[])?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match server.settings.output {
        Output::Json => {
            output::line(&amtool::json(&status));
        }
        Output::Simple => {
            output::line(&text(&status["config"]["original"]));
        }
        Output::Extended => {
            output::line(&text(&status["config"]["original"]));
            let versions = status["versionInfo"].as_object();
            for (name, value) in versions.into_iter().flatten() {
                output::line(&format!("{name} {}", text(value)));
            }
            output::line(&format!("uptime {}", text(&status["uptime"])));
            output::line(&format!("cluster {}", text(&status["cluster"]["status"])));
        }
    }
    Ok(ExitCode::SUCCESS)
}
