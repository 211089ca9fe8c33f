//! Compatibility of storage with Prometheus 3.14.
//!
//! | subject | status |
//! |---|---|
//! | order, duplicates, out of bounds (newest minus 1h), `out_of_order_time_window`, their texts | as upstream (`tsdb::head::tests::order_is_judged_as_upstream_does`); an out-of-order sample at a time that is there already is refused as a duplicate at once, where upstream keeps both until compaction |
//! | native histograms, integer, float, custom buckets; counter reset hints on read | as upstream, but chunks are not cut by size, so `Unknown` hints are rarer |
//! | staleness markers of scrapes in histogram series | become histograms, as upstream |
//! | start timestamps | kept |
//! | exemplars: ring, 128 characters, order, feature `exemplar-storage` | as upstream |
//! | isolation: a query sees whole batches only | as upstream; label names and values too |
//! | label names and values | only of series with samples near the range asked for; upstream answers from whole blocks |
//! | memory | holds labels of series that are written to, and samples since the last flush (10 minutes to 2 hours); the rest is in blocks, and labels of series that ended 10 to 20 minutes ago are in archives, from which queries read page by page (`tsdb::tests::archives`); upstream holds two to three hours and maps the index of all blocks |
//! | retention by time, size and percentage | by whole blocks, as upstream; blocks are of 2 h and 24 h (2 h when the retention is under 10 days); size counts blocks, catalog and log |
//! | `/api/v1/admin/tsdb/delete_series`, `clean_tombstones` | work (`clean_tombstones` writes the blocks again that hold deleted samples); `snapshot` copies blocks and catalog to `snapshots/NAME`, reads every checksum of the copy again and answers when it is good; the copy is a data folder of ours. Upstream links files |
//! | `/api/v1/write` | 1.0 and 2.0, snappy. 503 when the disk is full, where upstream says 500 |
//! | `/federate` | text format; native histograms show count and sum alone; protobuf is not offered |
//! | data folder | our own format ([`crate::manual::disk_format`]) under `tsdb/`; Prometheus blocks are neither read nor touched |
//! | kill -9 | loses nothing that a query has shown; upstream may lose what its write log still buffers |
//! | full disk | scrapes stay visible in memory and are saved when space returns; upstream drops them |
//! | damaged files | cost what they hit, are reported and kept in `tsdb/quarantine`; upstream truncates the log behind the damage |
