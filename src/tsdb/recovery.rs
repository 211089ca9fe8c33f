use std::sync::atomic::{AtomicU64, Ordering};

/// What opening a folder found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Files of the catalog that were read.
    pub checkpoints: usize,
    /// Records of the log that were applied.
    pub records: u64,
    /// Bytes at the end of the log that a crash had torn; nobody was told that they were written.
    pub torn_bytes: u64,
    /// Places where stored bytes are damaged. The files are kept in `tsdb/quarantine`.
    pub damages: Vec<Damage>,
}

/// A place where stored bytes are damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: String,
    /// Where in it.
    pub offset: u64,
    /// What is wrong there.
    pub reason: String,
}

/// How far a replay of the log is, for `/api/v1/status/walreplay`; shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    min: AtomicU64,
    max: AtomicU64,
    current: AtomicU64,
}

impl Progress {
    pub(crate) fn start(&self, min: u64, max: u64) {
        self.min.store(min, Ordering::Relaxed);
        self.max.store(max, Ordering::Relaxed);
        self.current.store(min, Ordering::Relaxed);
    }

    pub(crate) fn reach(&self, segment: u64) {
        self.current.store(segment, Ordering::Relaxed);
    }

    /// First, last and current segment.
    pub fn segments(&self) -> (u64, u64, u64) {
        (
            self.min.load(Ordering::Relaxed),
            self.max.load(Ordering::Relaxed),
            self.current.load(Ordering::Relaxed),
        )
    }
}
