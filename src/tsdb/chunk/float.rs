use crate::codec::{BitReader, BitWriter, Error};
use crate::model::{Sample, SampleValue};

/// Bits of a difference of time differences, after its prefix: `10`, `110`, `1110`, `1111`.
const DELTA_CLASSES: [u8; 4] = [7, 14, 20, 64];

/// What both sides remember of the sample before.
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

/// Writes floats: times as differences of differences, values as XOR to the one before.
#[derive(Debug)]
pub(super) struct FloatEncoder {
    out: BitWriter,
    state: State,
    with_start: bool,
}

impl FloatEncoder {
    pub(super) fn start(with_start: bool, ms: i64, start_ms: i64, value: f64) -> Self {
        let mut out = BitWriter::new();
        out.push(ms as u64, 64);
        if with_start {
            out.push(start_ms as u64, 64);
        }
        out.push(value.to_bits(), 64);
        Self {
            out,
            state: State {
                ms,
                start_ms,
                bits: value.to_bits(),
                ..State::default()
            },
            with_start,
        }
    }

    /// False when the sample has a start timestamp for which the chunk has no place.
    pub(super) fn push(&mut self, ms: i64, start_ms: i64, value: f64) -> bool {
        if self.with_start {
            let changed = start_ms != self.state.start_ms;
            self.out.push_bit(changed);
            if changed {
                self.out.push(start_ms as u64, 64);
                self.state.start_ms = start_ms;
            }
        } else if start_ms != 0 {
            return false;
        }
        self.push_time(ms);
        self.push_value(value.to_bits());
        true
    }

    fn push_time(&mut self, ms: i64) {
        let delta = ms.wrapping_sub(self.state.ms);
        let change = delta.wrapping_sub(self.state.delta);
        self.state.ms = ms;
        self.state.delta = delta;
        if change == 0 {
            self.out.push_bit(false);
            return;
        }
        let class = DELTA_CLASSES
            .iter()
            .position(|bits| *bits == 64 || fits(change, *bits))
            .unwrap_or(3);
        let (prefix, prefix_bits) = [(0b10, 2), (0b110, 3), (0b1110, 4), (0b1111, 4)][class];
        self.out.push(prefix, prefix_bits);
        self.out.push(change as u64, DELTA_CLASSES[class]);
    }

    fn push_value(&mut self, bits: u64) {
        let difference = bits ^ self.state.bits;
        self.state.bits = bits;
        if difference == 0 {
            self.out.push_bit(false);
            return;
        }
        let leading = difference.leading_zeros().min(31) as u8;
        let trailing = difference.trailing_zeros() as u8;
        let state = &mut self.state;
        let window_trailing = 64u8.wrapping_sub(state.leading + state.significant);
        if state.significant > 0 && leading >= state.leading && trailing >= window_trailing {
            self.out.push(0b10, 2);
            self.out
                .push(difference >> window_trailing, state.significant);
            return;
        }
        state.leading = leading;
        state.significant = 64 - leading - trailing;
        self.out.push(0b11, 2);
        self.out.push(u64::from(leading), 5);
        // 1 to 64 bits, written as 0 to 63.
        self.out.push(u64::from(state.significant - 1), 6);
        self.out.push(difference >> trailing, state.significant);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.out.bytes()
    }

    pub(super) fn capacity(&self) -> usize {
        self.out.capacity()
    }
}

const fn fits(value: i64, bits: u8) -> bool {
    let half = 1i64 << (bits - 1);
    value >= -half && value < half
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
