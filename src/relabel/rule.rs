use std::fmt;

use thiserror::Error as ThisError;

use crate::model::ValidationScheme;
use crate::text::quote::quote;
use crate::text::regex::{Regex, RegexError};

/// The default of `separator`.
pub(super) const DEFAULT_SEPARATOR: &str = ";";
/// The default of `regex`.
pub(super) const DEFAULT_REGEX: &str = "(.*)";
/// The default of `replacement`.
pub(super) const DEFAULT_REPLACEMENT: &str = "$1";

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Action {
    /// Writes the expanded replacement to the target label when the regex matches.
    #[default]
    Replace,
    /// Drops what does not match.
    Keep,
    /// Drops what matches.
    Drop,
    /// Drops what differs from the target label.
    KeepEqual,
    /// Drops what equals the target label.
    DropEqual,
    /// Writes a hash of the source labels modulo `modulus`.
    HashMod,
    /// Copies labels whose names match to the expanded replacement.
    LabelMap,
    /// Removes labels whose names match.
    LabelDrop,
    /// Removes labels whose names do not match.
    LabelKeep,
    /// Writes the source in lower case.
    Lowercase,
    /// Writes the source in upper case.
    Uppercase,
}

impl Action {
    const ALL: [Self; 11] = [
        Self::Replace,
        Self::Keep,
        Self::Drop,
        Self::KeepEqual,
        Self::DropEqual,
        Self::HashMod,
        Self::LabelMap,
        Self::LabelDrop,
        Self::LabelKeep,
        Self::Lowercase,
        Self::Uppercase,
    ];

    /// Reads the word in the configuration, in any case.
    pub fn parse(word: &str) -> Result<Self, Error> {
        let lower = word.to_lowercase();
        Self::ALL
            .into_iter()
            .find(|action| action.as_str() == lower)
            .ok_or_else(|| Error::UnknownAction(word.to_owned()))
    }

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Keep => "keep",
            Self::Drop => "drop",
            Self::KeepEqual => "keepequal",
            Self::DropEqual => "dropequal",
            Self::HashMod => "hashmod",
            Self::LabelMap => "labelmap",
            Self::LabelDrop => "labeldrop",
            Self::LabelKeep => "labelkeep",
            Self::Lowercase => "lowercase",
            Self::Uppercase => "uppercase",
        }
    }

    const fn writes_target(self) -> bool {
        matches!(
            self,
            Self::Replace
                | Self::HashMod
                | Self::Lowercase
                | Self::Uppercase
                | Self::KeepEqual
                | Self::DropEqual
        )
    }

    const fn takes_no_replacement(self) -> bool {
        matches!(
            self,
            Self::Lowercase | Self::Uppercase | Self::KeepEqual | Self::DropEqual
        )
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a rule is refused. The texts are upstream's.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// `action` was given and empty.
    #[error("relabel action cannot be empty")]
    EmptyAction,
    /// No action has this name.
    #[error("unknown relabel action {}", quote(.0))]
    UnknownAction(String),
    /// `hashmod` without modulus.
    #[error("relabel configuration for hashmod requires non-zero modulus")]
    ZeroModulus,
    /// The action needs a target label.
    #[error("relabel configuration for {0} action requires 'target_label' value")]
    NoTargetLabel(Action),
    /// The target label is no name.
    #[error("{} is invalid 'target_label' for {} action", quote(.0), .1)]
    InvalidTargetLabel(String, Action),
    /// The replacement is no name.
    #[error("{} is invalid 'replacement' for {} action", quote(.0), .1)]
    InvalidReplacement(String, Action),
    /// The action takes no replacement.
    #[error("'replacement' can not be set for {0} action")]
    ReplacementSet(Action),
    /// The action takes nothing else.
    #[error("{0} action requires only 'source_labels' and `target_label`, and no other fields")]
    OnlySourceAndTarget(Action),
    /// The action takes nothing else.
    #[error("{0} action requires only 'regex', and no other fields")]
    OnlyRegex(Action),
}

/// One relabeling rule. [`Rule::default`] holds upstream's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Labels whose values are joined; default none.
    pub source_labels: Vec<String>,
    /// What stands between the joined values; default `;`.
    pub separator: String,
    /// What the joined values, or label names, are matched with, anchored; default `(.*)`.
    pub regex: Regex,
    /// Modulus of `hashmod`; default 0, which `hashmod` refuses.
    pub modulus: u64,
    /// The label that is written; groups of the regex may be used with `replace`.
    pub target_label: String,
    /// What is written; default `$1`.
    pub replacement: String,
    /// What is done; default `replace`.
    pub action: Action,
    /// Which label names are valid; default UTF-8.
    pub validation: ValidationScheme,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            source_labels: Vec::new(),
            separator: DEFAULT_SEPARATOR.to_owned(),
            regex: Regex::anchored(DEFAULT_REGEX).expect("the default pattern is well-formed"),
            modulus: 0,
            target_label: String::new(),
            replacement: DEFAULT_REPLACEMENT.to_owned(),
            action: Action::Replace,
            validation: ValidationScheme::Utf8,
        }
    }
}

impl Rule {
    /// Compiles a pattern the way `regex` is.
    pub fn regex(pattern: &str) -> Result<Regex, RegexError> {
        Regex::anchored(pattern)
    }

    /// Checks that the fields fit the action.
    pub fn validate(&self) -> Result<(), Error> {
        let action = self.action;
        if action == Action::HashMod && self.modulus == 0 {
            return Err(Error::ZeroModulus);
        }
        if action.writes_target() && self.target_label.is_empty() {
            return Err(Error::NoTargetLabel(action));
        }
        if action.writes_target() && !self.is_valid_target() {
            return Err(Error::InvalidTargetLabel(self.target_label.clone(), action));
        }
        if action.takes_no_replacement() && self.replacement != DEFAULT_REPLACEMENT {
            return Err(Error::ReplacementSet(action));
        }
        if action == Action::LabelMap && !self.is_valid_template(&self.replacement) {
            return Err(Error::InvalidReplacement(self.replacement.clone(), action));
        }
        let defaults = self.modulus == 0
            && self.separator == DEFAULT_SEPARATOR
            && self.replacement == DEFAULT_REPLACEMENT;
        if matches!(action, Action::DropEqual | Action::KeepEqual)
            && !(defaults && self.regex.pattern() == DEFAULT_REGEX)
        {
            return Err(Error::OnlySourceAndTarget(action));
        }
        if matches!(action, Action::LabelDrop | Action::LabelKeep)
            && !(defaults && self.source_labels.is_empty() && self.target_label.is_empty())
        {
            return Err(Error::OnlyRegex(action));
        }
        Ok(())
    }

    fn is_valid_target(&self) -> bool {
        if self.action == Action::Replace && self.target_label.contains('$') {
            self.is_valid_template(&self.target_label)
        } else {
            self.validation.is_valid_label_name(&self.target_label)
        }
    }

    /// compat: under UTF-8 names `$` and braces are letters like any other.
    fn is_valid_template(&self, template: &str) -> bool {
        match self.validation {
            ValidationScheme::Utf8 => self.validation.is_valid_label_name(template),
            ValidationScheme::Legacy => is_legacy_template(template),
        }
    }
}

/// Whether `template` is a classic label name in which groups (`$1`, `${1}`) may stand anywhere.
fn is_legacy_template(template: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c == '$' {
            let braced = rest.strip_prefix('{');
            let body = braced.unwrap_or(rest);
            let word = body.find(|c| !is_word(c)).unwrap_or(body.len());
            if word == 0 {
                return false;
            }
            rest = &body[word..];
            if braced.is_some() {
                match rest.strip_prefix('}') {
                    Some(tail) => rest = tail,
                    None => return false,
                }
            }
        } else if !is_word(c) {
            return false;
        }
    }
    !template.is_empty() && !template.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_read_in_any_case() {
        assert_eq!(Action::parse("LabelMap"), Ok(Action::LabelMap));
        assert_eq!(
            Action::parse("nope").unwrap_err().to_string(),
            r#"unknown relabel action "nope""#
        );
    }

    #[test]
    fn fields_that_an_action_ignores_are_refused() {
        let rule = Rule {
            action: Action::LabelDrop,
            separator: ",".to_owned(),
            ..Rule::default()
        };
        assert_eq!(
            rule.validate().unwrap_err().to_string(),
            "labeldrop action requires only 'regex', and no other fields"
        );
        let rule = Rule {
            action: Action::KeepEqual,
            target_label: "a".to_owned(),
            modulus: 3,
            ..Rule::default()
        };
        assert_eq!(
            rule.validate().unwrap_err().to_string(),
            "keepequal action requires only 'source_labels' and `target_label`, and no other fields"
        );
    }
}
