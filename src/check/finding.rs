use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::config::{Error, FileProblem};
use crate::text::yaml::{Document, Node, Problem, ProblemKind};

use super::fix::Fix;
use super::lint::{Page, errors};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Info,
    /// Probably not what is wanted.
    Warning,
    /// What promtool calls a lint: right, but likely to bite. `--lint-fatal` counts these.
    Lint,
    /// The file is refused.
    Error,
}

impl Severity {
    /// `info`, `warning`, `lint`, `error`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Lint => "lint",
            Self::Error => "error",
        }
    }
}

/// Something to say on a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which check found it: its stable id, and what the check looks for and why.
    pub page: &'static Page,
    /// How bad it is: the page's severity unless the configuration says otherwise.
    pub severity: Severity,
    /// The file's name as it was given.
    pub file: String,
    /// What it is; upstream's text where it has one.
    pub message: String,
    /// The way out, when we know it.
    pub hint: Option<String>,
    /// The rule that it is about, when it is about one.
    pub rule: Option<RuleName>,
    /// Where it is, when it is about a place.
    pub place: Option<FindingPlace>,
    /// Where it is within the expression or template of a scalar.
    pub within: Option<PlaceWithin>,
    /// The edits that repair it, when there is one right answer.
    pub fix: Option<Fix>,
}

/// A rule as findings name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleName {
    /// The name of the group.
    pub group: String,
    /// The alert or the recorded metric; empty when the rule has none.
    pub name: String,
}

/// The part of a file that a finding is about.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingPlace {
    /// The file's whole text.
    pub source: Arc<str>,
    /// The bytes.
    pub bytes: Range<usize>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// The part of a scalar's value that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceWithin {
    /// The bytes of the value.
    pub bytes: Range<usize>,
    /// The line of the value, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl PlaceWithin {
    /// The place of some bytes of a scalar's value.
    pub fn new(value: &str, bytes: Range<usize>) -> Self {
        let start = value.floor_char_boundary(bytes.start.min(value.len()));
        let before = &value[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            bytes,
        }
    }
}

impl Finding {
    /// Something on a whole file, as bad as its page says.
    pub fn new(page: &'static Page, file: &str, message: impl Into<String>) -> Self {
        Self {
            page,
            severity: page.severity,
            file: file.to_owned(),
            message: message.into(),
            hint: None,
            rule: None,
            place: None,
            within: None,
            fix: None,
        }
    }

    /// A file that cannot be read.
    pub fn unreadable(file: &str, reason: impl Into<String>) -> Self {
        Self::new(&errors::UNREADABLE, file, reason)
    }

    /// Something on a place.
    pub(super) fn at(page: &'static Page, file: &str, source: &Arc<str>, problem: Problem) -> Self {
        Self {
            place: Some(FindingPlace {
                source: Arc::clone(source),
                bytes: problem.offset..problem.end_offset.max(problem.offset),
                line: problem.line,
                column: problem.column,
            }),
            hint: problem.hint,
            ..Self::new(page, file, problem.message)
        }
    }

    /// Something on a node of a document.
    pub fn on_node(
        page: &'static Page,
        file: &str,
        document: &Document,
        node: &Node,
        message: impl Into<String>,
    ) -> Self {
        let problem = Problem::new(node.span, message);
        Self::at(page, file, &document.source, problem)
    }

    /// Something on some bytes of a scalar's value: of an expression or a template.
    pub fn in_scalar(
        page: &'static Page,
        file: &str,
        document: &Document,
        node: &Node,
        bytes: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        let value = node.as_str().unwrap_or_default();
        // A finding about all of an expression ends with its last character, not its last line break.
        let last = value.trim_end().len();
        let bytes = bytes.start.min(last)..bytes.end.min(last).max(bytes.start.min(last));
        let start = document.place_in_scalar(node, bytes.start);
        let end = document.place_in_scalar(node, bytes.end);
        let mut problem = Problem::at(start, message);
        problem.end_offset = end.offset.max(start.offset);
        Self {
            within: Some(PlaceWithin::new(value, bytes)),
            ..Self::at(page, file, &document.source, problem)
        }
    }

    /// What a file is refused for; `other` is the page of mistakes that are neither YAML's nor of an
    /// expression or template.
    pub(super) fn refused(
        other: &'static Page,
        file: &str,
        source: &Arc<str>,
        problem: Problem,
    ) -> Self {
        let page = match problem.kind {
            ProblemKind::Syntax => &errors::YAML_SYNTAX,
            ProblemKind::UnknownField => &errors::UNKNOWN_FIELD,
            ProblemKind::DuplicateKey => &errors::DUPLICATE_KEY,
            ProblemKind::WrongType => &errors::WRONG_TYPE,
            ProblemKind::Expression => &errors::EXPRESSION_SYNTAX,
            ProblemKind::Template => &errors::TEMPLATE_SYNTAX,
            ProblemKind::Meaning => other,
        };
        let within = problem
            .within
            .as_ref()
            .map(|within| PlaceWithin::new(&within.value, within.bytes.clone()));
        Self {
            within,
            ..Self::at(page, file, source, problem)
        }
    }

    /// Adds the way out.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the edits that repair it.
    pub fn with_fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    /// Names the rule that it is about.
    pub fn with_rule(mut self, group: &str, name: &str) -> Self {
        self.rule = Some(RuleName {
            group: group.to_owned(),
            name: name.to_owned(),
        });
        self
    }

    /// What a configuration was refused for.
    pub(super) fn of_error(file: &str, error: &Error) -> Vec<Self> {
        match error {
            Error::Invalid(problems) => problems.iter().map(Self::of_problem).collect(),
            Error::Read { .. } => vec![Self::new(&errors::UNREADABLE, file, error.to_string())],
        }
    }

    fn of_problem(problem: &FileProblem) -> Self {
        let FileProblem {
            file,
            source,
            problem,
        } = problem;
        Self::refused(&errors::CONFIG, file, source, problem.clone())
    }

    /// The stable id of the check, such as `W012`.
    pub fn id(&self) -> &'static str {
        self.page.id
    }
}

/// `file:line:column: message`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(
                f,
                "{}:{}:{}: {}",
                self.file, place.line, place.column, self.message
            ),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}
