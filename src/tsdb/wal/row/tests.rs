use proptest::prelude::*;

use super::*;
use crate::codec::Reader;
use crate::model::{Labels, Sample};
use crate::tsdb::wal::record::Record;

/// What a target may do from one scrape to the next.
#[derive(Debug, Clone)]
enum Change {
    Count(u8),
    Set(usize, f64),
    Absent(usize),
    Insert(usize),
    Remove(usize),
    Swap(usize, usize),
    Fail,
}

fn change() -> impl Strategy<Value = Change> {
    let at = 0usize..40;
    let value = prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        (-1_000_000i64..1_000_000, 0u32..6).prop_map(|(i, e)| i as f64 / 10f64.powi(e as i32)),
        Just(-0.0),
    ];
    prop_oneof![
        6 => any::<u8>().prop_map(Change::Count),
        6 => (at.clone(), value).prop_map(|(at, value)| Change::Set(at, value)),
        3 => at.clone().prop_map(Change::Absent),
        1 => at.clone().prop_map(Change::Insert),
        1 => at.clone().prop_map(Change::Remove),
        1 => (at.clone(), at).prop_map(|(a, b)| Change::Swap(a, b)),
        1 => Just(Change::Fail),
    ]
}

/// The batches of a target that scrapes and changes.
fn batches(changes: &[Change]) -> Vec<Batch> {
    let mut page: Vec<(SeriesId, f64)> = (10..40).map(|id| (id, f64::from(id) * 0.5)).collect();
    let mut next_id = 1000;
    let mut batches = Vec::new();
    for (scrape, change) in changes.iter().enumerate() {
        let mut absent = None;
        let length = page.len();
        match change {
            Change::Count(by) => {
                let steps = page.iter_mut().step_by(1 + usize::from(*by % 11));
                steps.for_each(|(_, value)| *value += f64::from(*by));
            }
            Change::Set(at, to) => page[at % length].1 = *to,
            Change::Absent(at) => absent = Some(at % length),
            Change::Insert(at) => {
                page.insert(at % length, (next_id, 0.25));
                next_id += 1;
            }
            Change::Remove(at) => {
                if length > 20 {
                    page.remove(at % length);
                }
            }
            Change::Swap(a, b) => page.swap(a % length, b % length),
            Change::Fail => {}
        }
        let mut row = page.clone();
        if let Some(at) = absent {
            row.drain(at..length.min(at + 3));
        }
        let mut batch = Batch {
            row_ms: 1_700_000_000_000 + scrape as i64 * 15_000,
            row,
            out_of_order: scrape % 2 == 0,
            ..Batch::default()
        };
        if matches!(change, Change::Fail) {
            batch.row.truncate(5);
            batch.samples = vec![(7, Sample::float(5, f64::NAN))];
            batch.series = vec![(7, Labels::from_pairs([("a", "b")]))];
        }
        batches.push(batch);
    }
    batches
}

/// What a log has of each batch: the row, or nothing when it was written otherwise.
fn written(batches: &[Batch]) -> Vec<Option<Vec<u8>>> {
    let mut streams = Streams::default();
    let mut rows = Vec::new();
    for (at, batch) in batches.iter().enumerate() {
        let mut out = Vec::new();
        let row = streams.put(&mut out, 77, batch);
        rows.push(row.is_some().then_some(out));
        if let Some(row) = row {
            streams.written(row, at as u64 + 1);
        }
    }
    rows
}

fn assert_same(read: &Batch, batch: &Batch) {
    let bits = |row: &[(SeriesId, f64)]| {
        let mut bits: Vec<_> = row.iter().map(|(id, v)| (*id, v.to_bits())).collect();
        bits.sort_unstable();
        bits
    };
    assert_eq!(bits(&read.row), bits(&batch.row));
    assert_eq!(read.row_ms, batch.row_ms);
    assert_eq!(read.out_of_order, batch.out_of_order);
    assert_eq!(read.series, batch.series);
    assert_eq!(read.samples.len(), batch.samples.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn rows_come_back_whatever_a_target_does(changes in prop::collection::vec(change(), 1..80)) {
        let batches = batches(&changes);
        let mut bases = Bases::default();
        let mut distance = 0;
        for (at, (row, batch)) in written(&batches).iter().zip(&batches).enumerate() {
            let Some(row) = row else {
                prop_assert!(batch.row.len() < 15);
                continue;
            };
            match bases.read(row, at as u64 + 1) {
                Ok(Row::Record(Record::Batch(read))) => assert_same(&read, batch),
                other => prop_assert!(false, "{other:?}"),
            }
            let is_base = bases.by_number[&1].sequence == at as u64 + 1;
            distance = if is_base { 0 } else { distance + 1 };
            prop_assert!(distance <= ROWS_MAX);
        }
    }

    #[test]
    fn a_lost_row_never_makes_another_wrong(changes in prop::collection::vec(change(), 1..80), lost in prop::collection::vec(any::<bool>(), 80)) {
        let batches = batches(&changes);
        let mut bases = Bases::default();
        let mut base = 0;
        for (at, (row, batch)) in written(&batches).iter().zip(&batches).enumerate() {
            let Some(row) = row.as_ref() else {
                continue;
            };
            let of = {
                let mut reader = Reader::new(row);
                reader.varint().unwrap();
                reader.varint().unwrap()
            };
            if lost[at] {
                continue;
            }
            if of == 0 {
                base = at as u64 + 1;
            }
            match bases.read(row, at as u64 + 1) {
                Ok(Row::Record(Record::Batch(read))) => {
                    prop_assert!(of == 0 || of == base);
                    assert_same(&read, batch);
                }
                Ok(Row::Baseless { base: needed, .. }) => prop_assert!(needed == of && of != base),
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    #[test]
    fn any_bytes_are_a_row_or_refused(changes in prop::collection::vec(change(), 1..40), bytes in prop::collection::vec(any::<u8>(), 0..60), cut in any::<prop::sample::Index>()) {
        let mut bases = Bases::default();
        let _ = bases.read(&bytes, 1);
        let rows = written(&batches(&changes));
        for (at, row) in rows.iter().enumerate() {
            let Some(row) = row else { continue };
            let mut changed = row.clone();
            let cut = cut.index(row.len());
            changed.truncate(cut);
            let torn = bases.clone().read(&changed, 9999);
            prop_assert!(!matches!(torn, Ok(Row::Record(_))));
            changed.extend_from_slice(&bytes);
            let _ = bases.clone().read(&changed, 9999);
            let _ = bases.read(row, at as u64 + 1);
        }
    }
}

#[test]
fn a_steady_page_takes_about_a_byte_for_each_change() {
    let mut streams = Streams::default();
    let mut bytes = 0;
    for scrape in 0..64i64 {
        let row = (0..1000).map(|id| {
            let moves = i64::from(id % 2) * scrape;
            (
                id,
                (1_000_000 + i64::from(id) * 1000 + moves * 3) as f64 / 100.0,
            )
        });
        let batch = Batch {
            row_ms: scrape * 1000,
            row: row.collect(),
            ..Batch::default()
        };
        let mut out = Vec::new();
        let row = streams.put(&mut out, 1, &batch).unwrap();
        streams.written(row, scrape as u64 + 1);
        // The first base cannot know how many places its series need.
        if scrape > 32 {
            bytes += out.len();
        }
    }
    assert!(bytes < 40_000, "{bytes} bytes for 31,000 samples");
}
