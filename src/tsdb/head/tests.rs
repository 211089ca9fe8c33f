use super::*;

fn up(job: &str) -> Labels {
    Labels::from_pairs([("__name__", "up"), ("job", job)])
}

fn head_with(samples: &[(i64, f64)]) -> Head {
    let mut head = Head::new(10);
    let id = head.series_id(&up("a")).unwrap();
    head.apply(
        1,
        Batch {
            samples: samples
                .iter()
                .map(|(ms, v)| (id, Sample::float(*ms, *v)))
                .collect(),
            ..Batch::default()
        },
    );
    head
}

/// The times of the samples that a reader sees in series 0.
fn times(head: &Head, pin: &Pin) -> Vec<i64> {
    let view = head.view(0, pin, i64::MIN, i64::MAX);
    view.into_iter()
        .flatten()
        .map(|s| s.unwrap().timestamp_ms)
        .collect()
}

fn check(head: &Head, ms: i64, v: f64, window: i64) -> Result<(), AppendError> {
    let newest = head.table().get(0).unwrap().newest_ms();
    let there = || head.value_at(0, ms);
    head.check(newest, there, &Sample::float(ms, v), window)
}

#[test]
fn order_is_judged_as_upstream_does() {
    let hour = 3_600_000;
    let head = head_with(&[(5 * hour, 1.0), (6 * hour, 2.0)]);
    assert_eq!(check(&head, 6 * hour, 2.0, 0), Ok(()));
    assert_eq!(
        check(&head, 6 * hour, 3.0, 0),
        Err(AppendError::DuplicateTimestamp)
    );
    assert_eq!(
        check(&head, 6 * hour - 1, 3.0, 0),
        Err(AppendError::OutOfOrder)
    );
    assert_eq!(
        check(&head, 5 * hour - 1, 3.0, 0),
        Err(AppendError::OutOfBounds)
    );
    assert_eq!(check(&head, 5 * hour - 1, 3.0, 2 * hour), Ok(()));
    assert_eq!(
        check(&head, 4 * hour - 1, 3.0, 2 * hour),
        Err(AppendError::TooOld)
    );
    assert_eq!(
        check(&head, 5 * hour, 3.0, 2 * hour),
        Err(AppendError::DuplicateTimestamp)
    );
}

#[test]
fn a_series_shows_up_when_its_batch_is_applied() {
    let mut head = Head::new(0);
    let id = head.series_id(&up("a")).unwrap();
    assert!(head.select(&[]).is_empty());
    let pinned = head.pin();
    head.apply(
        1,
        Batch {
            samples: vec![(id, Sample::float(1, 1.0))],
            ..Batch::default()
        },
    );
    assert!(head.view(id, &pinned, i64::MIN, i64::MAX).is_none());
    head.unpin(&pinned);
    assert_eq!(head.select(&[]), [id]);
    assert_eq!(times(&head, &head.pin()), [1]);
}

#[test]
fn retention_lets_chunks_and_then_the_series_go() {
    let samples: Vec<_> = (0..500).map(|i| (i, 1.0)).collect();
    let mut head = head_with(&samples);
    assert_eq!(head.drop_before(250, i64::MAX, 0), None);
    assert_eq!(times(&head, &head.pin()), (240..500).collect::<Vec<_>>());
    head.drop_before(500, i64::MAX, 0);
    assert_eq!(head.table().len(), 1, "an appender may be about to use it");
    head.drop_before(500, i64::MAX, 0);
    assert_eq!(head.table().len(), 0);
    assert!(head.index().names().is_empty());
}

#[test]
fn what_is_deleted_is_not_read() {
    let samples: Vec<_> = (0..300).map(|i| (i, 1.0)).collect();
    let mut head = head_with(&samples);
    assert_eq!(head.delete(&[0], 100, 199, 2), 1);
    let pin = head.pin();
    assert_eq!(times(&head, &pin).len(), 200);
    assert!(head.view(0, &pin, 120, 150).is_none());
}

#[test]
fn late_samples_are_merged_and_isolated() {
    let mut head = head_with(&[(10, 1.0), (20, 2.0), (30, 3.0)]);
    let pinned = head.pin();
    let late = Batch {
        out_of_order: true,
        samples: vec![
            (0, Sample::float(25, 2.5)),
            (0, Sample::float(5, 0.5)),
            (0, Sample::float(20, 9.0)),
        ],
        ..Batch::default()
    };
    assert_eq!(head.apply(2, late).samples, 2);
    assert_eq!(times(&head, &pinned), [10, 20, 30]);
    assert_eq!(times(&head, &head.pin()), [5, 10, 20, 25, 30]);
}

#[test]
fn a_reader_keeps_its_view_while_batches_come() {
    let mut head = head_with(&[(0, 1.0)]);
    let mut pins = Vec::new();
    for sequence in 2..300 {
        if sequence % 50 == 0 {
            pins.push((sequence - 1, head.pin()));
        }
        let batch = Batch {
            samples: vec![(0, Sample::float(sequence as i64, 1.0))],
            ..Batch::default()
        };
        head.apply(sequence, batch);
    }
    for (count, pin) in &pins {
        assert_eq!(times(&head, pin).len(), *count as usize);
    }
    assert_eq!(times(&head, &head.pin()).len(), 299);
    // In any order readers leave, the others keep theirs.
    head.unpin(&pins[2].1);
    head.apply(
        300,
        Batch {
            samples: vec![(0, Sample::float(300, 1.0))],
            ..Batch::default()
        },
    );
    assert_eq!(times(&head, &pins[1].1).len(), 99);
    assert_eq!(times(&head, &pins[4].1).len(), 249);
}

#[test]
fn what_a_flush_took_is_let_go_and_the_rest_stays() {
    let samples: Vec<_> = (0..400).map(|i| (i, i as f64)).collect();
    let mut head = head_with(&samples[..250]);
    let first = head.pin_flush();
    let late = |ms| (0, Sample::float(ms, 0.5));
    let batch = |samples: Vec<_>| Batch {
        out_of_order: true,
        samples,
        ..Batch::default()
    };
    let more = samples[250..].iter();
    let more = more.map(|(ms, v)| (0, Sample::float(*ms, *v))).collect();
    head.apply(2, batch(more));
    head.apply(3, batch(vec![late(-7)]));
    let taken = |head: &Head, since, sequence| {
        let mut times = Vec::new();
        for (_, fresh) in head.fresh(since, sequence, 0).0 {
            fresh.each(|s| times.push(s.timestamp_ms)).unwrap();
        }
        times
    };
    assert_eq!(taken(&head, None, first), (0..250).collect::<Vec<_>>());
    let second = head.pin_flush();
    let rest: Vec<i64> = std::iter::once(-7).chain(250..400).collect();
    assert_eq!(taken(&head, Some(first), second), rest);
    head.flushed(first, 0);
    head.unpin_flush(first);
    // Sealed chunks go as a whole.
    let left = times(&head, &head.pin());
    assert_eq!((left[0], left.len()), (-7, 161));
    assert_eq!(taken(&head, Some(first), second).len(), 151);
    head.flushed(second, 0);
    assert!(times(&head, &head.pin()).is_empty());
    assert_eq!(head.table().get(0).unwrap().chunk_count(), 0);
    assert_eq!(
        check(&head, 399, 399.0, 0),
        Ok(()),
        "its newest value is known"
    );
    assert_eq!(
        check(&head, 399, 0.0, 0),
        Err(AppendError::DuplicateTimestamp)
    );
}

#[test]
fn the_catalog_brings_series_back() {
    let mut head = head_with(&[(1, 1.0)]);
    let other = Labels::from_pairs([("__name__", "up"), ("job", "b"), ("zone", "ü")]);
    head.define(7, &other);
    head.set_metadata(
        7,
        Metadata {
            help: "helps".to_owned(),
            ..Metadata::default()
        },
    );
    head.delete(&[0], 0, 5, 2);
    let mut texts = PairTexts::default();
    let (captured, next) = head.capture(0, false, &mut texts);
    assert_eq!((captured.len(), next), (2, None));
    let (mut pairs, mut series) = (Vec::new(), Vec::new());
    assert!(texts.take(&mut pairs));
    for saved in captured {
        saved.put(&mut series);
    }
    assert!(head.capture(0, false, &mut texts).0.is_empty());
    let mut copy = Head::new(0);
    let mut loaded = LoadedPairs::default();
    copy.restore_pairs(&pairs, &mut loaded).unwrap();
    copy.restore(&series, &loaded).unwrap();
    copy.release_pairs(loaded);
    copy.settle();
    assert_eq!(copy.labels(0), Some(up("a")));
    assert_eq!(copy.find(&other), Some(7));
    let restored = copy.table().get(7).unwrap();
    assert_eq!(restored.metadata().unwrap().help, "helps");
    let tombstones = copy.table().get(0).unwrap().tombstones();
    assert_eq!(tombstones, head.table().get(0).unwrap().tombstones());
    assert!(!tombstones.is_empty());
}
