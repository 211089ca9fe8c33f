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

fn check(head: &Head, ms: i64, v: f64, window: i64) -> Result<(), AppendError> {
    let series = head.table().get(0).unwrap();
    head.check(Some(series), series.newest(), &Sample::float(ms, v), window)
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
    assert!(head.select(0, i64::MIN, i64::MAX, &[]).is_empty());
    let pinned = head.pin();
    head.apply(
        1,
        Batch {
            samples: vec![(id, Sample::float(1, 1.0))],
            ..Batch::default()
        },
    );
    assert!(head.select(pinned, i64::MIN, i64::MAX, &[]).is_empty());
    head.unpin(pinned);
    assert_eq!(head.select(1, i64::MIN, i64::MAX, &[]).len(), 1);
}

#[test]
fn retention_lets_chunks_and_then_the_series_go() {
    let samples: Vec<_> = (0..500).map(|i| (i, 1.0)).collect();
    let mut head = head_with(&samples);
    assert_eq!(head.drop_before(250, 0, 1000), None);
    let series = head.table().get(0).unwrap();
    assert_eq!(series.span(), Some((240, 499)));
    let view = series.view(1, 0, 1000).unwrap();
    assert_eq!(view.count(), 260);
    head.drop_before(500, 0, 1000);
    assert_eq!(head.table().len(), 0);
    assert!(head.postings().names().is_empty());
}

#[test]
fn what_is_deleted_is_not_read() {
    let samples: Vec<_> = (0..300).map(|i| (i, 1.0)).collect();
    let mut head = head_with(&samples);
    assert_eq!(head.delete(&[0], 100, 199), 1);
    let series = head.table().get(0).unwrap();
    assert_eq!(series.view(1, 0, 1000).unwrap().count(), 200);
    assert!(series.view(1, 120, 150).is_none());
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
    let series = head.table().get(0).unwrap();
    let times = |sequence| -> Vec<i64> {
        series
            .view(sequence, 0, 1000)
            .unwrap()
            .map(|s| s.unwrap().timestamp_ms)
            .collect()
    };
    assert_eq!(times(pinned), [10, 20, 30]);
    assert_eq!(times(2), [5, 10, 20, 25, 30]);
}

#[test]
fn what_is_saved_and_restored_is_the_same() {
    let samples: Vec<_> = (0..400).map(|i| (i * 10, i as f64)).collect();
    let mut head = head_with(&samples[..250]);
    let mut copy = Head::new(10);
    let mut sequence = 1;
    let save = |head: &mut Head, copy: &mut Head| {
        let (captured, next) = head.capture(u64::MAX, 0, 100, false);
        assert_eq!(next, None);
        let mut payload = Vec::new();
        for series in &captured {
            series.put(&mut payload).unwrap();
        }
        copy.restore(&payload).unwrap();
    };
    save(&mut head, &mut copy);
    for part in samples[250..].chunks(37) {
        sequence += 1;
        head.apply(
            sequence,
            Batch {
                samples: part
                    .iter()
                    .map(|(ms, v)| (0, Sample::float(*ms, *v)))
                    .collect(),
                ..Batch::default()
            },
        );
        save(&mut head, &mut copy);
    }
    let read = |head: &Head| -> Vec<(i64, String)> {
        let series = head.table().get(0).unwrap();
        series
            .view(u64::MAX, 0, 10_000)
            .unwrap()
            .map(|s| s.unwrap())
            .map(|s| (s.timestamp_ms, format!("{:?}", s.value)))
            .collect()
    };
    assert_eq!(read(&copy).len(), 400);
    assert_eq!(read(&copy), read(&head));
}
