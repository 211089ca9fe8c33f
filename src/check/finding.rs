use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::config::{Error, FileProblem};
use crate::text::yaml::Problem;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Info,
    /// Probably not what is wanted.
    Warning,
    /// A lint: right, but likely to bite.
    Lint,
    /// The file is refused.
    Error,
}

/// Something to say on a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file's name as it was given.
    pub file: String,
    /// What it is; upstream's text where it has one.
    pub message: String,
    /// The way out, when we know it.
    pub hint: Option<String>,
    /// Where it is, when it is about a place.
    pub place: Option<FindingPlace>,
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

impl Finding {
    /// Something on a whole file.
    pub fn new(severity: Severity, file: &str, message: impl Into<String>) -> Self {
        Self {
            severity,
            file: file.to_owned(),
            message: message.into(),
            hint: None,
            place: None,
        }
    }

    /// Something on a place.
    pub(super) fn at(severity: Severity, file: &str, source: &Arc<str>, problem: Problem) -> Self {
        Self {
            severity,
            file: file.to_owned(),
            place: Some(FindingPlace {
                source: Arc::clone(source),
                bytes: problem.offset..problem.end_offset.max(problem.offset),
                line: problem.line,
                column: problem.column,
            }),
            message: problem.message,
            hint: problem.hint,
        }
    }

    /// Adds the way out.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What a configuration was refused for.
    pub(super) fn of_error(file: &str, error: &Error) -> Vec<Self> {
        match error {
            Error::Invalid(problems) => problems.iter().map(Self::of_problem).collect(),
            Error::Read { .. } => vec![Self::new(Severity::Error, file, error.to_string())],
        }
    }

    fn of_problem(problem: &FileProblem) -> Self {
        let FileProblem {
            file,
            source,
            problem,
        } = problem;
        Self::at(Severity::Error, file, source, problem.clone())
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
