//! Rule files: `groups` of recording and alerting rules, as upstream's `rulefmt` reads and checks them.
//!
//! [`parse`] reports every mistake at its place: an error in an expression stands at the character of
//! the file it is about, also within a block scalar.

mod advice;
mod check;
mod read;
#[cfg(test)]
mod tests;

pub use read::{FileGroup, FileOptions, FileRule, FileRuleKind, RuleGroupFile, parse, read};
