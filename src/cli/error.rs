use std::fmt;
use std::process::ExitCode;

/// Why a verb failed, what the user can do, and the exit code.
#[derive(Debug)]
pub struct Error {
    text: String,
    hint: String,
    code: u8,
}

impl Error {
    /// An error that ends the program with 1.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            hint: String::new(),
            code: 1,
        }
    }

    /// Says what the user can do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Ends the program with another code.
    #[must_use]
    pub fn with_code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// What the user can do; empty when there is nothing to say.
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// The program's exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
