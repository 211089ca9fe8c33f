//! Memory that answers are read into, used again and again by each thread.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

/// What a new buffer holds: the pages of most targets as they come packed.
const BYTES: usize = 32 << 10;
/// A larger buffer is given back to the system after its use.
const BYTES_KEPT: usize = 128 << 10;

thread_local! {
    /// The buffer that this thread used last.
    static KEPT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Bytes whose memory goes back to the thread that drops them.
#[derive(Debug, Default)]
pub(in crate::daemon::net) struct Buffer(Vec<u8>);

impl Buffer {
    /// An empty one with room.
    pub(super) fn with_room() -> Self {
        let kept = KEPT.try_with(Cell::take).unwrap_or_default();
        Self(if kept.capacity() == 0 {
            Vec::with_capacity(BYTES)
        } else {
            kept
        })
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut mine = std::mem::take(&mut self.0);
        if !(BYTES..=BYTES_KEPT).contains(&mine.capacity()) {
            return;
        }
        mine.clear();
        // A thread that ends keeps nothing.
        let _ = KEPT.try_with(|kept| {
            let other = kept.take();
            kept.set(if other.capacity() > mine.capacity() {
                other
            } else {
                mine
            });
        });
    }
}
