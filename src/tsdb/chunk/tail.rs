use super::burst::{self, Burst};
use super::{CHUNK_SAMPLES_MAX, CHUNK_SPAN_MAX_MS, Chunk, Kind};

/// Memory for bytes grows in steps of this many at least: there are as many tails as series, so little of it shall lie
/// idle, but each step takes them to another place.
const STEP_BYTES: usize = 32;

/// Longer tails grow in steps of this part of the next power of two, which are those of the allocator.
const STEP_PART: usize = 8;

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

    /// Adds samples after the newest, `before`, which is of no account when there is none; each is later than the one
    /// before it. The answer is how many were added: the others need a run of their own.
    #[inline]
    pub(crate) fn push(&mut self, before: (i64, f64), samples: &[(i64, f64)]) -> usize {
        let Some((first, others)) = samples.split_first() else {
            return 0;
        };
        let (min_ms, mut before, rest) = if let Some(min_ms) = self.min_ms() {
            (min_ms, before, samples)
        } else {
            self.start(first.0, None, first.1);
            (first.0, *first, others)
        };
        let mut taken = samples.len() - rest.len();
        for part in rest.chunks(burst::SAMPLES_MAX) {
            let mut burst = self.burst();
            let mut count = 0;
            for sample in part {
                let is_full = u32::from(self.count) + count >= CHUNK_SAMPLES_MAX
                    || sample.0.saturating_sub(min_ms) > CHUNK_SPAN_MAX_MS;
                if is_full || !Self::spans(before.0, sample.0) {
                    break;
                }
                burst.put(before, sample.0, sample.1);
                before = *sample;
                count += 1;
            }
            self.append(burst);
            self.count = self.count.saturating_add(count as u8);
            taken += count as usize;
            if (count as usize) < part.len() {
                break;
            }
        }
        taken
    }

    /// Whether there is a place for the difference of two times.
    #[inline]
    pub(super) fn spans(before_ms: i64, ms: i64) -> bool {
        i32::try_from(ms.wrapping_sub(before_ms)).is_ok()
    }

    /// Adds a sample for which there is a place. A start timestamp that differs from the one before stands in front.
    pub(super) fn put_with_start(
        &mut self,
        before: (i64, f64),
        (ms, value): (i64, f64),
        start: Option<(bool, i64)>,
    ) {
        let mut burst = self.burst();
        if let Some((changed, start_ms)) = start {
            burst.put_bits(u64::from(changed), 1);
            if changed {
                burst.put_bits(start_ms as u64, 64);
            }
        }
        burst.put(before, ms, value);
        self.append(burst);
        self.count = self.count.saturating_add(1);
    }

    pub(super) fn start(&mut self, ms: i64, start_ms: Option<i64>, value: f64) {
        self.count = 1;
        self.bytes.reserve_exact(STEP_BYTES);
        self.bytes.extend_from_slice(&ms.to_be_bytes());
        if let Some(start_ms) = start_ms {
            self.bytes.extend_from_slice(&start_ms.to_be_bytes());
        }
        self.bytes.extend_from_slice(&value.to_bits().to_be_bytes());
    }

    #[inline]
    fn burst(&self) -> Burst {
        let mut burst = Burst::new(self.end(), self.free);
        burst.delta_ms = self.delta_ms;
        (burst.leading, burst.significant) = (self.leading, self.significant);
        burst
    }

    #[inline]
    fn append(&mut self, mut burst: Burst) {
        self.delta_ms = burst.delta_ms;
        (self.leading, self.significant) = (burst.leading, burst.significant);
        let whole = self.bytes.len() - usize::from(self.free > 0);
        let (bytes, free) = burst.finish();
        self.free = free;
        self.bytes.truncate(whole);
        if self.bytes.capacity() - whole < bytes.len() {
            self.grow(bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Moves to a place with room for so many bytes more. Allocators move what grows so little anyway, and take longer
    /// for that when they are asked to.
    #[cold]
    fn grow(&mut self, more: usize) {
        let length = self.bytes.len() + more;
        let step = (length.next_power_of_two() / STEP_PART).max(STEP_BYTES);
        let mut bytes = Vec::with_capacity(length.next_multiple_of(step));
        bytes.extend_from_slice(&self.bytes);
        self.bytes = bytes;
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
