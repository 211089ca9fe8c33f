//! Makes hostile inputs out of good ones.

use fastrand::Rng;

/// Longer inputs are cut.
const LENGTH_MAX: usize = 16 << 10;

/// Bytes at which parsers decide.
const POINTED: &[u8] = b"\0\x01\x7f\x80\xff\n\r\t \"'`\\{}[]()<>=!~,:;#@+-*/%^$&|_.0159azAZ";

/// Pieces that more than one notation trips over.
const PIECES: &[&str] = &[
    "\\",
    "\\x",
    "\\u12",
    "\\777",
    "NaN",
    "+Inf",
    "-Inf",
    "0x",
    "1e999",
    "9223372036854775808",
    "-9223372036854775809",
    "1_0",
    "9999y",
    "\u{fffd}",
    "\u{feff}",
    "é",
    "\u{1F600}",
    "{{",
    "}}",
    "\r\n",
    "((((((((",
    "))))",
    "[[[[",
    "----",
    "&a *a ",
    "<<: *a",
    "{{ . }}",
    "%%%s",
    "\0\0\0\0\0\0\0\0",
];

pub struct Mutator<'s> {
    rng: Rng,
    seeds: &'s [&'s [u8]],
}

impl<'s> Mutator<'s> {
    pub fn new(seed: u64, seeds: &'s [&'s [u8]]) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            seeds,
        }
    }

    /// The next input.
    pub fn input(&mut self) -> Vec<u8> {
        let mut bytes = self.seed().to_vec();
        for _ in 0..self.rng.usize(1..8) {
            self.change(&mut bytes);
        }
        bytes.truncate(LENGTH_MAX);
        bytes
    }

    fn seed(&mut self) -> &'s [u8] {
        let at = self.rng.usize(..self.seeds.len());
        self.seeds.get(at).copied().unwrap_or_default()
    }

    fn place(&mut self, bytes: &[u8]) -> usize {
        self.rng.usize(..=bytes.len())
    }

    /// A short range.
    fn range(&mut self, bytes: &[u8]) -> (usize, usize) {
        let from = self.place(bytes);
        let most = (bytes.len() - from).min(1 << self.rng.u32(0..8));
        (from, from + self.rng.usize(..=most))
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        match self.rng.u32(..11) {
            0 => {
                let at = self.place(bytes);
                let bit = 1 << self.rng.u32(..8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= bit;
                }
            }
            1 => {
                let at = self.place(bytes);
                let new = self.pointed();
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = new;
                }
            }
            2 => {
                let at = self.place(bytes);
                let new = self.pointed();
                bytes.insert(at, new);
            }
            3 | 4 => {
                let (from, to) = self.range(bytes);
                bytes.drain(from..to);
            }
            5 => {
                let (from, to) = self.range(bytes);
                let copy: Vec<u8> = bytes.drain(from..to).collect();
                let at = self.place(bytes);
                bytes.splice(at..at, copy);
            }
            6 => {
                // Mostly a few copies, at times very many.
                let (from, to) = self.range(bytes);
                let times = if self.rng.u32(..40) == 0 { 3000 } else { 3 };
                let copy = bytes.get(from..to).unwrap_or_default().repeat(times);
                bytes.splice(from..from, copy.into_iter().take(LENGTH_MAX));
            }
            7 => {
                let at = self.place(bytes);
                let piece = PIECES.get(self.rng.usize(..PIECES.len())).copied();
                bytes.splice(at..at, piece.unwrap_or_default().bytes());
            }
            8 | 9 => {
                let other = self.seed();
                let (from, to) = self.range(other);
                let piece = other.get(from..to).unwrap_or_default();
                let at = self.place(bytes);
                bytes.splice(at..at, piece.iter().copied());
            }
            _ => {
                let at = self.place(bytes);
                bytes.truncate(at);
            }
        }
    }

    fn pointed(&mut self) -> u8 {
        let at = self.rng.usize(..POINTED.len());
        POINTED.get(at).copied().unwrap_or_default()
    }
}
