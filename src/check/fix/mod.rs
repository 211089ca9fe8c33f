//! Repairs: edits on byte ranges of a file, so that comments and layout stay.

use std::ops::Range;

/// The edits that repair what a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What they do, such as ``move `severity` under `labels:` ``.
    pub title: String,
    /// The edits, in the order of the file; they do not overlap.
    pub edits: Vec<Edit>,
}

/// One replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The bytes of the file that go away; empty to insert.
    pub bytes: Range<usize>,
    /// What comes in their place.
    pub text: String,
}
