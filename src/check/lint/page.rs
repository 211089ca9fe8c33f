use std::fmt::Write as _;

use crate::check::Severity;

/// What a check looks for, and what its findings mean. Ids are stable: they are never given to another
/// check.
#[derive(Debug, PartialEq)]
pub struct Page {
    /// `E...` refuses the file, `W...` does not.
    pub id: &'static str,
    /// A name for people, in kebab case; comments and configuration take it as well as the id.
    pub name: &'static str,
    /// How bad a finding is unless the configuration says otherwise.
    pub severity: Severity,
    /// Whether it looks at anything without being asked for by configuration or flag.
    pub on_by_default: bool,
    /// The check of pint that it answers to, for `# pint disable` comments.
    pub pint: Option<&'static str>,
    /// What it looks for, in a line.
    pub summary: &'static str,
    /// What goes wrong when the finding is left alone, and when it is right to leave it.
    pub why: &'static str,
    /// Something that is found.
    pub bad: &'static str,
    /// The same, mended.
    pub good: &'static str,
}

impl Page {
    /// A page with every part that most checks need.
    pub const fn new(
        id: &'static str,
        name: &'static str,
        severity: Severity,
        summary: &'static str,
    ) -> Self {
        Self {
            id,
            name,
            severity,
            on_by_default: true,
            pint: None,
            summary,
            why: "",
            bad: "",
            good: "",
        }
    }

    /// Adds what goes wrong.
    pub const fn why(mut self, why: &'static str) -> Self {
        self.why = why;
        self
    }

    /// Adds something that is found, and the same mended.
    pub const fn example(mut self, bad: &'static str, good: &'static str) -> Self {
        self.bad = bad;
        self.good = good;
        self
    }

    /// Names the check of pint.
    pub const fn pint(mut self, pint: &'static str) -> Self {
        self.pint = Some(pint);
        self
    }

    /// It looks at nothing until it is asked to.
    pub const fn on_demand(mut self) -> Self {
        self.on_by_default = false;
        self
    }

    /// Whether `word` of a comment or of a configuration means this check.
    pub fn is_called(&self, word: &str) -> bool {
        word.eq_ignore_ascii_case(self.id) || word == self.name
    }

    /// The whole page as Markdown: what, why, an example, how to silence it.
    pub fn text(&self) -> String {
        let Self {
            id,
            name,
            summary,
            why,
            ..
        } = self;
        let mut text = format!("# {id} {name}\n\n{summary}\n");
        let _ = writeln!(text, "\nSeverity: {}.", self.severity.as_str());
        if !self.on_by_default {
            text.push_str("Looks at nothing until it is asked to by configuration or flag.\n");
        }
        let _ = writeln!(text, "\n## Why\n\n{why}");
        if !self.bad.is_empty() {
            let _ = writeln!(
                text,
                "\n## Example\n\n```yaml\n{}\n```",
                self.bad.trim_end()
            );
        }
        if !self.good.is_empty() {
            let _ = writeln!(text, "\nBetter:\n\n```yaml\n{}\n```", self.good.trim_end());
        }
        let _ = writeln!(text, "\n## How to silence it\n\n{}", self.silence());
        text
    }

    fn silence(&self) -> String {
        let Self { id, name, .. } = self;
        if id.starts_with('E') {
            return "It cannot be silenced: the file is refused by every program that reads it."
                .to_owned();
        }
        format!(
            "For one rule or route, a comment above or in it: `# watchfire ignore {id} reason`.\n\
             For a whole file: `# watchfire ignore-file {id} reason`.\n\
             Everywhere, in `watchfire.yml`:\n\n```yaml\nlint:\n  severities:\n    {name}: off\n```"
        )
    }
}
