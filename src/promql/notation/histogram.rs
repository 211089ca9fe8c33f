use std::collections::BTreeMap;

use crate::model::FloatHistogram;
use crate::model::histogram::{BucketSpan, CounterResetHint};
use crate::promql::ast::{BinaryOp, PosRange};
use crate::promql::lexer::{HistogramKey, TokenKind};
use crate::promql::parser::{Parser, Unwind};

type Parsed<T> = Result<T, Unwind>;

/// The value of a key.
enum Entry {
    Number(f64),
    Integer(i64),
    Numbers(Vec<f64>),
    Hint(CounterResetHint),
}

impl Parser<'_> {
    /// `{{...}}`
    pub(super) fn parse_histogram(&mut self) -> Parsed<FloatHistogram> {
        self.expect(TokenKind::OpenHistogram)?;
        let mut entries: BTreeMap<HistogramKey, Entry> = BTreeMap::new();
        if self.accept(TokenKind::Space) || self.at(TokenKind::CloseHistogram) {
            self.expect(TokenKind::CloseHistogram)?;
            return Ok(build(entries));
        }
        loop {
            match self.parse_entry() {
                Ok((key, entry)) => {
                    if entries.contains_key(&key) {
                        self.report(
                            PosRange::default(),
                            format!("duplicate key \"{}\" in histogram", key.as_str()),
                        );
                        return Err(Unwind::Abort);
                    }
                    entries.insert(key, entry);
                }
                Err(Unwind::Syntax) if !entries.is_empty() => return self.refuse_entry(),
                Err(unwind) => return Err(unwind),
            }
            if self.accept(TokenKind::CloseHistogram) {
                return Ok(build(entries));
            }
            if !self.accept(TokenKind::Space) {
                return self.refuse_entry();
            }
            if self.accept(TokenKind::CloseHistogram) {
                return Ok(build(entries));
            }
        }
    }

    fn refuse_entry<T>(&mut self) -> Parsed<T> {
        self.refuse(
            "histogram description",
            "histogram description key, e.g. buckets:[5 10 7]",
        )
    }

    fn parse_entry(&mut self) -> Parsed<(HistogramKey, Entry)> {
        let TokenKind::HistogramKey(key) = self.token.kind else {
            return Err(Unwind::Syntax);
        };
        self.advance();
        self.expect(TokenKind::Colon)?;
        let entry = match key {
            HistogramKey::Sum
            | HistogramKey::Count
            | HistogramKey::ZeroBucket
            | HistogramKey::ZeroBucketWidth => Entry::Number(self.parse_signed_number()?),
            HistogramKey::Schema | HistogramKey::Offset | HistogramKey::NegativeOffset => {
                let negative = self.accept(TokenKind::Op(BinaryOp::Sub));
                let (value, _) = self.parse_uint()?;
                let value = i64::try_from(value).unwrap_or(i64::MAX);
                Entry::Integer(if negative { -value } else { value })
            }
            HistogramKey::Buckets | HistogramKey::NegativeBuckets | HistogramKey::CustomValues => {
                Entry::Numbers(self.parse_numbers()?)
            }
            HistogramKey::CounterResetHint => {
                let TokenKind::ResetHint(hint) = self.token.kind else {
                    return Err(Unwind::Syntax);
                };
                self.advance();
                Entry::Hint(hint)
            }
        };
        Ok((key, entry))
    }

    /// `[1 2 3]`
    fn parse_numbers(&mut self) -> Parsed<Vec<f64>> {
        self.expect(TokenKind::LeftBracket)?;
        let mut numbers = vec![self.parse_signed_number()?];
        loop {
            if self.accept(TokenKind::RightBracket) {
                return Ok(numbers);
            }
            self.expect(TokenKind::Space)?;
            if self.accept(TokenKind::RightBracket) {
                return Ok(numbers);
            }
            numbers.push(self.parse_signed_number()?);
        }
    }
}

fn build(entries: BTreeMap<HistogramKey, Entry>) -> FloatHistogram {
    let mut histogram = FloatHistogram::default();
    let (mut offset, mut negative_offset) = (0, 0);
    for (key, entry) in entries {
        match (key, entry) {
            (HistogramKey::Sum, Entry::Number(v)) => histogram.sum = v,
            (HistogramKey::Count, Entry::Number(v)) => histogram.count = v,
            (HistogramKey::ZeroBucket, Entry::Number(v)) => histogram.zero_count = v,
            (HistogramKey::ZeroBucketWidth, Entry::Number(v)) => histogram.zero_threshold = v,
            (HistogramKey::Schema, Entry::Integer(v)) => histogram.schema = v as i32,
            (HistogramKey::Offset, Entry::Integer(v)) => offset = v as i32,
            (HistogramKey::NegativeOffset, Entry::Integer(v)) => negative_offset = v as i32,
            (HistogramKey::Buckets, Entry::Numbers(v)) => histogram.positive_buckets = v,
            (HistogramKey::NegativeBuckets, Entry::Numbers(v)) => histogram.negative_buckets = v,
            (HistogramKey::CustomValues, Entry::Numbers(v)) => histogram.custom_values = v.into(),
            (HistogramKey::CounterResetHint, Entry::Hint(v)) => histogram.counter_reset_hint = v,
            _ => {}
        }
    }
    histogram.positive_spans = one_span(offset, histogram.positive_buckets.len());
    histogram.negative_spans = one_span(negative_offset, histogram.negative_buckets.len());
    histogram
}

fn one_span(offset: i32, length: usize) -> Vec<BucketSpan> {
    match u32::try_from(length) {
        Ok(0) | Err(_) => Vec::new(),
        Ok(length) => vec![BucketSpan { offset, length }],
    }
}
