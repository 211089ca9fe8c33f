use thiserror::Error as ThisError;

/// Why the daemon did not start, or does not take a configuration.
#[derive(Debug, Clone, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A configuration file is wrong, or cannot be read.
    #[error("{0}")]
    Config(String),
    /// A configuration asks for something that is not there; the hint is in the text.
    #[error("{0}")]
    Unsupported(String),
    /// The store could not be opened.
    #[error("opening storage failed: {0}")]
    Storage(String),
    /// An option of the command line is wrong.
    #[error("{0}")]
    Option(String),
    /// A socket could not be had.
    #[error("{0}")]
    Socket(String),
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Socket(error.to_string())
    }
}
