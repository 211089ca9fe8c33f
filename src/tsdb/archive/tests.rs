use proptest::prelude::*;

use super::*;
use crate::disk::memory::MemoryDisk;
use crate::model::{MatchOp, Matcher, Metadata};

fn disk() -> (MemoryDisk, Arc<dyn Disk>) {
    let disk = MemoryDisk::new();
    (disk.clone(), Arc::new(disk))
}

fn entry(id: SeriesId) -> Entry {
    let mut pairs = vec![
        ("__name__", ["up", "down", "go"][id as usize % 3].to_owned()),
        ("i", id.to_string()),
    ];
    if !id.is_multiple_of(4) {
        pairs.push(("job", ["a", "b", "ab"][id as usize % 4 - 1].to_owned()));
    }
    let from_ms = i64::from(id) * 100;
    Entry {
        id,
        labels: Labels::from_pairs(pairs),
        first_ms: from_ms,
        last_ms: from_ms + 50,
        is_histogram: id.is_multiple_of(5),
        metadata: id.is_multiple_of(7).then(|| {
            Arc::new(Metadata {
                help: "help".to_owned(),
                ..Metadata::default()
            })
        }),
        tombstones: if id.is_multiple_of(11) {
            vec![Tombstone {
                min_ms: from_ms,
                max_ms: from_ms + 20,
                sequence: 9,
                is_revived: id.is_multiple_of(2),
            }]
        } else {
            Vec::new()
        },
    }
}

fn written(disk: &Arc<dyn Disk>, number: u64, ids: impl Iterator<Item = SeriesId>) -> Arc<Archive> {
    write(disk, number, ids.map(entry).collect()).unwrap();
    let (archive, healed) = Archive::open(disk, number).unwrap();
    assert!(!healed);
    Arc::new(archive)
}

/// Every question that an archive answers about the series `ids`, of which it has those in `there`.
fn check(archive: &Archive, ids: impl Iterator<Item = SeriesId>, there: impl Fn(SeriesId) -> bool) {
    for id in ids {
        let expected = there(id).then(|| entry(id));
        assert_eq!(archive.entry(id).unwrap(), expected, "series {id}");
        let labels = entry(id).labels;
        assert_eq!(archive.find(&labels, labels.hash64()).unwrap(), expected);
        assert_eq!(archive.find_by_values(&labels).unwrap(), expected);
    }
}

#[test]
fn every_series_is_found_by_number_labels_and_values() {
    let (_, disk) = disk();
    let archive = written(&disk, 1, (0..3000).filter(|id| id % 10 != 3));
    assert_eq!((archive.series(), archive.span()), (2700, (0, 299_950)));
    assert!(archive.directory.pages.len() > 10 && archive.directory.hashes.len() > 10);
    check(&archive, 0..3010, |id| id % 10 != 3 && id < 3000);
    archive.filter_finds().unwrap();
    assert!(archive.filter.get().is_some());
    check(&archive, 0..3010, |id| id % 10 != 3 && id < 3000);
    let names: Vec<&str> = archive.names().map(|name| name.0).collect();
    assert_eq!(names, ["__name__", "i", "job"]);
    let mut values = Vec::new();
    archive
        .each_value("job", |value| {
            let list = value.list()?;
            values.push((value.text.to_owned(), list.len(), value.first_ms));
            Ok(true)
        })
        .unwrap();
    assert_eq!(
        values,
        [
            ("a".to_owned(), 750 - 150, 100),
            ("ab".to_owned(), 750 - 150, 700),
            ("b".to_owned(), 750, 200)
        ]
    );
}

#[test]
fn hashes_are_only_read_when_that_pays() {
    let (_, disk) = disk();
    let archive = written(&disk, 1, 0..3000);
    let labels = entry(5000).labels;
    archive.filter_finds().unwrap();
    assert!(archive.filter.get().is_none(), "nobody asked");
    for _ in 0..2 {
        assert_eq!(archive.find(&labels, labels.hash64()).unwrap(), None);
    }
    archive.filter_finds().unwrap();
    assert!(archive.filter.get().is_none(), "twice is too seldom");
    for _ in 0..2 {
        assert_eq!(archive.find(&labels, labels.hash64()).unwrap(), None);
    }
    archive.filter_finds().unwrap();
    let filter = archive.filter.get().unwrap();
    let absent = (5000..6000).map(|id| entry(id).labels.hash64());
    assert!(absent.filter(|hash| filter.may_have(*hash)).count() < 50);
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let op = prop::sample::select(vec![
        MatchOp::Equal,
        MatchOp::NotEqual,
        MatchOp::Regex,
        MatchOp::NotRegex,
    ]);
    let name = prop::sample::select(vec!["__name__", "job", "i", "none"]);
    let value = prop::sample::select(vec![
        "", "up", "a", "a|b", ".*", ".+", "a?", "1.", "x", "|b", "[0-9]+", "17",
    ]);
    (op, name, value).prop_map(|(op, name, value)| Matcher::new(op, name, value).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn selection_is_what_a_walk_over_all_series_finds(matchers in prop::collection::vec(matcher(), 0..4)) {
        let (_, disk) = disk();
        let archive = written(&disk, 1, (0..700).filter(|id| id % 3 != 1));
        let walk: Vec<_> = (0..700)
            .filter(|id| id % 3 != 1)
            .filter(|id| {
                let labels = entry(*id).labels;
                matchers.iter().all(|m| m.matches(labels.get(&m.name).unwrap_or_default()))
            })
            .collect();
        prop_assert_eq!(archive.select(&matchers).unwrap(), walk);
    }

    #[test]
    fn any_bytes_are_a_page_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = series::Page::parse(bytes.clone());
        let _ = values::Page::parse(bytes.clone());
        let _ = Directory::read(&bytes);
    }
}

#[test]
fn merging_keeps_the_newest_word_and_lets_go_of_what_is_too_old() {
    let (_, disk) = disk();
    let old = written(&disk, 1, (0..2000).filter(|id| id % 2 == 0));
    // Series 500 to 700 have come back and ended again.
    let again = |id| Entry {
        last_ms: 500_000,
        tombstones: Vec::new(),
        ..entry(id)
    };
    write(&disk, 2, (500..700).map(again).collect()).unwrap();
    let again_archive = Arc::new(Archive::open(&disk, 2).unwrap().0);
    let other = written(&disk, 3, 2000..2200);
    let left_ms = 40_000;
    let all = [old, again_archive, other];
    assert!(merge(&disk, 4, &all, left_ms, || true).unwrap());
    let (merged, _) = Archive::open(&disk, 4).unwrap();
    let came_back = |id| (500..700).contains(&id);
    let is_old = |id: SeriesId| id * 100 + 50 >= 40_000 && (id >= 2000 || id.is_multiple_of(2));
    check(&merged, (0..2300).filter(|id| !came_back(*id)), |id| {
        is_old(id) && id < 2200
    });
    for id in 500..700 {
        assert_eq!(merged.entry(id).unwrap(), Some(again(id)));
        let labels = entry(id).labels;
        let found = merged.find(&labels, labels.hash64()).unwrap();
        assert_eq!(found, Some(again(id)));
    }
    let up = merged.select(&[Matcher::equal("__name__", "up")]).unwrap();
    let expected = (0..2200).filter(|id| id % 3 == 0 && (came_back(*id) || is_old(*id)));
    assert!(up.into_iter().eq(expected));
    assert!(!merge(&disk, 5, &all, i64::MAX, || true).unwrap());
    assert_eq!(disk.list(DIR).unwrap().len(), 4, "an empty one is no file");
    assert!(matches!(
        merge(&disk, 6, &all, 0, || false),
        Err(Error::Closed)
    ));
}

#[test]
fn a_flipped_bit_costs_a_page_and_never_a_label() {
    let (files, disk) = disk();
    let size = {
        written(&disk, 1, 0..500);
        disk.read(&path(1)).unwrap().len()
    };
    for at in (0..size * 8).step_by(4999) {
        written(&disk, 1, 0..500);
        files.flip_bit(&path(1), at as u64);
        let file = disk.open(&path(1)).unwrap();
        assert!(!verify(&*file, 1).unwrap().damages.is_empty(), "bit {at}");
        let Ok((archive, _)) = Archive::open(&disk, 1) else {
            assert!(at < 64 * 8, "only a damaged header hides all: bit {at}");
            continue;
        };
        let mut found = 0;
        for id in 0..500 {
            // Who meets the damage is told.
            let read = archive.entry(id).or_else(|_| archive.entry(id)).unwrap();
            if let Some(read) = read {
                assert_eq!(read, entry(id));
                found += 1;
            }
            let labels = entry(id).labels;
            let find = || archive.find(&labels, labels.hash64());
            if let Ok(Some(read)) = find().or_else(|_| find()) {
                assert_eq!(read, entry(id));
            }
        }
        assert!(found >= 500 - 128, "bit {at}: {found}");
        let up = [Matcher::equal("__name__", "up")];
        let select = || archive.select(&up);
        let selected = select().or_else(|_| select()).unwrap();
        assert!(selected.iter().all(|id| id.is_multiple_of(3)), "bit {at}");
        // Whoever has labels is found by them, whatever is damaged.
        assert!(found < 500 || selected.len() == 167, "bit {at}");
    }
}
