//! A few floats that are added to a run at once: they are written to a place on the stack, and the run, which lies
//! somewhere in the memory, is touched once for all of them.

/// Bits of a difference of time differences, after its prefix: `10`, `110`, `1110`, `1111`.
pub(super) const DELTA_CLASSES: [u8; 4] = [7, 14, 20, 64];

/// A burst has at most so many samples.
pub(super) const SAMPLES_MAX: usize = 8;

/// What it may take, with the begun byte before it and a word's room behind it: the widest sample has 4 and 64 bits of
/// time, 13 and 64 of its value.
const BYTES_MAX: usize = (7 + SAMPLES_MAX * (4 + 64 + 13 + 64)).div_ceil(64) * 8;

/// Bits that go behind those that a [`FloatTail`](super::FloatTail) has.
#[derive(Debug)]
pub(super) struct Burst {
    bytes: [u8; BYTES_MAX],
    /// Whole words of them.
    length: usize,
    /// Bits that are not among the bytes yet, highest first.
    word: u64,
    /// How many of them there are, less than 64.
    used: u8,
    pub(super) delta_ms: i32,
    pub(super) leading: u8,
    /// Significant bits of the last difference that brought its own window; 0 before the first.
    pub(super) significant: u8,
}

impl Burst {
    /// Begins after what a tail has, of which the last byte has so many unused bits.
    #[inline]
    pub(super) const fn new(last: u8, free: u8) -> Self {
        Self {
            bytes: [0; BYTES_MAX],
            length: 0,
            word: if free > 0 { (last as u64) << 56 } else { 0 },
            used: if free > 0 { 8 - free } else { 0 },
            delta_ms: 0,
            leading: 0,
            significant: 0,
        }
    }

    /// Adds a sample after the newest, `before`: the time as a difference of differences, the value as XOR.
    #[inline]
    pub(super) fn put(&mut self, before: (i64, f64), ms: i64, value: f64) {
        let delta_ms = ms.wrapping_sub(before.0);
        let change = delta_ms.wrapping_sub(i64::from(self.delta_ms));
        self.delta_ms = delta_ms as i32;
        let difference = before.1.to_bits() ^ value.to_bits();
        if change == 0 {
            // One bit that is 0, in front of those of the value.
            self.put_value(1, difference);
        } else {
            self.put_time(change);
            self.put_value(0, difference);
        }
    }

    /// Writes a time difference that is not as the one before.
    fn put_time(&mut self, change: i64) {
        let class = DELTA_CLASSES
            .iter()
            .position(|bits| *bits == 64 || fits(change, *bits))
            .unwrap_or(3);
        let (prefix, prefix_bits) = [(0b10, 2), (0b110, 3), (0b1110, 4), (0b1111, 4)][class];
        self.put_bits(prefix, prefix_bits);
        let bits = DELTA_CLASSES[class];
        self.put_bits(change as u64 & (u64::MAX >> (64 - bits)), bits);
    }

    /// Writes so many zeros and a value.
    #[inline]
    fn put_value(&mut self, zeros: u8, difference: u64) {
        if difference == 0 {
            self.put_bits(0, zeros + 1);
            return;
        }
        let leading = difference.leading_zeros().min(31) as u8;
        let trailing = difference.trailing_zeros() as u8;
        let window_trailing = 64u8.wrapping_sub(self.leading + self.significant);
        if self.significant > 0 && leading >= self.leading && trailing >= window_trailing {
            self.put_window(0b10, zeros + 2, difference >> window_trailing);
            return;
        }
        self.leading = leading;
        self.significant = 64 - leading - trailing;
        // Prefix, leading zeros and 1 to 64 bits, written as 0 to 63.
        let head = 0b11 << 11 | u64::from(leading) << 6 | u64::from(self.significant - 1);
        self.put_window(head, zeros + 13, difference >> trailing);
    }

    /// Writes a head and the significant bits, at once where a word holds both.
    #[inline]
    fn put_window(&mut self, head: u64, head_bits: u8, value: u64) {
        let significant = self.significant;
        if head_bits + significant <= 64 {
            self.put_bits(head << significant | value, head_bits + significant);
        } else {
            self.put_bits(head, head_bits);
            self.put_bits(value, significant);
        }
    }

    /// Writes the lowest 1 to 64 bits of `value`, which has no others.
    #[inline]
    pub(super) fn put_bits(&mut self, value: u64, bits: u8) {
        let room = 64 - self.used;
        if bits < room {
            self.word |= value << (room - bits);
            self.used += bits;
            return;
        }
        let left = bits - room;
        self.write(self.word | value >> left);
        self.length += 8;
        self.word = value.checked_shl(u32::from(64 - left)).unwrap_or(0);
        self.used = left;
    }

    #[inline]
    fn write(&mut self, word: u64) {
        if let Some(place) = self.bytes.get_mut(self.length..self.length + 8) {
            place.copy_from_slice(&word.to_be_bytes());
        }
    }

    /// What a tail has instead of its begun byte now, and how many bits of the last byte are unused.
    #[inline]
    pub(super) fn finish(&mut self) -> (&[u8], u8) {
        self.write(self.word);
        let bytes = self.used.div_ceil(8);
        let whole = self.bytes.get(..self.length + usize::from(bytes));
        (whole.unwrap_or_default(), bytes * 8 - self.used)
    }
}

const fn fits(value: i64, bits: u8) -> bool {
    let half = 1i64 << (bits - 1);
    value >= -half && value < half
}
