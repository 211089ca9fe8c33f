//! Findings for logs: drawn as the crate for terminals draws them, twenty times as fast. A run in CI that
//! finds thousands spends its time there otherwise.

use std::fmt::Write as _;

use super::{Finding, SNIPPET_BYTES_MAX, Severity, Window, way_out};
use crate::cli::check::format::secrets::hidden;

/// Lines of logs are not cut.
pub(super) const WIDTH: usize = 10_000;

/// The text of a finding about a stretch of one line; nothing for those that take more care: other letters
/// than ASCII, tabs, texts of several lines.
pub(super) fn draw(finding: &Finding, notes: &[String]) -> Option<String> {
    let place = finding.place.as_ref()?;
    if place.source.len() > SNIPPET_BYTES_MAX {
        return None;
    }
    let window = Window::around(&place.source, place.bytes.start, place.bytes.end);
    let (from, end) = (window.text.rfind('\n').map_or(0, |at| at + 1), window.end);
    let shown = hidden(window.text);
    let line = &shown[from..];
    let column = window.start.checked_sub(from)?;
    let is_plain = |text: &str| text.bytes().all(|b| matches!(b, b' '..=b'~'));
    let title = finding.to_string();
    let hint = way_out(finding);
    let texts = [&title, &finding.file].into_iter().chain(hint);
    if !is_plain(line)
        || line.trim().is_empty()
        || line.len() >= WIDTH / 2
        || texts.chain(notes).any(|text| text.contains('\n'))
        || place.line == 0
    {
        return None;
    }
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Lint => "lint",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let number = place.line.to_string();
    let gutter = number.len();
    let marked = end.saturating_sub(window.start).max(1);
    let mut out = String::with_capacity(512);
    let _ = write!(
        out,
        "{level}[{}]: {title}\n{:gutter$}--> {}:{number}:{}\n{:gutter$} |\n{number} | {}\n{:gutter$} | {:column$}{:^<marked$}\n{:gutter$} |",
        finding.id(),
        "",
        finding.file,
        column + 1,
        "",
        line.trim_end(),
        "",
        "",
        "",
        "",
    );
    for note in notes {
        let _ = write!(out, "\n{:gutter$} = note: {note}", "");
    }
    if let Some(hint) = hint {
        let _ = write!(out, "\nhelp: {hint}");
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use annotate_snippets::Renderer;

    use super::*;
    use crate::check::rules;
    use crate::cli::check::format::human::{notes, with_snippet};
    use crate::rules::file::FileOptions;

    #[test]
    fn logs_look_as_terminals_do() {
        let mut compared = 0;
        for rule in [
            "  - alert: A\n    expr: up{\n",
            "  - alert: A\n    expr: |\n      sum(up)\n        / foo bar\n    severity: x\n",
            "  - alert: A\n    expr: up\n    labels: {a: '{{ $x }}'}\n",
            "  - alert: A\n    expr: \"up{é='a'} foo\"\n",
            "  - alert: A\n    record: b\n    expr: up\n    for: 5x\n",
            "  - alert: A\n\t expr: up\n",
            "  - record: b\n    expr: up\n  - record: b\n    expr: up\n",
        ] {
            for lines in [0, 8, 97, 995] {
                let head = "# a line\n".repeat(lines);
                let text = format!("{head}groups:\n- name: g\n  rules:\n{rule}");
                let report = rules("r.yml", text.as_bytes(), &FileOptions::default(), true);
                for finding in &report.findings {
                    let notes = notes(finding, None);
                    let Some(drawn) = draw(finding, &notes) else {
                        continue;
                    };
                    let renderer = Renderer::plain().term_width(WIDTH);
                    assert_eq!(drawn, with_snippet(finding, &notes, &renderer));
                    compared += 1;
                }
            }
        }
        assert!(compared > 20, "{compared}");
    }
}
