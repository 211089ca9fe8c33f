//! Findings on the terminal: message, place, the line itself, and the way out.

use std::io::{IsTerminal as _, Write as _};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::check::lint;
use crate::check::source::Origin;
use crate::check::{Finding, Severity};
use crate::cli::check::outcome::{Checked, Outcome};
use crate::cli::output;

mod log;

/// Files larger than this are shown without the line, as drawing it would take long.
const SNIPPET_BYTES_MAX: usize = 4 << 20;

/// Lines around a finding that the drawing may need.
const CONTEXT_LINES: usize = 2;

/// Shows what was checked as promtool does, and every finding with the line it is about.
pub(super) fn outcome(outcome: &Outcome) {
    for checked in &outcome.checked {
        file(checked);
    }
    if let Some(changes) = &outcome.changes {
        super::changes::show(changes);
    }
    let summary = [
        (outcome.skipped, "Files of folders without rules"),
        (outcome.known, "Findings that the baseline knows"),
    ];
    for (count, what) in summary {
        if count > 0 {
            output::line(&format!("{what}: {count}"));
        }
    }
    if outcome.lints_left && std::io::stderr().is_terminal() {
        let count = lint::catalogue().len();
        plain(&format!(
            "hint: --lint=all looks for more than promtool does, such as alerts that can never fire ({count} checks: watchfire explain)"
        ));
    }
}

fn file(checked: &Checked) {
    let shown = if checked.name == "-" {
        "standard input"
    } else {
        &checked.name
    };
    output::line(&format!("Checking {shown}"));
    let (errors, lints) = (checked.has(Severity::Error), checked.has(Severity::Lint));
    if errors || lints {
        // promtool's word before what is wrong.
        plain("  FAILED:");
    }
    // One write for all: there may be thousands.
    let drawn = checked.findings.iter();
    let drawn: Vec<String> = drawn
        .map(|finding| draw(finding, checked.origin_of(finding)))
        .collect();
    if !drawn.is_empty() {
        plain(&drawn.join("\n"));
    }
    let mut lines = Vec::new();
    if !errors {
        lines.extend(&checked.no_error);
        if !lints {
            lines.extend(&checked.success);
        }
    }
    for line in lines {
        output::line(line);
    }
    output::line("");
}

/// A line on standard error.
pub(in crate::cli::check) fn plain(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Shows a finding.
pub(in crate::cli::check) fn finding(finding: &Finding, origin: Option<&Origin>) {
    plain(&draw(finding, origin));
}

/// A finding: what it is and where, in the file and in the expression; what it means and what to do.
fn draw(finding: &Finding, origin: Option<&Origin>) -> String {
    let notes = notes(finding, origin);
    if std::io::stderr().is_terminal() {
        return with_snippet(finding, &notes, &Renderer::styled());
    }
    log::draw(finding, &notes)
        .unwrap_or_else(|| with_snippet(finding, &notes, &Renderer::plain().term_width(log::WIDTH)))
}

/// The way out: the hint, or what the fix does.
fn way_out(finding: &Finding) -> Option<&String> {
    let title = finding.fix.as_ref().map(|fix| &fix.title);
    finding.hint.as_ref().or(title)
}

fn with_snippet(finding: &Finding, notes: &[String], renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Lint => Level::WARNING.with_name("lint"),
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let title = finding.to_string();
    let mut group = Group::with_title(level.primary_title(&title).id(finding.id()));
    if let Some(place) = &finding.place
        && place.source.len() <= SNIPPET_BYTES_MAX
    {
        let window = Window::around(&place.source, place.bytes.start, place.bytes.end);
        group = group.element(
            Snippet::source(super::secrets::hidden(window.text))
                .path(&finding.file)
                .line_start(place.line.saturating_sub(window.lines_above).max(1))
                .fold(true)
                .annotation(AnnotationKind::Primary.span(window.start..window.end)),
        );
    }
    for note in notes {
        group = group.element(Level::NOTE.message(note));
    }
    let mut groups = vec![group];
    if let Some(hint) = way_out(finding) {
        groups.push(Group::with_title(Level::HELP.secondary_title(hint)));
    }
    renderer.render(&groups)
}

/// What else there is to say: the rule, the place in the expression, the object, the meaning.
fn notes(finding: &Finding, origin: Option<&Origin>) -> Vec<String> {
    let mut notes = Vec::new();
    let mut of = Vec::new();
    if let Some(rule) = &finding.rule {
        of.push(format!("rule {} of group {}", rule.name, rule.group));
    }
    if let Some(within) = &finding.within {
        of.push(format!(
            "line {}, column {} of the expression",
            within.line, within.column
        ));
    }
    if !of.is_empty() {
        notes.push(of.join(", "));
    }
    notes.extend(origin.map(|origin| format!("in {}", origin.name)));
    notes.push(format!(
        "{} (watchfire explain {})",
        finding.page.summary,
        finding.id()
    ));
    notes
}

/// The lines around a finding, so that drawing does not look at the whole file.
struct Window<'s> {
    text: &'s str,
    /// Lines in it above the finding. Counting all lines above would take long for files with many.
    lines_above: usize,
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
        let lines_above = source[from..start].matches('\n').count();
        Self {
            text: &source[from..line_end],
            lines_above,
            start: start - from,
            end: (end - from).max(start - from),
        }
    }
}

/// promtool's table of metrics and their series.
pub(in crate::cli::check) fn cardinality(metrics: &[(String, usize)]) {
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
        assert_eq!(window.lines_above, 2);
        assert_eq!(&window.text[window.start..window.end], "x");
        for at in 0..=source.len() + 3 {
            Window::around(source, at, at + 100);
        }
        Window::around("", 0, 0);
    }
}
