use proptest::prelude::*;

use super::*;
use crate::disk::memory::MemoryDisk;
use crate::model::{Labels, Sample};
use crate::tsdb::recovery::{Progress, Recovery};

fn read(disk: &MemoryDisk) -> (usize, Recovery) {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut recovery = Recovery::default();
    let mut records = 0;
    replay(&disk, 0, &mut recovery, &Progress::default(), |_, _| {
        records += 1;
    })
    .unwrap();
    (records, recovery)
}

fn write(disk: &MemoryDisk, records: usize) -> Wal {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut wal = Wal::resume(shared, &Replayed::default(), 200).unwrap();
    for i in 0..records {
        let record = Record::Delete {
            ids: vec![i as u32],
            min_ms: 0,
            max_ms: 1,
        };
        wal.append(&record).unwrap();
    }
    wal
}

#[test]
fn segments_end_when_they_are_full_and_go_when_they_are_saved() {
    let disk = MemoryDisk::new();
    let mut wal = write(&disk, 40);
    let segments = wal.segments();
    assert!(segments > 4);
    assert_eq!(
        read(&disk),
        (
            40,
            Recovery {
                records: 40,
                ..Recovery::default()
            }
        )
    );
    wal.delete_through(20).unwrap();
    assert!(wal.segments() < segments);
    let (left, recovery) = read(&disk);
    assert!((20..40).contains(&left));
    // Nobody said that the first records were saved elsewhere.
    assert_eq!(recovery.damages.len(), 0);
}

#[test]
fn a_missing_segment_is_reported() {
    let disk = MemoryDisk::new();
    write(&disk, 40);
    disk.remove(&path(3)).unwrap();
    let (left, recovery) = read(&disk);
    assert!(left < 40);
    assert_eq!(recovery.damages.len(), 1);
    assert_eq!(recovery.damages[0].path, path(4));
}

#[test]
fn a_log_of_the_version_without_rows_is_read() {
    let disk = MemoryDisk::new();
    let mut bytes = Vec::new();
    let start = frame::begin(&mut bytes);
    let header = SegmentHeader {
        version: 1,
        previous: 0,
    };
    header.put(&mut bytes);
    frame::finish(&mut bytes, start, 1, SEGMENT, 0);
    for sequence in 1..4 {
        let batch = Batch {
            series: vec![(1, Labels::from_pairs([("__name__", "m")]))],
            samples: vec![(1, Sample::float(sequence as i64, 0.5))],
            ..Batch::default()
        };
        let start = frame::begin(&mut bytes);
        batch.put(&mut bytes);
        frame::finish(&mut bytes, start, 1, BATCH, sequence);
    }
    disk.create(&path(1)).unwrap().append(&bytes).unwrap();
    let (records, recovery) = read(&disk);
    assert_eq!((records, recovery.damages), (3, Vec::new()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_bit_costs_one_record(segment in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>()) {
        let disk = MemoryDisk::new();
        let segment = 1 + segment.index(write(&disk, 40).segments()) as u64;
        let size = disk.read(&path(segment)).unwrap().len();
        disk.flip_bit(&path(segment), bit.index(size * 8) as u64);
        let (left, recovery) = read(&disk);
        prop_assert!(left >= 39, "{left} records, {recovery:?}");
    }

    #[test]
    fn any_bytes_in_a_segment_are_survived(garbage in prop::collection::vec(any::<u8>(), 0..300), at in 1u64..9) {
        let disk = MemoryDisk::new();
        write(&disk, 10);
        let file = disk.create(&path(at)).unwrap();
        file.append(&garbage).unwrap();
        read(&disk);
    }
}
