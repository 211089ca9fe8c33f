//! The bytes on the disk.
//!
//! All integers are little-endian; *varint* is seven bits per byte, lowest first; *zigzag* maps 0, -1, 1, -2 to
//! 0, 1, 2, 3 before that; *text* is a varint length and UTF-8; *labels* are a varint count and pairs of
//! texts. A newer version of a file than the program knows is refused by name.
//!
//! # The folder
//!
//! ```text
//! data/tsdb/
//!   format                  "watchfire tsdb 1\n"
//!   lock                    held by the process that has it open
//!   wal/00000042            segments of the log, about 8 MiB each
//!   checkpoint/00000007.full, 00000008.delta, ...
//!   quarantine/             damaged files, kept for a look when they are replaced
//! ```
//!
//! # Frames
//!
//! Log and checkpoints consist of frames ([`crate::codec::frame`]):
//!
//! ```text
//! | length u32 | crc32c u32 | kind u8 | sequence u64 | payload ... |
//! ```
//!
//! The checksum covers the file's number, sequence, length, kind and payload, so that a frame in the wrong file
//! or place does not pass. A reader keeps the longest good prefix; past damage it looks for the next good
//! frame with a later sequence, so damage costs what it hits.
//!
//! # The log
//!
//! | kind | name | payload |
//! |---|---|---|
//! | 1 | segment | magic `wf-wal\0\0`, version varint, newest good record before this segment varint |
//! | 2 | batch | flags u8 (1: late samples are kept), series, samples, exemplars, metadata |
//! | 3 | delete | from zigzag, to zigzag, series numbers |
//!
//! - The sequence of a batch is its place in the order in which batches became visible. A segment's header names
//!   the newest record that was written before it: what an older segment holds beyond that was torn or
//!   refused. So nothing is ever repaired in place.
//! - *series*: count, then number varint and labels of each series that no earlier record names. Numbers rise and
//!   are never used twice.
//! - *samples*: count, then per sample a tag (bits 0-2: float, integer, stale, histogram, float histogram, stale
//!   histogram, stale float histogram; bit 3: number is the last one plus 1; bit 4: same time as the last; bit 5:
//!   with start timestamp), number and time as zigzag differences to the last sample where the tag does
//!   not say them, start as difference to the time, value. Integers are floats of fewer than 53 bits.
//!   Histograms are a hint byte, the layout and the counts.
//! - A record is written with one write(2) before its batch is visible; the log is synced every second.
//!
//! # Checkpoints
//!
//! A full checkpoint holds everything, a delta what changed since the file before. Each is written to `.tmp`,
//! synced, renamed, the folder synced; then the log it covers is deleted. The state is the newest full
//! one and the deltas after it.
//!
//! | kind | name | payload |
//! |---|---|---|
//! | 1 | header | magic `wf-chk\0\0`, version, newest record that it covers, next series number, span of times |
//! | 2 | removed | numbers of series that were let go |
//! | 3 | series | series after series: number, parts u8, (1: labels, metadata, deleted times), number of the first chunk, number of its first sample, chunks, (2: late samples) |
//! | 4 | exemplars | series' labels, exemplar, and so on |
//! | 5 | end | count of frames |
//!
//! Chunks from the first one named replace those with the same or higher numbers from older files.
//!
//! # Chunks
//!
//! Kind u8, count varint, first time zigzag, span zigzag, length and bytes. At most 120 samples and two hours.
//!
//! - *Floats* (1; 2 with start timestamps) are a stream of bits: the first sample has 64 bits of time, (64 of
//!   start,) 64 of value. Each other: (1 bit whether the start changed, 64 bits if so,) the change of
//!   the time difference (`0`, `10`+7, `110`+14, `1110`+20, `1111`+64 bits, two's complement), the XOR with the value
//!   before (`0` same; `10` and the bits of the last window; `11`, 5 bits leading zeros, 6 bits length less
//!   one, the bits). Every bit of every float comes back.
//! - *Histograms* (3; 4 float): the layout (schema zigzag, zero threshold, positive spans and bucket count, negative
//!   ones, custom bounds), then per sample flags (bits 0-1 reset hint, 4 stale, 8 start changed), the change of
//!   the time difference zigzag, the new start zigzag, and counts as differences to the histogram before:
//!   integers as zigzag, floats as XOR with bytes swapped as varint.
