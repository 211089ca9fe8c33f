use std::fmt;
use std::sync::Arc;

use thiserror::Error as ThisError;

use crate::text::yaml::Problem;

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("{reason}")]
    Read {
        /// Which file.
        path: String,
        /// Why: the text of the system.
        reason: String,
    },
    /// Files were read and are wrong; there is at least one problem.
    #[error("{}", lines(.0))]
    Invalid(Vec<FileProblem>),
}

impl Error {
    /// All that is wrong; empty when a file could not be read.
    pub fn problems(&self) -> &[FileProblem] {
        match self {
            Self::Invalid(problems) => problems,
            Self::Read { .. } => &[],
        }
    }
}

/// A mistake and the file it is in.
#[derive(Debug, Clone, PartialEq)]
pub struct FileProblem {
    /// The file's name as it was given.
    pub file: String,
    /// The whole text of the file, to show the line.
    pub source: Arc<str>,
    /// The mistake.
    pub problem: Problem,
}

impl FileProblem {
    /// Puts a file's name and text to each mistake.
    pub fn all(file: &str, source: &Arc<str>, problems: Vec<Problem>) -> Vec<Self> {
        problems
            .into_iter()
            .map(|problem| Self {
                file: file.to_owned(),
                source: Arc::clone(source),
                problem,
            })
            .collect()
    }
}

/// As upstream says it, followed by the place.
impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem {
            message,
            line,
            column,
            ..
        } = &self.problem;
        write!(
            f,
            "parsing YAML file {}: {message} (line {line}, column {column})",
            self.file
        )
    }
}

fn lines(problems: &[FileProblem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
