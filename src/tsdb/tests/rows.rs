//! A row must bring what its samples bring one by one.

use proptest::prelude::*;

use super::*;
use crate::storage::{Appender, SeriesRef};

/// Series that batches write, and one more that the store does not know.
const SERIES: usize = 12;

/// What became of a sample: added, unknown, or why it was refused.
type Fate = Result<bool, AppendError>;

fn row(batch: &mut dyn Appender, ms: i64, samples: &[(SeriesRef, f64)]) -> Vec<Fate> {
    let mut fates = Vec::new();
    while fates.len() < samples.len() {
        let rest = &samples[fates.len()..];
        let (added, refused) = batch.append_row(ms, rest);
        fates.extend((0..added).map(|_| Ok(true)));
        if added < rest.len() {
            fates.push(refused.map_or(Ok(false), Err));
        } else {
            assert_eq!(refused, None);
        }
    }
    fates
}

fn one_by_one(batch: &mut dyn Appender, ms: i64, samples: &[(SeriesRef, f64)]) -> Vec<Fate> {
    let samples = samples.iter();
    samples
        .map(|(series, value)| batch.append_known(*series, &Sample::float(ms, *value)))
        .collect()
}

fn runs(batch: &mut dyn Appender, series: SeriesRef, samples: &[(i64, f64)]) -> Vec<Fate> {
    let mut fates: Vec<Fate> = Vec::new();
    while fates.len() < samples.len() {
        let mut rest = samples[fates.len()..].iter().copied();
        let mut told = 0;
        let fate = batch.append_run(series, &mut || {
            let next = rest.next();
            told += usize::from(next.is_some());
            next
        });
        match fate {
            Ok(true) => fates.extend((0..told).map(|_| Ok(true))),
            Ok(false) => fates.resize(samples.len(), Ok(false)),
            Err(_) => {
                fates.extend((1..told).map(|_| Ok(true)));
                fates.push(fate);
            }
        }
    }
    fates
}

/// Which series there are from the start, and batches of rows: how much later each is, and what it has.
type Rows = Vec<(i64, Vec<(usize, u8)>)>;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_row_is_its_samples_one_by_one(
        batches in prop::collection::vec(
            (
                prop::collection::vec((0..SERIES, any::<bool>()), 0..3),
                prop::collection::vec(
                    (
                        prop_oneof![4 => 1i64..20_000, 1 => -5_000_000i64..5_000_000, 1 => Just(0i64)],
                        prop::collection::vec((0..=SERIES, 0u8..3), 0..40),
                    ),
                    1..3,
                ),
                any::<bool>(),
            ),
            1..8,
        ),
        window_ms in prop_oneof![Just(0i64), Just(10_000i64)],
    ) {
        let disk = MemoryDisk::new();
        let options = Options { out_of_order_window_ms: window_ms, ..Options::default() };
        let (quick, plain) = (open(&disk, options.clone()), open(&MemoryDisk::new(), options.clone()));
        let mut names = [SeriesRef(1000); SERIES + 1];
        let mut ms = 10_000_000;
        for (created, rows, kept) in batches {
            let rows: Rows = rows;
            let mut batch = quick.appender();
            let mut other = plain.appender();
            batch.set_stream(7);
            other.set_stream(7);
            for (i, late) in created {
                let sample = Sample::float(ms - i64::from(late), 0.5);
                let made = batch.append(None, &series(i as i64), sample.clone());
                prop_assert_eq!(&made, &other.append(None, &series(i as i64), sample));
                if let Ok(name) = made {
                    names[i] = name;
                }
            }
            for (later, samples) in rows {
                ms += later;
                let samples: Vec<_> = samples.iter().map(|(i, v)| (names[*i], f64::from(*v))).collect();
                let fates = row(&mut *batch, ms, &samples);
                prop_assert_eq!(fates, one_by_one(&mut *other, ms, &samples));
            }
            if kept {
                prop_assert_eq!(batch.commit().unwrap(), other.commit().unwrap());
            }
        }
        let written = dump(&quick);
        prop_assert_eq!(&written, &dump(&plain));
        disk.kill();
        prop_assert_eq!(&written, &dump(&open(&disk, options)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_run_is_its_samples_one_by_one(
        batches in prop::collection::vec(
            prop::collection::vec(
                (0..4usize, prop::collection::vec((-3i64..10, 0u8..3), 0..60)),
                1..8,
            ),
            1..5,
        ),
        window_ms in prop_oneof![Just(0i64), Just(10_000i64)],
    ) {
        let disk = MemoryDisk::new();
        let options = Options { out_of_order_window_ms: window_ms, ..Options::default() };
        let (quick, plain) = (open(&disk, options.clone()), open(&MemoryDisk::new(), options.clone()));
        // The store does not know the last.
        let mut names = [SeriesRef(1000); 4];
        let mut times = [10_000_000i64; 4];
        for db in [&quick, &plain] {
            let mut batch = db.push_appender();
            for (i, name) in names.iter_mut().enumerate().take(3) {
                *name = batch.append(None, &series(i as i64), Sample::float(9_999_000, 0.5)).unwrap();
            }
            batch.commit().unwrap();
        }
        for batches in batches {
            let (mut batch, mut other) = (quick.push_appender(), plain.push_appender());
            for (i, samples) in batches {
                let samples = samples.iter().map(|(later, value)| {
                    times[i] += later * 1000;
                    (times[i], f64::from(*value))
                });
                let samples: Vec<(i64, f64)> = samples.collect();
                let one_by_one = samples.iter().map(|(ms, value)| {
                    other.append_known(names[i], &Sample::float(*ms, *value))
                });
                let one_by_one: Vec<Fate> = one_by_one.collect();
                prop_assert_eq!(runs(&mut *batch, names[i], &samples), one_by_one);
            }
            prop_assert_eq!(batch.commit().unwrap(), other.commit().unwrap());
        }
        let written = dump(&quick);
        prop_assert_eq!(&written, &dump(&plain));
        disk.kill();
        prop_assert_eq!(&written, &dump(&open(&disk, options)));
    }
}
