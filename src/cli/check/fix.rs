//! `--fix`: shows as a diff what can be mended in one right way, and mends it.

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::alerting::matchers::Syntax;
use crate::check::Finding;
use crate::check::fix::{FileKind, Repaired, deprecated_matchers, findings_of_rules, repair};
use crate::check::lint::Routing;
use crate::cli::check::input::Input;
use crate::cli::{Error, output};
use crate::rules::file::FileOptions;

/// The arguments of what can be mended.
pub(super) fn arguments(command: Command) -> Command {
    command
        .arg(
            Arg::new("fix")
                .long("fix")
                .action(ArgAction::SetTrue)
                .help("Mend what has one right answer: print it as a diff, then write the files"),
        )
        .arg(
            Arg::new("diff")
                .long("diff")
                .action(ArgAction::SetTrue)
                .help("Print what --fix would do, and write nothing"),
        )
}

/// The argument that mends layout too.
pub(super) fn format_argument() -> Arg {
    Arg::new("format-exprs")
        .long("format-exprs")
        .action(ArgAction::SetTrue)
        .help("With --fix or --diff: lay out expressions as `promtool promql format` does")
}

/// Whether anything is to be mended before the check.
fn is_wanted(matches: &ArgMatches) -> bool {
    matches.get_flag("fix") || matches.get_flag("diff")
}

/// Mends rule files.
pub(super) fn rules(
    matches: &ArgMatches,
    inputs: &mut [Input],
    options: FileOptions,
) -> Result<(), Error> {
    let format = matches.get_flag("format-exprs");
    if !is_wanted(matches) {
        if format {
            let error = Error::new("--format-exprs does nothing alone");
            return Err(error.with_hint("add --diff to see what it would do, or --fix to do it"));
        }
        return Ok(());
    }
    each(matches, inputs, |name, text| {
        let find = |text: &str| findings_of_rules(name, text, &options, format);
        let repaired = repair(text, FileKind::Rules(&options), &find);
        for finding in find(&repaired.text) {
            if let Some(why) = not_mended(&finding) {
                output::warn(&format!("not mended: {finding}: {why}"));
            }
        }
        repaired
    })
}

/// Why something is left that is mended elsewhere.
fn not_mended(finding: &Finding) -> Option<&'static str> {
    if finding.fix.is_some() {
        return None;
    }
    let moves = finding
        .hint
        .as_ref()
        .is_some_and(|hint| hint.starts_with("move `"));
    match finding.id() {
        "E002" if moves => Some(
            "what it would be moved to has such a field already, or the rule is not laid out line by line",
        ),
        "E003" => Some("the two values differ, and only you know which is right"),
        _ => None,
    }
}

/// Mends the router's configuration.
pub(super) fn router(
    matches: &ArgMatches,
    syntax: Syntax,
    inputs: &mut [Input],
) -> Result<(), Error> {
    if !is_wanted(matches) {
        return Ok(());
    }
    each(matches, inputs, |name, text| {
        let find = |text: &str| {
            Routing::parse(name, text, syntax)
                .map(|routing| deprecated_matchers(&routing))
                .unwrap_or_default()
        };
        repair(text, FileKind::Router, &find)
    })
}

fn each(
    matches: &ArgMatches,
    inputs: &mut [Input],
    mend: impl Fn(&str, &str) -> Repaired,
) -> Result<(), Error> {
    for input in inputs {
        let name = &input.name;
        if name == "-" && matches.get_flag("fix") {
            let error = Error::new("standard input cannot be mended in place");
            return Err(error.with_hint("name the file, or add --diff instead of --fix"));
        }
        // The check says what is wrong with a file that cannot be read.
        let Some(before) = input
            .bytes
            .as_ref()
            .ok()
            .and_then(|b| std::str::from_utf8(b).ok())
        else {
            continue;
        };
        let repaired = mend(name, before);
        for (title, why) in &repaired.refused {
            output::warn(&format!("{name}: not done: {title}: {why}"));
        }
        if repaired.text == before {
            continue;
        }
        output::diff(name, before, &repaired.text);
        if matches.get_flag("fix") {
            std::fs::write(name, &repaired.text)
                .map_err(|error| Error::new(format!("write {name}: {error}")))?;
            // What is checked next is what the file holds now.
            input.bytes = Ok(repaired.text.into_bytes());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    #[test]
    fn files_are_mended_only_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.yml");
        let before =
            "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: up==0\n    severity: page\n";
        std::fs::write(&path, before).unwrap();
        let run = |flags: &[&str]| {
            let mut args: Vec<OsString> =
                ["watchfire", "check", "rules"].map(OsString::from).to_vec();
            args.extend(flags.iter().map(OsString::from));
            args.push(path.clone().into_os_string());
            crate::cli::run(args)
        };
        run(&["--diff"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
        run(&["--fix"]);
        let after = std::fs::read_to_string(&path).unwrap();
        assert_eq!(after, before.replace("severity", "labels:\n      severity"));
        run(&["--fix", "--format-exprs"]);
        let after = std::fs::read_to_string(&path).unwrap();
        assert!(after.contains("expr: up == 0\n"), "{after}");
    }
}
