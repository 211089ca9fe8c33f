use super::*;
use crate::disk::memory::MemoryDisk;
use crate::model::{Sample, SampleValue};
use crate::tsdb::chunk::tests::histogram;

fn disk() -> (MemoryDisk, Arc<dyn Disk>) {
    let disk = MemoryDisk::new();
    (disk.clone(), Arc::new(disk))
}

fn plan(number: u64) -> Plan {
    Plan {
        number,
        level: 0,
        through: number * 10,
    }
}

/// A block in which series `id` has `id % 50 + 1` samples, each third of histograms.
fn write(disk: &Arc<dyn Disk>, number: u64, ids: std::ops::Range<u32>, from_ms: i64) {
    let mut writer = Writer::create(disk, plan(number)).unwrap();
    for id in ids {
        let mut runs = Runs::default();
        for i in 0..=i64::from(id % 50) {
            let ms = from_ms + i * 15_000;
            let mut sample = Sample::float(ms, (i * i) as f64);
            if id % 3 == 0 {
                sample.value = SampleValue::Histogram(Arc::new(histogram(i as u64)));
            }
            runs.push(&sample);
        }
        writer.add(id, &runs.finish()).unwrap();
    }
    writer.finish().unwrap();
}

fn open(disk: &Arc<dyn Disk>, number: u64) -> (Block, Vec<SeriesSpan>, bool) {
    let mut spans = Vec::new();
    let (block, healed) = Block::open(disk, number, |span| spans.push(span)).unwrap();
    (block, spans, healed)
}

fn texts(runs: Vec<Run>) -> Vec<String> {
    runs.into_iter()
        .flat_map(Run::samples)
        .map(|sample| format!("{:?}", sample.unwrap()))
        .collect()
}

fn all(block: &Block, ids: std::ops::Range<u32>) -> Vec<Vec<String>> {
    ids.map(|id| texts(block.read(id, i64::MIN, i64::MAX).unwrap()))
        .collect()
}

#[test]
fn every_series_is_found_with_its_samples() {
    let (_, disk) = disk();
    write(&disk, 1, 7..600, 1_000_000);
    let (block, spans, healed) = open(&disk, 1);
    assert!(!healed && block.pages() > 3);
    assert_eq!((spans.len(), block.footer.series), (593, 593));
    assert_eq!(
        (spans[0].id, spans[0].first_ms, spans[0].last_ms),
        (7, 1_000_000, 1_105_000)
    );
    assert!(spans[2].is_histogram && !spans[0].is_histogram);
    for id in 7..600 {
        assert_eq!(all(&block, id..id + 1)[0].len() as u32, id % 50 + 1);
    }
    assert!(block.read(3, 0, i64::MAX).unwrap().is_empty());
    assert!(block.read(600, 0, i64::MAX).unwrap().is_empty());
    assert!(block.read(8, 0, 999_999).unwrap().is_empty());
}

#[test]
fn merging_joins_series_and_leaves_out_what_is_deleted() {
    let (_, disk) = disk();
    write(&disk, 1, 0..100, 0);
    write(&disk, 2, 50..150, 1_000_000);
    let blocks: Vec<_> = (1..=2).map(|n| Arc::new(open(&disk, n).0)).collect();
    let merged = Plan {
        number: 3,
        level: 1,
        through: 20,
    };
    let writer = Writer::create(&disk, merged).unwrap();
    // Only the older block is older than the deletion.
    let deleted = |id| {
        Ok(if id == 70 {
            vec![(15_000, 2_000_000, 15)]
        } else {
            Vec::new()
        })
    };
    merge_blocks(&blocks, writer, deleted, || true).unwrap();
    let (block, spans, _) = open(&disk, 3);
    assert_eq!((spans.len(), block.level(), block.through()), (150, 1, 20));
    for id in 0..150 {
        let mut expected = all(&blocks[0], id..id + 1).remove(0);
        if id == 70 {
            expected.truncate(1);
        }
        expected.extend(all(&blocks[1], id..id + 1).remove(0));
        assert_eq!(all(&block, id..id + 1)[0], expected, "series {id}");
    }
}

#[test]
fn a_flipped_bit_costs_a_page_and_never_a_value() {
    let (files, disk) = disk();
    write(&disk, 1, 0..120, 0);
    let bytes = disk.read(&path(1)).unwrap();
    let good = all(&open(&disk, 1).0, 0..120);
    for bit in (0..bytes.len() as u64 * 8).step_by(397) {
        files.flip_bit(&path(1), bit);
        let mut spans = Vec::new();
        match Block::open(&disk, 1, |span| spans.push(span)) {
            Ok((block, _)) => {
                let mut missing = 0;
                for id in 0..120 {
                    // The first who meets a damaged page is told.
                    let runs = block
                        .read(id, i64::MIN, i64::MAX)
                        .or_else(|_| block.read(id, i64::MIN, i64::MAX))
                        .unwrap();
                    let found = texts(runs);
                    if found.is_empty() {
                        missing += 1;
                    } else {
                        assert_eq!(found, good[id as usize], "bit {bit}");
                    }
                }
                assert!(missing < 60, "bit {bit}: {missing} series are lost");
            }
            // The version is in the header, under its checksum.
            Err(e) => panic!("bit {bit}: {e}"),
        }
        files.flip_bit(&path(1), bit);
    }
}

#[test]
fn a_newer_block_is_refused_by_name() {
    let (_, disk) = disk();
    let file = disk.create(&path(1)).unwrap();
    let mut bytes = Vec::new();
    let start = codec::frame::begin(&mut bytes);
    codec::put_u64(&mut bytes, MAGIC);
    codec::put_varint(&mut bytes, 9);
    bytes.extend_from_slice(&[0, 0]);
    codec::frame::finish(&mut bytes, start, 1, HEADER, 0);
    file.append(&bytes).unwrap();
    assert!(matches!(
        Block::open(&disk, 1, |_| {}),
        Err(Error::NewerFormat { found: 9, .. })
    ));
}
