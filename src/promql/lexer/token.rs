use crate::model::histogram::CounterResetHint;
use crate::promql::ast::{AggregateOp, BinaryOp, PosRange};
use crate::text::quote::quote;

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Token {
    pub(crate) fn pos(self) -> PosRange {
        PosRange::new(self.start, self.end)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Aggregate(AggregateOp),
    At,
    Blank,
    CloseHistogram,
    Colon,
    Comma,
    Duration,
    Eof,
    Eql,
    EqlRegex,
    Error,
    HistogramKey(HistogramKey),
    Identifier,
    Keyword(Keyword),
    LeftBrace,
    LeftBracket,
    LeftParen,
    MetricIdentifier,
    NeqRegex,
    Number,
    Op(BinaryOp),
    OpenHistogram,
    ResetHint(CounterResetHint),
    RightBrace,
    RightBracket,
    RightParen,
    Space,
    String,
    Times,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    Anchored,
    Bool,
    By,
    End,
    Fill,
    FillLeft,
    FillRight,
    GroupLeft,
    GroupRight,
    Ignoring,
    MaxOf,
    MinOf,
    Offset,
    On,
    Range,
    Smoothed,
    Start,
    Step,
    Without,
}

/// The keys of a histogram literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HistogramKey {
    Sum,
    Count,
    Schema,
    Offset,
    NegativeOffset,
    Buckets,
    NegativeBuckets,
    ZeroBucket,
    ZeroBucketWidth,
    CustomValues,
    CounterResetHint,
}

impl HistogramKey {
    pub(crate) const ALL: [(&'static str, Self); 11] = [
        ("sum", Self::Sum),
        ("count", Self::Count),
        ("schema", Self::Schema),
        ("offset", Self::Offset),
        ("n_offset", Self::NegativeOffset),
        ("buckets", Self::Buckets),
        ("n_buckets", Self::NegativeBuckets),
        ("z_bucket", Self::ZeroBucket),
        ("z_bucket_w", Self::ZeroBucketWidth),
        ("custom_values", Self::CustomValues),
        ("counter_reset_hint", Self::CounterResetHint),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(_, key)| *key == self)
            .map_or("", |(name, _)| name)
    }
}

/// The keyword, aggregation, operator or special number that a word is, whatever its case.
pub(crate) fn keyword(word: &str) -> Option<TokenKind> {
    // The longest one has 12 letters.
    if word.len() > 12 {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    Some(match lower.as_str() {
        "and" => TokenKind::Op(BinaryOp::And),
        "or" => TokenKind::Op(BinaryOp::Or),
        "unless" => TokenKind::Op(BinaryOp::Unless),
        "atan2" => TokenKind::Op(BinaryOp::Atan2),
        "inf" | "nan" => TokenKind::Number,
        "offset" => TokenKind::Keyword(Keyword::Offset),
        "smoothed" => TokenKind::Keyword(Keyword::Smoothed),
        "anchored" => TokenKind::Keyword(Keyword::Anchored),
        "by" => TokenKind::Keyword(Keyword::By),
        "without" => TokenKind::Keyword(Keyword::Without),
        "on" => TokenKind::Keyword(Keyword::On),
        "ignoring" => TokenKind::Keyword(Keyword::Ignoring),
        "group_left" => TokenKind::Keyword(Keyword::GroupLeft),
        "group_right" => TokenKind::Keyword(Keyword::GroupRight),
        "bool" => TokenKind::Keyword(Keyword::Bool),
        "fill" => TokenKind::Keyword(Keyword::Fill),
        "fill_left" => TokenKind::Keyword(Keyword::FillLeft),
        "fill_right" => TokenKind::Keyword(Keyword::FillRight),
        "start" => TokenKind::Keyword(Keyword::Start),
        "end" => TokenKind::Keyword(Keyword::End),
        "step" => TokenKind::Keyword(Keyword::Step),
        "range" => TokenKind::Keyword(Keyword::Range),
        "min_of" => TokenKind::Keyword(Keyword::MinOf),
        "max_of" => TokenKind::Keyword(Keyword::MaxOf),
        name => TokenKind::Aggregate(
            AggregateOp::ALL
                .into_iter()
                .find(|op| op.as_str() == name)?,
        ),
    })
}

/// How upstream names a token in "unexpected ...".
pub(crate) fn describe_token(kind: TokenKind, text: &str) -> String {
    match kind {
        TokenKind::Eof => "end of input".to_owned(),
        TokenKind::Error => "error".to_owned(),
        TokenKind::Identifier => format!("identifier {}", quote(text)),
        TokenKind::MetricIdentifier => format!("metric identifier {}", quote(text)),
        TokenKind::String => format!("string {}", shortened(text)),
        TokenKind::Number => format!("number {}", shortened(text)),
        TokenKind::Duration => format!("duration {}", shortened(text)),
        TokenKind::Op(_) | TokenKind::EqlRegex | TokenKind::NeqRegex => format!("<op:{text}>"),
        // compat: upstream's table of names lacks these tokens, so it shows their number in its grammar.
        TokenKind::At => format!("\"<Item 57400>\" <op:{text}>"),
        TokenKind::HistogramKey(key) => {
            format!("\"<Item {}>\" {}", 57_370 + key as u32, shortened(text))
        }
        TokenKind::Aggregate(_) => format!("<aggr:{text}>"),
        TokenKind::Keyword(
            Keyword::Start
            | Keyword::End
            | Keyword::Step
            | Keyword::Range
            | Keyword::MinOf
            | Keyword::MaxOf,
        ) => shortened(text),
        TokenKind::Keyword(_) => format!("<{text}>"),
        _ => shortened(text),
    }
}

/// Go's `%q`, cut to ten characters.
fn shortened(text: &str) -> String {
    if text.len() <= 10 {
        return quote(text);
    }
    let cut = text
        .char_indices()
        .nth(10)
        .map_or(text, |(at, _)| text.get(..at).unwrap_or(text));
    format!("{}...", quote(cut))
}
