//! Files of cases: played, compared, told.

use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::ArgMatches;
use serde_json::{Value, json};

use crate::check::routing::{self, Case, CaseReport};
use crate::cli::amtool;
use crate::cli::{Error, output};
use crate::config::alertmanager::AlertmanagerConfig;

/// Plays the cases of all files; fails when a case does.
pub(super) fn run(matches: &ArgMatches, files: &[String]) -> Result<ExitCode, Error> {
    let as_json = amtool::text(matches, "output") == "json";
    let mut played = Vec::new();
    let (mut total, mut failed) = (0_usize, 0_usize);
    for file in files {
        let path = Path::new(file);
        let content = std::fs::read_to_string(path).map_err(|error| {
            Error::new(format!("cannot read {file}: {error}"))
                .with_hint("give labels as NAME=VALUE, or files of cases")
        })?;
        let cases = routing::parse(&content, amtool::syntax(matches)?).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(|p| format!("{file}:{p}")).collect();
            let error = Error::new(lines.join("\n"));
            match problems.into_iter().find_map(|problem| problem.hint) {
                Some(hint) => error.with_hint(hint),
                None => error,
            }
        })?;
        if cases.cases.is_empty() {
            output::warn(&format!("{file} has no cases"));
        }
        let config = config(matches, path, &cases.config)?;
        for case in &cases.cases {
            let report = routing::play(&config, case).map_err(|error| {
                let line = case.place.start.line;
                Error::new(format!("{file}:{line}: {error}"))
            })?;
            total += 1;
            failed += usize::from(!report.failures.is_empty());
            if as_json {
                played.push(to_json(file, case, &report));
            } else {
                show(case, &report);
            }
        }
    }
    if as_json {
        output::line(&amtool::json(&Value::Array(played)));
    } else {
        output::line(&format!("{} of {total} cases as expected", total - failed));
    }
    Ok(ExitCode::from(u8::from(failed > 0)))
}

/// `--config.file`, the file that the cases name, or the server's configuration.
fn config(matches: &ArgMatches, cases: &Path, named: &str) -> Result<AlertmanagerConfig, Error> {
    if amtool::text(matches, "config.file").is_empty() && !named.is_empty() {
        let folder = cases.parent().unwrap_or_else(|| Path::new(""));
        return super::load_file(&folder.join(named), amtool::syntax(matches)?);
    }
    super::load(matches)
}

fn show(case: &Case, report: &CaseReport) {
    let (word, color) = if report.failures.is_empty() {
        ("ok", AnsiColor::Green)
    } else {
        ("FAILED", AnsiColor::Red)
    };
    let style = Style::new().fg_color(Some(color.into())).bold();
    let name = if case.name.is_empty() {
        format!("case at line {}", case.place.start.line)
    } else {
        case.name.clone()
    };
    output::line(&format!("{style}{word}{style:#}  {name}"));
    output::line(&format!("    {} at {}", case.labels, report.time));
    for route in &report.routes {
        let verdict = match (route.hears, route.integrations) {
            (true, 0) => "would be told, but has no integrations".to_owned(),
            (true, _) => "is told".to_owned(),
            (false, _) => format!("is not told: {}", route.reasons.join("; ")),
        };
        output::line(&format!(
            "    {} {verdict}\n        route {}, group {}",
            route.receiver, route.route, route.group_labels
        ));
    }
    for failure in &report.failures {
        output::line(&format!("    {style}{failure}{style:#}"));
    }
}

fn to_json(file: &str, case: &Case, report: &CaseReport) -> Value {
    let labels = |labels: &crate::model::Labels| -> Value {
        labels
            .iter()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let routes: Vec<Value> = report
        .routes
        .iter()
        .map(|route| {
            json!({
                "receiver": route.receiver,
                "route": route.route,
                "groupLabels": labels(&route.group_labels),
                "notified": route.hears,
                "inhibited": route.inhibited,
                "silenced": route.silenced,
                "timeIntervals": route.muted,
                "reasons": route.reasons,
            })
        })
        .collect();
    json!({
        "file": file,
        "line": case.place.start.line,
        "name": case.name,
        "labels": labels(&case.labels),
        "time": report.time.to_string(),
        "passed": report.failures.is_empty(),
        "failures": report.failures,
        "routes": routes,
    })
}
