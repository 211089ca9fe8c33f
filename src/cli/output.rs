//! Writing to the terminal: colours only where they are wanted, a closed pipe is no error.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};

use super::Error;

/// Writes one line to standard output; false when nobody reads any more.
pub(super) fn line(text: &str) -> bool {
    writeln!(anstream::stdout().lock(), "{text}").is_ok()
}

/// Writes bytes to standard output as they are.
pub(super) fn raw(bytes: &[u8]) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).is_ok()
}

/// Shows an error and its hint.
pub(super) fn complain(error: &Error) {
    let red = Style::new().fg_color(Some(AnsiColor::Red.into())).bold();
    let mut out = anstream::stderr().lock();
    let _ = writeln!(out, "{red}error:{red:#} {error}");
    if !error.hint().is_empty() {
        let cyan = Style::new().fg_color(Some(AnsiColor::Cyan.into())).bold();
        let _ = writeln!(out, "{cyan}hint:{cyan:#} {}", error.hint());
    }
}

/// Shows something that does not stop the verb.
pub(super) fn warn(text: &str) {
    let yellow = Style::new().fg_color(Some(AnsiColor::Yellow.into())).bold();
    let _ = writeln!(
        anstream::stderr().lock(),
        "{yellow}warning:{yellow:#} {text}"
    );
}

/// Shows how a file would change, as a unified diff.
pub(super) fn diff(name: &str, before: &str, after: &str) {
    let (red, green) = (
        Style::new().fg_color(Some(AnsiColor::Red.into())),
        Style::new().fg_color(Some(AnsiColor::Green.into())),
    );
    // A diff that is not the shortest is better than one that comes late.
    let diff = similar::TextDiff::configure()
        .timeout(std::time::Duration::from_secs(2))
        .diff_lines(before, after);
    let (old, new) = (format!("a/{name}"), format!("b/{name}"));
    let text = diff.unified_diff().header(&old, &new).to_string();
    for text in text.lines() {
        let style = match text.as_bytes().first() {
            Some(b'-') => red,
            Some(b'+') => green,
            _ => Style::new(),
        };
        if !line(&format!("{style}{text}{style:#}")) {
            return;
        }
    }
}
