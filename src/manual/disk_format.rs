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
//!   format                  "watchfire tsdb 2\n"
//!   lock                    held by the process that has it open
//!   manifest                which files below count
//!   wal/00000042            segments of the log, about 8 MiB each
//!   block/00000007          samples of many series over some time, immutable
//!   catalog/00000008.full, 00000009.delta, ...    labels, metadata, deleted times, exemplars
//!   archive/00000010        labels of series that have ended, immutable
//!   quarantine/             damaged files, kept for a look when they are replaced
//! ```
//!
//! Version 1 was that of development before the first release; it is refused with a hint.
//!
//! # What happens when
//!
//! A batch is written to the log and is then visible. A **flush** (every 64 MiB of log or 128 bytes per series,
//! from a sixteenth or a half of that on when a burst of writes has ended, when many series have ended, every two hours, at a
//! clean stop) pins the view of now and writes
//!
//! 1. a block with the samples that no block has, synced, renamed, the folder synced;
//! 2. a catalog file with what has changed of series, likewise;
//! 3. the manifest, beside, synced, renamed over the old one, the folder synced: from here on it has happened;
//! 4. then the segments of the log that the view covers are deleted.
//!
//! A crash before 3 leaves files that the manifest does not name: the next start removes them and replays the log.
//! A crash after 3 leaves log that is not needed: replay passes over records up to the manifest's. A **merge** and
//! **retention** change the set of blocks in the same way. Memory is given back when no reader holds the old list
//! of blocks; until then samples are in both places and are read once.
//!
//! Series to which nobody has written for ten to twenty minutes and whose samples are all in blocks are **archived**:
//! an archive is written, synced and renamed like a block and counts with the manifest; then the series leave memory
//! when no reader holds the old list of archives, and the next catalog file says that it does not have them any more.
//! A series that comes back keeps its number; the log names it again. What log and catalog say of a series counts
//! more than what archives say, and of these the newest one's word.
//!
//! # Frames
//!
//! Log, blocks, archives, catalog and manifest consist of frames ([`crate::codec::frame`]):
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
//! | 4 | row | a batch of a stream, most of which are floats of one time |
//!
//! - The sequence of a batch is its place in the order in which batches became visible. A segment's header names
//!   the newest record that was written before it: what an older segment holds beyond that was torn or
//!   refused. So nothing is ever repaired in place.
//! - *series*: count, then number varint and labels of each series that no earlier record names. Numbers rise and
//!   are never used twice.
//! - *samples*: count, then per sample a tag (bits 0-2: float, integer, stale, histogram, float histogram, stale
//!   histogram, stale float histogram; bit 3: number is the last one plus 1; bit 4: same time as the last; bit 5:
//!   with start timestamp; since version 2 bit 6: same number, bit 7: time as far on as the last), number and time as zigzag differences to the last sample where the tag does
//!   not say them, start as difference to the time, value. Integers are floats of fewer than 53 bits.
//!   Histograms are a hint byte, the layout and the counts.
//! - A *row* is what a stream, a scraped target, brings at one time. A **base** has every value:
//!
//!   ```text
//!   | stream varint | 0 | flags u8 | time zigzag | count | numbers | values | rest |
//!   ```
//!
//!   the rows after it say how they differ from it, and need nothing else:
//!
//!   ```text
//!   | stream varint | record of the base varint | flags u8 | time zigzag less the base's | absent | changed | values |
//!   | added: count, numbers, values | rest |
//!   ```
//!
//!   So a damaged row costs itself and a damaged base its rows, which are at most 32. After a flush, a failure or a
//!   start each stream begins with a base, so that none is needed which has been cut. Flags: 1 late samples are
//!   kept, 2 there is a rest (a batch as above with all that is no float of that time), 4 series are absent, 8
//!   series are added, 16 few values have changed. *Numbers* are stretches of neighbours: distance to the end of the
//!   one before zigzag, length less 1. *Absent* is a count of stretches, each with the series between and its
//!   length. *Changed* is a bit per series of the base, or, when few have, count and distances. A *value* is an integer to be
//!   divided by a power of ten; how many places each has is said in stretches (places u8, length less 1), with 16
//!   for those that are 8 bytes of float instead. A *changed value* is the zigzag difference of the integers, or
//!   0, other places and the difference then (the float, where these are 16); where the base has 16, it is the XOR
//!   with bytes swapped as varint. The writer has seen that each value comes back with every bit.
//! - Version 1 of the log, which had no rows, is read.
//! - A record is written with one write(2) before its batch is visible; the log is synced every second.
//!
//! # The manifest
//!
//! One frame of kind 1: magic `wf-man\0\0`, version, the newest record that blocks and catalog cover, the next
//! series number, the next file number, count and numbers of catalog files (twice the number, plus 1 for a
//! full one), count and numbers of blocks; since version 2 count and numbers of archives, in the order in which the
//! later one's word counts. Numbers of files are never used twice while the store is open. A damaged
//! manifest is replaced by "all files that are there", which shows each sample once all the same.
//!
//! # The catalog
//!
//! A full file holds everything, a delta what changed since the file before.
//!
//! | kind | name | payload |
//! |---|---|---|
//! | 1 | header | magic `wf-cat\0\0`, version |
//! | 2 | removed | numbers of series that were let go |
//! | 3 | pairs | number of the first, count, name and value texts: label pairs, numbered within the file |
//! | 4 | series | series after series: number, count and numbers of its pairs by name, u8 with metadata, deleted times |
//! | 5 | exemplars | series' labels, exemplar, and so on |
//! | 6 | end | count of frames |
//!
//! A deleted time is first and last zigzag and twice the record that said so, plus 1 when a late sample has come between
//! the times since. It hides what blocks have of the series that hold nothing newer than that record.
//!
//! # Blocks
//!
//! | kind | name | payload |
//! |---|---|---|
//! | 1 | header | magic `wf-blk\0\0`, version varint, level u8 (0 flushed, 1 two hours, 2 a day), newest record in it |
//! | 2 | page | neighbouring series with all that the block has of them; 8 KiB, in level 2 32 KiB |
//! | 3 | summary | per series: number (difference, twice, plus 1 when it ends in a histogram), first and last time as differences to the series before |
//! | 4 | directory | count of pages, per page first number and offset as differences |
//! | 5 | footer | first and last time, samples, series, where the pages end: u64 each; the last bytes of the file |
//!
//! A page stands alone:
//!
//! ```text
//! | lists of times: count, per list count, first zigzag, last as difference, length, integers |
//! | series: count; length of the directory |
//! | directory: number as difference, runs; per run list of times plus 1 (0: chunk with first time and span), length |
//! | the runs' bytes |
//! ```
//!
//! - *Integers*: tag u8 (bits 0-1: how often neighbours are subtracted, bit 2: all residues equal), the first values
//!   zigzag, the least residue zigzag, what divides all, then groups of 32: width in bits u8 and the residues less
//!   the least, divided, lowest bits first.
//! - *Floats* are at most 512 that share a list of times: tag u8 0 to 12: integers that are divided by that power of
//!   ten, with 64 more when exceptions follow (count, distance varint and 8 bytes each); 128: a length and the XOR
//!   code of chunks. The writer has seen that each value comes back with every bit.
//! - Everything else (start timestamps, native histograms) is a chunk.
//!
//! A damaged page costs the samples in it: who meets it gets an error that names file and offset, later reads go
//! without it, a merge keeps the old file in quarantine. A damaged summary, directory or footer is made again from
//! the pages.
//!
//! # Archives
//!
//! | kind | name | payload |
//! |---|---|---|
//! | 1 | header | magic `wf-arc\0\0`, version varint |
//! | 2 | series | up to 128 series by number |
//! | 3 | values | values of one label name, about 8 KiB |
//! | 4 | list | numbers of series, where they take more than 512 bytes; the last one names all series |
//! | 5 | hashes | up to 170 hashes of labels (xxHash64 of upstream's layout) u64, rising, each with its series u32 |
//! | 6 | directory | counts of series and of those with deleted times, first and last time zigzag, offset and bytes of the last list; then, offsets as differences, count and (first number, offset) of pages of series, count and (name, first and last time, its first page) of label names, count and (first value, offset) of pages of values, count and (first u64, offset) of pages of hashes |
//! | 7 | footer | where the directory begins, u64; the last bytes of the file |
//!
//! Pages stand alone:
//!
//! ```text
//! | pairs: count, name and value texts | metadata: count, each |
//! | series: count; number as difference, first time as difference to the series before, last as difference to the first, |
//! |         flags (1: ends in a histogram), number of metadata plus 1, count and numbers of pairs, deleted times |
//!
//! | name text | values: count; text, first time of its series, last as difference, |
//! |           0 and a length and the list, or the length of the list and the offset of its frame |
//! ```
//!
//! A *list* is stretches of neighbours: distance to the end of the one before, twice, plus 1 when a length less 2
//! follows; else the length is 1. Times are zigzag. A damaged page costs the series in it their labels: who meets it
//! gets an error, later reads go without it. Those that log, catalog or an older archive name too have what blocks
//! hold of them. A damaged directory or footer is made again from the pages.
//!
//! # Chunks
//!
//! Kind u8, count varint, first time zigzag, span zigzag, length and bytes. At most 120 samples and two hours. Chunks
//! are also what samples are in memory.
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
