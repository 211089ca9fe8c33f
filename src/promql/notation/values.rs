use std::sync::Arc;

use crate::model::{FloatHistogram, Labels, stale_nan};
use crate::promql::ast::{BinaryOp, PosRange};
use crate::promql::lexer::{Token, TokenKind};
use crate::promql::parser::{Parser, Unwind};

use super::SequenceValue;

/// More values in one line are refused.
const MAX_VALUES: usize = 2_000_000;

type Parsed<T> = Result<T, Unwind>;

impl Parser<'_> {
    /// A series and its values.
    pub(super) fn parse_series_description(&mut self) -> Option<(Labels, Vec<SequenceValue>)> {
        let labels = match self.parse_metric() {
            Ok(labels) => labels,
            Err(unwind) => {
                self.give_up(unwind);
                return None;
            }
        };
        match self.parse_values() {
            Ok(values) => Some((labels, values)),
            Err(Unwind::Syntax) => {
                self.unexpected("series values", "");
                None
            }
            Err(Unwind::Abort) => None,
        }
    }

    fn parse_values(&mut self) -> Parsed<Vec<SequenceValue>> {
        let mut values = Vec::new();
        while !self.accept(TokenKind::Eof) {
            self.expect(TokenKind::Space)?;
            if self.at(TokenKind::Space) || self.at(TokenKind::Eof) {
                continue;
            }
            self.parse_item(&mut values)?;
        }
        Ok(values)
    }

    fn parse_item(&mut self, values: &mut Vec<SequenceValue>) -> Parsed<()> {
        match self.token.kind {
            TokenKind::Blank => {
                self.advance();
                let count = self.parse_times()?.map_or(1, |(count, _)| count);
                self.repeat(values, count, |_| Ok(SequenceValue::Omitted))
            }
            TokenKind::OpenHistogram => self.parse_histogram_item(values),
            TokenKind::Identifier => self.parse_stale(values),
            _ => {
                let first = self.parse_signed_number()?;
                if !matches!(
                    self.token.kind,
                    TokenKind::Op(BinaryOp::Add | BinaryOp::Sub)
                ) {
                    let times = self.parse_times()?.map_or(0, |(times, _)| times);
                    let count = times.saturating_add(1);
                    return self.repeat(values, count, |_| Ok(SequenceValue::Float(first)));
                }
                let delta = self.parse_signed_number()?;
                let Some((times, _)) = self.parse_times()? else {
                    return Err(Unwind::Syntax);
                };
                // compat: the steps add up one by one, with their rounding.
                let mut value = first;
                self.repeat(values, times.saturating_add(1), |_| {
                    let current = value;
                    value += delta;
                    Ok(SequenceValue::Float(current))
                })
            }
        }
    }

    fn parse_stale(&mut self, values: &mut Vec<SequenceValue>) -> Parsed<()> {
        let text = self.text_of(self.token);
        let times = match text.strip_prefix("stale") {
            Some("") => Some(0),
            Some(rest) => rest.strip_prefix('x').and_then(|n| n.parse::<u64>().ok()),
            None => None,
        };
        let Some(times) = times else {
            return self.refuse("series values", "number or \"stale\"");
        };
        self.advance();
        let more = self.parse_times()?.map_or(times, |(times, _)| times);
        let count = more.saturating_add(1);
        self.repeat(values, count, |_| Ok(SequenceValue::Float(stale_nan())))
    }

    fn parse_histogram_item(&mut self, values: &mut Vec<SequenceValue>) -> Parsed<()> {
        let base = self.parse_histogram()?;
        let sign = match self.token.kind {
            TokenKind::Op(BinaryOp::Add) => 1.0,
            TokenKind::Op(BinaryOp::Sub) => -1.0,
            _ => {
                let count = self
                    .parse_times()?
                    .map_or(1, |(times, _)| times.saturating_add(1));
                let base = Arc::new(base);
                return self.repeat(values, count, |_| {
                    Ok(SequenceValue::Histogram(Arc::clone(&base)))
                });
            }
        };
        self.advance();
        let step = self.parse_histogram()?;
        let Some((times, token)) = self.parse_times()? else {
            return Err(Unwind::Syntax);
        };
        let mut current = base;
        let mut failure = None;
        let done = self.repeat(values, times.saturating_add(1), |at| {
            if at > 0 {
                combine(&mut current, &step, sign).map_err(|e| failure = Some(e))?;
            }
            Ok(SequenceValue::Histogram(Arc::new(current.clone())))
        });
        if let Some(message) = failure {
            self.report(token.pos(), message);
        }
        done
    }

    /// `xN` behind a value.
    fn parse_times(&mut self) -> Parsed<Option<(u64, Token)>> {
        if !self.accept(TokenKind::Times) {
            return Ok(None);
        }
        Ok(Some(self.parse_uint()?))
    }

    /// A number without sign, point or exponent.
    pub(super) fn parse_uint(&mut self) -> Parsed<(u64, Token)> {
        let token = self.expect(TokenKind::Number)?;
        let text = self.text_of(token);
        let plain = text.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            Ok(count) if plain => Ok((count, token)),
            _ => {
                let why = if plain {
                    "value out of range"
                } else {
                    "invalid syntax"
                };
                self.report(
                    token.pos(),
                    format!(
                        "invalid repetition in series values: strconv.ParseUint: parsing \"{text}\": {why}"
                    ),
                );
                Err(Unwind::Abort)
            }
        }
    }

    fn repeat(
        &mut self,
        values: &mut Vec<SequenceValue>,
        count: u64,
        mut make: impl FnMut(u64) -> Result<SequenceValue, ()>,
    ) -> Parsed<()> {
        let room = MAX_VALUES.saturating_sub(values.len()) as u64;
        if count > room {
            self.report(
                PosRange::new(self.token.start, self.token.start),
                format!("series line holds more than {MAX_VALUES} values"),
            );
            return Err(Unwind::Abort);
        }
        for at in 0..count {
            values.push(make(at).map_err(|()| Unwind::Abort)?);
        }
        Ok(())
    }
}

fn combine(current: &mut FloatHistogram, step: &FloatHistogram, sign: f64) -> Result<(), String> {
    if current.schema > step.schema {
        return Err(format!(
            "error combining histograms: cannot merge from schema {} to {}",
            step.schema, current.schema
        ));
    }
    let combined = if sign > 0.0 {
        current.add(step)
    } else {
        current.sub(step)
    };
    combined.map(|_| ()).map_err(|e| e.to_string())
}
