use std::sync::Arc;

use super::recovery::Progress;

/// How a [`super::Db`] behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Samples older than this, before now, are let go. Default: 15 days. 0 for ever.
    pub retention_ms: i64,
    /// Blocks, catalog and log may take so many bytes; the oldest blocks are let go first. Default: 0, no limit.
    pub retention_bytes: u64,
    /// How far a sample may lie behind the newest of the store when it is older than the newest of its
    /// series. Default: 0, not at all.
    pub out_of_order_window_ms: i64,
    /// How many exemplars are kept; 0 for none. Default: 100,000.
    pub exemplars_max: usize,
    /// Bytes of a segment of the log. Default: 8 MiB.
    pub segment_bytes: u64,
    /// The log is synced this often, so that a power cut loses at most so much; 0 for at every maintenance.
    /// Default: 1 second.
    pub sync_interval_ms: i64,
    /// Memory is flushed into a block when the log has grown by this, or by 128 bytes per series if that is
    /// more; by a sixteenth of this, or by 64 bytes per series, when a burst of writes has ended. Default: 64 MiB.
    pub checkpoint_bytes: u64,
    /// Memory is flushed at least this often while there is something to write. Default: 2 hours.
    pub checkpoint_interval_ms: i64,
    /// A series whose samples are all in blocks leaves memory when nobody has written to it for one to two times so
    /// long; a minute, if that is less, when memory is short. Default: 10 minutes.
    pub idle_ms: i64,
    /// Of streams with at least so many series, some rows are kept side by side before their samples go to the series.
    /// Default: 64.
    pub kept_row_series: usize,
    /// Told how far opening is.
    pub progress: Option<Arc<Progress>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            retention_ms: 15 * 24 * 3600 * 1000,
            retention_bytes: 0,
            out_of_order_window_ms: 0,
            exemplars_max: 100_000,
            segment_bytes: 8 << 20,
            sync_interval_ms: 1000,
            checkpoint_bytes: 64 << 20,
            checkpoint_interval_ms: 2 * 3600 * 1000,
            idle_ms: 10 * 60_000,
            kept_row_series: 64,
            progress: None,
        }
    }
}
