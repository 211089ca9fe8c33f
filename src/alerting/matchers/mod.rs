//! Alertmanager's label matchers: their two syntaxes and their text.
//!
//! They differ from PromQL's ([`crate::model::Matcher`]): a dot does not match a newline, values may
//! stand without quotes, and the text form is what route keys are made of.

mod classic;
mod lexer;
mod utf8;

use std::cmp::Ordering;
use std::fmt;

use super::Error;
use crate::model::{Labels, MatchOp};
use crate::text::quote::quote;
use crate::text::regex::Regex;

pub use classic::{parse_matcher as parse_classic_matcher, parse_matchers as parse_classic};
pub use utf8::{parse_matcher as parse_utf8_matcher, parse_matchers as parse_utf8};

/// Which syntax is understood, as the feature flags `classic-mode` and `utf8-strict-mode` choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Syntax {
    /// Both: UTF-8 first, the classic one where it fails or where the two disagree.
    #[default]
    Fallback,
    /// The UTF-8 syntax alone.
    Utf8,
    /// The classic syntax alone.
    Classic,
}

impl Syntax {
    /// What `--enable-feature` chooses.
    pub fn of_features(has: impl Fn(&str) -> bool) -> Self {
        match (has("classic-mode"), has("utf8-strict-mode")) {
            (true, _) => Self::Classic,
            (_, true) => Self::Utf8,
            _ => Self::Fallback,
        }
    }

    /// Whether a text may be a label's name.
    pub fn is_label_name(self, name: &str) -> bool {
        match self {
            Self::Classic => crate::model::labels::is_legacy_name(name),
            Self::Fallback | Self::Utf8 => !name.is_empty(),
        }
    }
}

/// A condition on one label; an absent label counts as empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// How it is compared.
    pub op: MatchOp,
    /// What it is compared with.
    pub value: String,
    regex: Option<Regex>,
}

impl Matcher {
    /// Builds a matcher; patterns are anchored at both ends.
    pub fn new(
        op: MatchOp,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, Error> {
        let value = value.into();
        let regex = match op {
            // compat: a dot does not match a newline here, unlike in PromQL.
            MatchOp::Regex | MatchOp::NotRegex => {
                Some(Regex::unanchored(&format!("^(?:{value})$"))?)
            }
            MatchOp::Equal | MatchOp::NotEqual => None,
        };
        Ok(Self {
            name: name.into(),
            op,
            value,
            regex,
        })
    }

    /// Whether a label of this value fulfils the condition.
    pub fn matches(&self, value: &str) -> bool {
        match (self.op, &self.regex) {
            (MatchOp::Equal, _) => value == self.value,
            (MatchOp::NotEqual, _) => value != self.value,
            (MatchOp::Regex, Some(re)) => re.is_match(value),
            (MatchOp::NotRegex, Some(re)) => !re.is_match(value),
            (MatchOp::Regex | MatchOp::NotRegex, None) => false,
        }
    }

    /// Whether the operator is one of the two with a pattern.
    pub fn is_regex(&self) -> bool {
        matches!(self.op, MatchOp::Regex | MatchOp::NotRegex)
    }

    /// Whether the operator is one of the two without a negation.
    pub fn is_equal(&self) -> bool {
        matches!(self.op, MatchOp::Equal | MatchOp::Regex)
    }
}

/// compat: the name is quoted only where it holds a character that the UTF-8 syntax reserves.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(lexer::is_reserved) {
            return write!(
                f,
                "{}{}{}",
                quote(&self.name),
                self.op.as_str(),
                quote(&self.value)
            );
        }
        write!(f, "{}{}\"", self.name, self.op.as_str())?;
        for c in self.value.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '"' => f.write_str("\\\"")?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

/// Several matchers that must all hold; text form `{a="b",c!="d"}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matchers(pub Vec<Matcher>);

impl Matchers {
    /// Whether every matcher holds; none at all always do.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0
            .iter()
            .all(|m| m.matches(labels.get(&m.name).unwrap_or_default()))
    }

    /// Sorts as upstream does: by name, value, operator.
    pub fn sort(&mut self) {
        self.0.sort_by(compare);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Matchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, matcher) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            write!(f, "{matcher}")?;
        }
        f.write_str("}")
    }
}

fn compare(a: &Matcher, b: &Matcher) -> Ordering {
    (&a.name, &a.value, a.op).cmp(&(&b.name, &b.value, b.op))
}

/// Parses any number of matchers, with or without braces around them.
pub fn parse_matchers(syntax: Syntax, input: &str) -> Result<Vec<Matcher>, Error> {
    match syntax {
        Syntax::Utf8 => parse_utf8(input),
        Syntax::Classic => parse_classic(input),
        Syntax::Fallback => choose(parse_utf8(input), parse_classic(input)),
    }
}

/// Parses exactly one matcher, without braces.
pub fn parse_matcher(syntax: Syntax, input: &str) -> Result<Matcher, Error> {
    // compat: only the classic parser takes a lone matcher with a brace.
    if syntax != Syntax::Classic && (input.starts_with('{') || input.ends_with('}')) {
        return Err(Error::BadMatcher(format!(
            "unexpected open or close brace: {input}"
        )));
    }
    match syntax {
        Syntax::Utf8 => parse_utf8_matcher(input),
        Syntax::Classic => parse_classic_matcher(input),
        Syntax::Fallback => choose(parse_utf8_matcher(input), parse_classic_matcher(input)),
    }
}

/// compat: when both refuse, the classic parser's text is shown; when they differ, it wins.
fn choose<T: PartialEq>(utf8: Result<T, Error>, classic: Result<T, Error>) -> Result<T, Error> {
    match (utf8, classic) {
        (Ok(utf8), Ok(classic)) => Ok(if utf8 == classic { utf8 } else { classic }),
        (Ok(utf8), Err(_)) => Ok(utf8),
        (Err(_), classic) => classic,
    }
}

/// Matchers that [`Syntax::Fallback`] understands as the classic parser does, because the UTF-8 parser refuses them
/// or reads something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FellBack {
    /// What the UTF-8 parser says; none when it reads something else.
    pub refused: Option<Error>,
    /// The same matchers in words that both parsers read alike.
    pub suggestion: String,
}

impl fmt::Display for FellBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.refused {
            Some(error) => write!(f, "only the classic syntax understands this ({error})"),
            None => f.write_str("the UTF-8 syntax reads this differently; the classic one holds"),
        }
    }
}

/// Whether [`Syntax::Fallback`] falls back for a text, one matcher or several.
pub fn fell_back(input: &str) -> Option<FellBack> {
    let classic = parse_classic(input).ok()?;
    let utf8 = parse_utf8(input);
    if utf8.as_ref() == Ok(&classic) {
        return None;
    }
    let suggestion = classic.iter().map(ToString::to_string).collect::<Vec<_>>();
    Some(FellBack {
        refused: utf8.err(),
        suggestion: suggestion.join(","),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_form_quotes_only_reserved_names() {
        let plain = Matcher::new(MatchOp::Equal, "foo", "a\"b\n").expect("valid");
        assert_eq!(plain.to_string(), r#"foo="a\"b\n""#);
        let spaced = Matcher::new(MatchOp::NotEqual, "foo bar", "x").expect("valid");
        assert_eq!(spaced.to_string(), r#""foo bar"!="x""#);
    }

    #[test]
    fn the_classic_reading_wins_where_the_two_differ() {
        let parsed = parse_matchers(Syntax::Fallback, r"{foo=bar\n}").expect("classic accepts");
        assert_eq!(parsed[0].value, "bar\n");
        let utf8 = parse_matchers(Syntax::Fallback, "{\"foo bar\"=baz}").expect("utf8 accepts");
        assert_eq!(utf8[0].name, "foo bar");
    }

    #[test]
    fn falling_back_is_told_with_words_that_both_parsers_understand() {
        for (input, suggestion, refused) in [
            ("foo==bar", r#"foo="=bar""#, true),
            ("foo=a b", r#"foo="a b""#, true),
            (r"foo=bar\n", r#"foo="bar\n""#, true),
            (r#"foo="\t""#, r#"foo="\\t""#, false),
        ] {
            let told = fell_back(input).expect(input);
            assert_eq!(told.suggestion, suggestion);
            assert_eq!(told.refused.is_some(), refused, "{input}: {told}");
            assert_eq!(fell_back(&told.suggestion), None, "{suggestion}");
        }
        for fine in ["foo=bar", "{foo=~\"a|b\",x!=y}", "\"ü y\"=1", "no matcher"] {
            assert_eq!(fell_back(fine), None, "{fine}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_input_hurts_the_parsers(input in r#"[a-c{}"'`=!~,\\ \néx*\[(]{0,24}"#) {
            for syntax in [Syntax::Fallback, Syntax::Utf8, Syntax::Classic] {
                let _ = parse_matchers(syntax, &input);
                let _ = parse_matcher(syntax, &input);
            }
        }

        #[test]
        fn printed_matchers_read_back(name in "[a-z ]{1,8}", value in r#"[a-z"\\\n,}é]{0,8}"#) {
            let matcher = Matcher::new(MatchOp::Equal, name, value).expect("no pattern");
            let read = parse_utf8(&matcher.to_string()).expect("own text parses");
            prop_assert_eq!(read, vec![matcher]);
        }
    }
}
