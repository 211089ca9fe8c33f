use super::{CHUNK_SAMPLES_MAX, CHUNK_SPAN_MAX_MS, Chunk, Kind};
use crate::codec::push_bits;

/// Bits of a difference of time differences, after its prefix: `10`, `110`, `1110`, `1111`.
pub(super) const DELTA_CLASSES: [u8; 4] = [7, 14, 20, 64];

/// Memory for bytes grows by this many at first, so that little of it lies idle: there are as many tails as series.
const STEP_BYTES: usize = 16;

/// Later it grows in steps between this and half of this part of what there is: allocators do so too.
const STEP_PART: usize = 4;

/// A tail asks for more when it has less room than this, which most samples do not need.
const ROOM_BYTES: usize = 6;

/// A run of plain floats that still grows: times as differences of differences, values as XOR to the one before.
///
/// What the newest sample is, its owner knows and says each time, as it keeps that anyway.
#[derive(Debug, Default)]
pub(crate) struct FloatTail {
    bytes: Vec<u8>,
    delta_ms: i32,
    count: u8,
    /// Unused bits of the last byte.
    free: u8,
    leading: u8,
    /// Significant bits of the last difference that brought its own window; 0 before the first.
    significant: u8,
}

impl FloatTail {
    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The last byte.
    #[inline]
    pub(crate) fn end(&self) -> u8 {
        self.bytes.last().copied().unwrap_or(0)
    }

    /// Time of the first sample.
    #[inline]
    pub(crate) fn min_ms(&self) -> Option<i64> {
        self.bytes.first_chunk().copied().map(i64::from_be_bytes)
    }

    /// Adds a sample after the newest, `before`, which is of no account when there is none. False when it needs a
    /// run of its own.
    #[inline]
    pub(crate) fn push(&mut self, before: (i64, f64), ms: i64, value: f64) -> bool {
        let Some(min_ms) = self.min_ms() else {
            self.start(ms, None, value);
            return true;
        };
        let is_full = u32::from(self.count) >= CHUNK_SAMPLES_MAX
            || ms.saturating_sub(min_ms) > CHUNK_SPAN_MAX_MS;
        if is_full || !Self::spans(before.0, ms) {
            return false;
        }
        self.put(before, ms, value);
        true
    }

    /// Whether there is a place for the difference of two times.
    #[inline]
    pub(super) fn spans(before_ms: i64, ms: i64) -> bool {
        i32::try_from(ms.wrapping_sub(before_ms)).is_ok()
    }

    /// Adds a sample for which there is a place.
    #[inline]
    pub(super) fn put(&mut self, before: (i64, f64), ms: i64, value: f64) {
        let delta_ms = ms.wrapping_sub(before.0);
        let change = delta_ms.wrapping_sub(i64::from(self.delta_ms));
        self.delta_ms = delta_ms as i32;
        self.count = self.count.saturating_add(1);
        if self.bytes.capacity() - self.bytes.len() < ROOM_BYTES {
            self.grow();
        }
        let difference = before.1.to_bits() ^ value.to_bits();
        if change == 0 && difference == 0 && self.free >= 2 {
            // Unused bits are 0 already, and so are these.
            self.free -= 2;
            return;
        }
        if change == 0 {
            // One bit that is 0, in front of those of the value.
            self.push_value(1, difference);
        } else {
            self.push_time(change);
            self.push_value(0, difference);
        }
    }

    #[cold]
    fn grow(&mut self) {
        let capacity = self.bytes.capacity();
        let step = (capacity + 1).next_power_of_two() / 2 / STEP_PART;
        let room = capacity + step.max(STEP_BYTES) - self.bytes.len();
        self.bytes.reserve_exact(room);
    }

    pub(super) fn start(&mut self, ms: i64, start_ms: Option<i64>, value: f64) {
        self.count = 1;
        self.bytes.reserve_exact(2 * STEP_BYTES);
        self.bits(ms as u64, 64);
        if let Some(start_ms) = start_ms {
            self.bits(start_ms as u64, 64);
        }
        self.bits(value.to_bits(), 64);
    }

    #[inline]
    pub(super) fn bits(&mut self, value: u64, bits: u8) {
        push_bits(&mut self.bytes, &mut self.free, value, bits);
    }

    /// Writes a time difference that is not as the one before.
    fn push_time(&mut self, change: i64) {
        let class = DELTA_CLASSES
            .iter()
            .position(|bits| *bits == 64 || fits(change, *bits))
            .unwrap_or(3);
        let (prefix, prefix_bits) = [(0b10, 2), (0b110, 3), (0b1110, 4), (0b1111, 4)][class];
        self.bits(prefix, prefix_bits);
        self.bits(change as u64, DELTA_CLASSES[class]);
    }

    /// Writes so many zeros and a value.
    #[inline]
    fn push_value(&mut self, zeros: u8, difference: u64) {
        if difference == 0 {
            self.bits(0, zeros + 1);
            return;
        }
        let leading = difference.leading_zeros().min(31) as u8;
        let trailing = difference.trailing_zeros() as u8;
        let window_trailing = 64u8.wrapping_sub(self.leading + self.significant);
        if self.significant > 0 && leading >= self.leading && trailing >= window_trailing {
            self.push_window(0b10, zeros + 2, difference >> window_trailing);
            return;
        }
        self.leading = leading;
        self.significant = 64 - leading - trailing;
        // Prefix, leading zeros and 1 to 64 bits, written as 0 to 63.
        let head = 0b11 << 11 | u64::from(leading) << 6 | u64::from(self.significant - 1);
        self.push_window(head, zeros + 13, difference >> trailing);
    }

    /// Writes a head and the significant bits, at once where a word holds both.
    #[inline]
    fn push_window(&mut self, head: u64, head_bits: u8, value: u64) {
        let significant = self.significant;
        if head_bits + significant <= 64 {
            self.bits(head << significant | value, head_bits + significant);
        } else {
            self.bits(head, head_bits);
            self.bits(value, significant);
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes on the heap.
    pub(crate) const fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// A copy of what it holds now; `max_ms` is the time of the newest sample.
    pub(crate) fn snapshot(&self, max_ms: i64) -> Option<Chunk> {
        Some(Chunk {
            kind: Kind::Float,
            count: u32::from(self.count),
            min_ms: self.min_ms()?,
            max_ms,
            bytes: self.bytes.as_slice().into(),
        })
    }
}

const fn fits(value: i64, bits: u8) -> bool {
    let half = 1i64 << (bits - 1);
    value >= -half && value < half
}
