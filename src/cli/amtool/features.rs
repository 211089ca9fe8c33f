//! `--enable-feature` of amtool 0.34: how matchers are read.

use clap::{Arg, ArgAction, ArgMatches};

use super::texts;
use crate::alerting::matchers::Syntax;
use crate::cli::Error;
use crate::text::suggest;

/// What amtool 0.34 knows. All but the two modes are about a server.
const KNOWN: [&str; 9] = [
    "alert-names-in-metrics",
    "auto-gomaxprocs",
    "auto-gomemlimit",
    "classic-mode",
    "event-recorder",
    "group-key-in-metrics",
    "muted-alerts-in-nflog",
    "receiver-name-in-metrics",
    "utf8-strict-mode",
];

/// The flag.
pub(in crate::cli) fn flag() -> Arg {
    Arg::new("enable-feature")
        .long("enable-feature")
        .value_name("FEATURES")
        .action(ArgAction::Append)
        .value_delimiter(',')
        .global(true)
        .help("How matchers are read: classic-mode, or utf8-strict-mode; default both ways")
}

/// The syntax that the flag chooses. Names that amtool refuses are refused.
pub(in crate::cli) fn syntax(matches: &ArgMatches) -> Result<Syntax, Error> {
    let mut given = texts(matches, "enable-feature");
    given.retain(|name| !name.is_empty());
    if let Some(unknown) = given.iter().find(|name| !KNOWN.contains(&&***name)) {
        let error = Error::new(format!("unknown option '{unknown}' for --enable-feature"));
        return Err(match suggest::closest(unknown, KNOWN) {
            Some(meant) => error.with_hint(format!("did you mean {meant}?")),
            None => error.with_hint("matchers are read by classic-mode or utf8-strict-mode"),
        });
    }
    chosen(&given)
}

/// The syntax that some features choose, whatever else they are.
pub(in crate::cli) fn chosen(features: &[String]) -> Result<Syntax, Error> {
    let has = |wanted: &str| features.iter().any(|name| name == wanted);
    if has("classic-mode") && has("utf8-strict-mode") {
        let error = Error::new("cannot have both classic and UTF-8 modes enabled");
        return Err(error.with_hint("leave both away: matchers are then read in both syntaxes"));
    }
    Ok(Syntax::of_features(has))
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    fn chooses(args: &[&str]) -> Result<Syntax, String> {
        let command = Command::new("w").arg(flag());
        let matches = command.get_matches_from([&["w"], args].concat());
        syntax(&matches).map_err(|error| error.to_string())
    }

    #[test]
    fn modes_choose_how_matchers_are_read() {
        assert_eq!(chooses(&[]), Ok(Syntax::Fallback));
        let both = ["--enable-feature=auto-gomemlimit,classic-mode"];
        assert_eq!(chooses(&both), Ok(Syntax::Classic));
        let strict = ["--enable-feature", "utf8-strict-mode"];
        assert_eq!(chooses(&strict), Ok(Syntax::Utf8));
        assert_eq!(
            chooses(&[
                "--enable-feature=classic-mode",
                "--enable-feature=utf8-strict-mode"
            ]),
            Err("cannot have both classic and UTF-8 modes enabled".to_owned())
        );
        assert_eq!(
            chooses(&["--enable-feature=clasic-mode"]),
            Err("unknown option 'clasic-mode' for --enable-feature".to_owned())
        );
    }
}
