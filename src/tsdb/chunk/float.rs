use super::burst::DELTA_CLASSES;
use super::tail::FloatTail;
use crate::codec::{BitReader, Error};
use crate::model::{Sample, SampleValue};

/// What is remembered of the sample before.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    ms: i64,
    delta: i64,
    start_ms: i64,
    bits: u64,
    leading: u8,
    /// Significant bits of the last difference that brought its own window; 0 before the first.
    significant: u8,
}

/// Writes floats that may have start timestamps.
#[derive(Debug)]
pub(super) struct FloatEncoder {
    tail: FloatTail,
    ms: i64,
    value: f64,
    /// `None` when the chunk has no place for it.
    start_ms: Option<i64>,
}

impl FloatEncoder {
    pub(super) fn start(with_start: bool, ms: i64, start_ms: i64, value: f64) -> Self {
        let start_ms = with_start.then_some(start_ms);
        let mut tail = FloatTail::default();
        tail.start(ms, start_ms, value);
        Self {
            tail,
            ms,
            value,
            start_ms,
        }
    }

    /// False when the sample does not fit into the chunk.
    pub(super) fn push(&mut self, ms: i64, start_ms: i64, value: f64) -> bool {
        if !FloatTail::spans(self.ms, ms) {
            return false;
        }
        let start = match &mut self.start_ms {
            Some(before) => Some((std::mem::replace(before, start_ms) != start_ms, start_ms)),
            None if start_ms != 0 => return false,
            None => None,
        };
        let before = (self.ms, self.value);
        self.tail.put_with_start(before, (ms, value), start);
        (self.ms, self.value) = (ms, value);
        true
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.tail.bytes()
    }

    pub(super) fn capacity(&self) -> usize {
        self.tail.memory()
    }
}

/// Reads what [`FloatEncoder`] wrote.
#[derive(Debug)]
pub(super) struct FloatDecoder {
    at: usize,
    state: Option<State>,
    with_start: bool,
}

impl FloatDecoder {
    pub(super) const fn new(with_start: bool) -> Self {
        Self {
            at: 0,
            state: None,
            with_start,
        }
    }

    /// The next sample of `bytes`, which are the same at every call.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Result<Sample, Error> {
        let mut reader = BitReader::at(bytes, self.at);
        let state = self.step(&mut reader).ok_or(Error::UnexpectedEnd)?;
        self.at = reader.position();
        self.state = Some(state);
        Ok(Sample {
            timestamp_ms: state.ms,
            start_timestamp_ms: state.start_ms,
            value: SampleValue::Float(f64::from_bits(state.bits)),
        })
    }

    /// Appends the samples between two times (inclusive) of the `count` that `bytes` hold.
    pub(super) fn all(
        bytes: &[u8],
        count: u32,
        (min_ms, max_ms): (i64, i64),
        out: &mut Vec<(i64, f64)>,
    ) -> Result<(), Error> {
        let mut reader = BitReader::new(bytes);
        let mut decoder = Self::new(false);
        for _ in 0..count {
            let state = decoder.step(&mut reader).ok_or(Error::UnexpectedEnd)?;
            if state.ms > max_ms {
                break;
            }
            if state.ms >= min_ms {
                out.push((state.ms, f64::from_bits(state.bits)));
            }
            decoder.state = Some(state);
        }
        Ok(())
    }

    #[inline]
    fn step(&self, reader: &mut BitReader<'_>) -> Option<State> {
        let Some(mut state) = self.state else {
            return Some(State {
                ms: reader.read(64)? as i64,
                start_ms: if self.with_start {
                    reader.read(64)? as i64
                } else {
                    0
                },
                bits: reader.read(64)?,
                ..State::default()
            });
        };
        if self.with_start && reader.bit()? {
            state.start_ms = reader.read(64)? as i64;
        }
        if reader.bit()? {
            let mut class = 0;
            while class < 3 && reader.bit()? {
                class += 1;
            }
            let bits = DELTA_CLASSES[class];
            let shift = 64 - bits;
            let change = (reader.read(bits)? << shift) as i64 >> shift;
            state.delta = state.delta.wrapping_add(change);
        }
        state.ms = state.ms.wrapping_add(state.delta);
        if reader.bit()? {
            if reader.bit()? {
                state.leading = reader.read(5)? as u8;
                state.significant = reader.read(6)? as u8 + 1;
            }
            let trailing = 64u8.checked_sub(state.leading + state.significant)?;
            if state.significant == 0 {
                return None;
            }
            state.bits ^= reader.read(state.significant)? << trailing;
        }
        Some(state)
    }
}
