/// Why a template could not be parsed or executed. The text is Go's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no template: `template: NAME:LINE: ...`.
    #[error("{message}")]
    Parse {
        /// Go's text, with the template's name and the line.
        message: String,
        /// The line, from 1; 0 when unknown.
        line: usize,
        /// Where in the text the parser stood, in bytes.
        offset: usize,
    },
    /// Execution failed: `template: NAME:LINE:COLUMN: executing "NAME" at <NODE>: ...`.
    #[error("{message}")]
    Execute {
        /// Go's text, with the place.
        message: String,
        /// Where in the text the failing node stands, in bytes.
        offset: usize,
    },
    /// A template cannot be escaped safely for HTML: `html/template:NAME:LINE:COLUMN: ...`.
    #[error("{message}")]
    Escape {
        /// Go's text, with the place.
        message: String,
    },
    /// No template of this name was defined.
    #[error("template: no template {name:?} associated with template {within:?}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The set it was looked for in.
        within: String,
    },
    /// An error with upstream's words around it, such as `error parsing template NAME: ...`.
    #[error("{context}: {source}")]
    Context {
        /// What was being done.
        context: String,
        /// What went wrong.
        #[source]
        source: Box<Error>,
    },
}

impl Error {
    /// Puts upstream's words before the error.
    pub(crate) fn within(self, context: String) -> Self {
        Self::Context {
            context,
            source: Box::new(self),
        }
    }

    /// Where in the template's text the error stands, in bytes, if known.
    pub fn offset(&self) -> Option<usize> {
        match self {
            Self::Parse { offset, .. } | Self::Execute { offset, .. } => Some(*offset),
            Self::Context { source, .. } => source.offset(),
            Self::Escape { .. } | Self::Unknown { .. } => None,
        }
    }
}
