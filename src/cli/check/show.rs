//! Findings on the terminal: message, place, the line itself, and the way out.

use std::io::{IsTerminal as _, Write as _};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::check::{Finding, Severity};
use crate::cli::output;

/// Files larger than this are shown without the line, as drawing it would take long.
const SNIPPET_BYTES_MAX: usize = 4 << 20;

/// Lines around a finding that the drawing may need.
const CONTEXT_LINES: usize = 2;

/// promtool's word before what is wrong.
pub(super) fn failed() {
    plain("  FAILED:");
}

/// A line on standard error.
pub(super) fn plain(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Shows a finding with the line it is about.
pub(super) fn finding(finding: &Finding) {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Lint => Level::WARNING.with_name("lint"),
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let title = finding.to_string();
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut group = Group::with_title(level.primary_title(&title));
    if let Some(place) = &finding.place
        && place.source.len() <= SNIPPET_BYTES_MAX
    {
        let window = Window::around(&place.source, place.bytes.start, place.bytes.end);
        group = group.element(
            Snippet::source(window.text)
                .path(&finding.file)
                .line_start(window.first_line)
                .fold(true)
                .annotation(AnnotationKind::Primary.span(window.start..window.end)),
        );
    }
    groups.push(group);
    if let Some(hint) = &finding.hint {
        groups.push(Group::with_title(Level::HELP.secondary_title(hint)));
    }
    let renderer = if std::io::stderr().is_terminal() {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    plain(&renderer.render(&groups));
}

/// The lines around a finding, so that drawing does not look at the whole file.
struct Window<'s> {
    text: &'s str,
    first_line: usize,
    start: usize,
    end: usize,
}

impl<'s> Window<'s> {
    fn around(source: &'s str, start: usize, end: usize) -> Self {
        let start = source.floor_char_boundary(start.min(source.len()));
        // A finding over many lines is shown at its first.
        let line_end = source[start..]
            .find('\n')
            .map_or(source.len(), |at| start + at);
        let end = source.floor_char_boundary(end.clamp(start, line_end));
        let mut from = source[..start].rfind('\n').map_or(0, |at| at + 1);
        for _ in 0..CONTEXT_LINES {
            from = match from.checked_sub(1) {
                Some(before) => source[..before].rfind('\n').map_or(0, |at| at + 1),
                None => break,
            };
        }
        let first_line = source[..from].bytes().filter(|b| *b == b'\n').count() + 1;
        Self {
            text: &source[from..line_end],
            first_line,
            start: start - from,
            end: (end - from).max(start - from),
        }
    }
}

/// promtool's table of metrics and their series.
pub(super) fn cardinality(metrics: &[(String, usize)]) {
    let total: usize = metrics.iter().map(|(_, series)| series).sum();
    let mut rows: Vec<[String; 3]> =
        vec![["Metric".into(), "Cardinality".into(), "Percentage".into()]];
    for (metric, series) in metrics {
        let share = *series as f64 * 100.0 / total as f64;
        rows.push([metric.clone(), series.to_string(), format!("{share:.2}%")]);
    }
    rows.push(["Total".into(), total.to_string(), "100%".into()]);
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0) + 4;
    let (first, second, third) = (width(0), width(1), width(2));
    for [metric, series, share] in &rows {
        if !output::line(&format!("{metric:first$}{series:second$}{share:third$}")) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_around_a_finding_are_drawn() {
        let source = "1\n2\n3\n4 é x\n5\n";
        let start = source.find('x').unwrap();
        let window = Window::around(source, start, source.len());
        assert_eq!(window.text, "2\n3\n4 é x");
        assert_eq!(window.first_line, 2);
        assert_eq!(&window.text[window.start..window.end], "x");
        for at in 0..=source.len() + 3 {
            Window::around(source, at, at + 100);
        }
        Window::around("", 0, 0);
    }
}
