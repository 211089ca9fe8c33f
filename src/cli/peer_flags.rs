//! Flags that promtool and amtool take before their verbs; ours stand behind them.

use std::ffi::OsString;

/// Switches that are not needed here: experiments, and whether client and server must be of one version.
const NEEDLESS: [&str; 4] = [
    "--experimental",
    "--no-experimental",
    "--version-check",
    "--no-version-check",
];

/// Flags with a value.
const MOVED: [&str; 7] = [
    "--enable-feature",
    "--alertmanager.url",
    "--output",
    "-o",
    "--date.format",
    "--timeout",
    "--http.config.file",
];

/// Puts flags that stand before the verb where ours are.
pub(super) fn behind_the_verb(mut args: Vec<OsString>) -> Vec<OsString> {
    let mut moved = Vec::new();
    while let Some(flag) = args.get(1).and_then(|arg| arg.to_str()) {
        let name = flag.split_once('=').map_or(flag, |(name, _)| name);
        if NEEDLESS.contains(&flag) {
            args.remove(1);
        } else if !MOVED.contains(&name) {
            break;
        } else if name != flag {
            moved.push(args.remove(1));
        } else if args.len() > 2 {
            moved.extend(args.drain(1..3));
        } else {
            break;
        }
    }
    let end = args.iter().position(|arg| arg == "--");
    let end = end.unwrap_or(args.len());
    args.splice(end..end, moved);
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_promtool_and_amtool_may_stand_before_the_verb() {
        let order = |line: &str| {
            let args = behind_the_verb(line.split(' ').map(OsString::from).collect());
            args.join(" ".as_ref()).into_string().unwrap()
        };
        for (given, taken) in [
            (
                "w --experimental --enable-feature=a check rules f",
                "w check rules f --enable-feature=a",
            ),
            (
                "w --enable-feature a check rules -- f",
                "w check rules --enable-feature a -- f",
            ),
            (
                "w check --enable-feature=a rules f",
                "w check --enable-feature=a rules f",
            ),
            (
                "w --no-version-check --alertmanager.url=http://a:9093 -o json silence query x",
                "w silence query x --alertmanager.url=http://a:9093 -o json",
            ),
            ("w --help", "w --help"),
            ("w -o", "w -o"),
        ] {
            assert_eq!(order(given), taken);
        }
    }
}
