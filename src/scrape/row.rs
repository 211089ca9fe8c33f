//! Lines that name what the page before named: how are many of them taken at once?
//!
//! They are read ahead, and the store is given their numbers as a row. What it has taken is noted then: up to there
//! the page is as if its lines had been taken one by one.

use smallvec::SmallVec;

use super::cache::Outlook;
use super::page::{Context, PageOutcome};
use crate::exposition::{Ahead, Parser};
use crate::storage::{Appender, SeriesRef};

/// So many samples are one row at most: readers and writers of the store wait for a row.
const SAMPLES_MAX: usize = 256;

/// Takes rows of one page.
#[derive(Debug)]
pub(super) struct Rows {
    /// Metadata lines that are as on the page before may be passed over.
    passes_metadata: bool,
    /// The next row has at most so many samples: few after one that the store has not taken as a whole.
    samples_max: usize,
    row: SmallVec<[(SeriesRef, f64); SAMPLES_MAX]>,
}

/// What was read ahead beside the samples.
#[derive(Debug)]
struct Lines<'p> {
    ahead: Ahead<'p>,
    outlook: Outlook,
    blocks: usize,
}

impl Rows {
    pub(super) fn new(passes_metadata: bool) -> Self {
        Self {
            passes_metadata,
            samples_max: SAMPLES_MAX,
            row: SmallVec::new(),
        }
    }

    /// Takes lines up to the first that is anything but the number of a series that is known or what was declared
    /// before. False when the next sample is one that the store does not take so: its labels are wanted, or its loss is
    /// to be counted.
    pub(super) fn take(
        &mut self,
        context: &mut Context<'_>,
        parser: &mut Parser<'_>,
        batch: &mut dyn Appender,
        outcome: &mut PageOutcome,
    ) -> bool {
        loop {
            let room = context.sample_room(outcome);
            let samples_max = self.samples_max.min(room);
            let Some(mut lines) = self.read(context, parser, samples_max) else {
                return true;
            };
            let count = self.row.len();
            let (added, _) = batch.append_row(context.at.as_ms(), &self.row);
            if added < count
                && let Some(shorter) = self.read(context, parser, added)
            {
                lines = shorter;
            }
            parser.go_to(&lines.ahead);
            context.cache.take(&lines.outlook);
            context.metadata.take(lines.blocks);
            outcome.count_row(lines.outlook.series(), added);
            if added < count {
                self.samples_max = 1;
                return false;
            }
            if count < samples_max || count == 0 {
                return true;
            }
            self.samples_max = (self.samples_max * 2).min(SAMPLES_MAX);
        }
    }

    /// Reads lines with so many samples.
    fn read<'p>(
        &mut self,
        context: &Context<'_>,
        parser: &Parser<'p>,
        samples: usize,
    ) -> Option<Lines<'p>> {
        self.row.clear();
        let mut lines = Lines {
            ahead: parser.ahead()?,
            outlook: context.cache.outlook(),
            blocks: 0,
        };
        while self.row.len() < samples {
            let known = |line: &[u8]| context.cache.look(&mut lines.outlook, line);
            if let Some(value) = lines.ahead.number(known) {
                if let Some(series) = lines.outlook.go_on() {
                    self.row.push((series, value));
                }
                continue;
            }
            let rest = lines.ahead.metadata().filter(|_| self.passes_metadata);
            let block = rest.and_then(|rest| context.metadata.look(lines.blocks, rest));
            let Some((length, metric_type)) = block else {
                break;
            };
            lines.ahead.pass_metadata(length, metric_type);
            lines.blocks += 1;
        }
        Some(lines)
    }
}
