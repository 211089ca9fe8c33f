use super::*;
use crate::alerting::matchers::parse_matchers;

const NOW: WallTime = WallTime::from_ms(1_000_000);

fn silence(matchers: &str, from_s: i64, to_s: i64) -> Silence {
    Silence {
        id: String::new(),
        matcher_sets: vec![Matchers(
            parse_matchers(Syntax::Fallback, matchers).expect("valid"),
        )],
        starts_at: NOW + Span::seconds(from_s),
        ends_at: NOW + Span::seconds(to_s),
        updated_at: WallTime::ZERO,
        created_by: "me".to_owned(),
        comment: "why".to_owned(),
        annotations: BTreeMap::new(),
    }
}

fn silences() -> Silences {
    Silences::new(SilenceLimits::default(), Span::hours(1), Syntax::Fallback)
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

#[test]
fn silences_hold_from_start_to_end_for_any_of_their_sets() {
    let mut silences = silences();
    let mut wanted = silence("a=\"1\",b=~\"x|y\"", 10, 20);
    wanted
        .matcher_sets
        .push(silence("c!=\"\"", 0, 1).matcher_sets.remove(0));
    silences
        .set(NOW, wanted, || "one".to_owned())
        .expect("accepted");
    let (ab, c) = (labels(&[("a", "1"), ("b", "y")]), labels(&[("c", "9")]));
    assert!(silences.silenced_by(&ab, NOW).is_empty());
    for at in [10, 20] {
        let then = NOW + Span::seconds(at);
        assert_eq!(silences.silenced_by(&ab, then), ["one"]);
        assert_eq!(silences.silenced_by(&c, then), ["one"]);
        assert!(
            silences
                .silenced_by(&labels(&[("a", "1")]), then)
                .is_empty()
        );
    }
    assert!(
        silences
            .silenced_by(&ab, NOW + Span::seconds(21))
            .is_empty()
    );
}

#[test]
fn other_matchers_expire_the_old_silence_and_make_a_new_one() {
    let mut silences = silences();
    let first = silences
        .set(NOW, silence("a=\"1\"", 0, 100), || "one".to_owned())
        .expect("accepted")
        .remove(0);
    let mut longer = first.clone();
    longer.ends_at = NOW + Span::seconds(200);
    let later = NOW + Span::seconds(5);
    let changed = silences
        .set(later, longer, || unreachable!("same id"))
        .expect("accepted");
    assert_eq!(changed.len(), 1);
    let mut other = first;
    other.matcher_sets = silence("a=\"2\"", 0, 1).matcher_sets;
    let changed = silences
        .set(later, other, || "two".to_owned())
        .expect("accepted");
    assert_eq!(changed[0].ends_at, later);
    assert_eq!(
        (changed[1].id.as_str(), changed[1].starts_at),
        ("two", later)
    );
    let after = later + Span::seconds(1);
    assert!(
        silences
            .silenced_by(&labels(&[("a", "1")]), after)
            .is_empty()
    );
    assert_eq!(silences.silenced_by(&labels(&[("a", "2")]), after), ["two"]);
}

#[test]
fn expired_silences_go_after_the_retention() {
    let mut silences = silences();
    silences
        .set(NOW, silence("a=\"1\"", 50, 100), || "one".to_owned())
        .expect("accepted");
    let expired = silences
        .expire(NOW, "one")
        .expect("known")
        .expect("changed");
    assert_eq!((expired.starts_at, expired.ends_at), (NOW, NOW));
    assert_eq!(silences.expire(NOW + Span::seconds(1), "one"), Ok(None));
    assert!(silences.collect_garbage(NOW + Span::minutes(59)).is_empty());
    assert_eq!(silences.collect_garbage(NOW + Span::minutes(60)), ["one"]);
    assert_eq!(silences.expire(NOW, "one"), Err(Error::SilenceNotFound));
}

/// The sizes are those that Alertmanager 0.33.1 told.
#[test]
fn a_silence_is_as_large_as_upstreams() {
    let end = |text: &str| WallTime::parse_rfc3339(text).expect("a time");
    let of = |matchers: &str, ends_at: &str, by: &str, comment: &str, notes: &[(&str, &str)]| {
        // A fraction of a second takes four bytes or five.
        let fraction = if comment.len() > 1 { 2 } else { 5 };
        let now = WallTime::from_ms(1_795_000_000_000 + fraction * 100);
        let notes = notes
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let silence = Silence {
            id: "a3f0e0ce-d2e4-4b08-a43d-cc7309597fde".to_owned(),
            starts_at: now,
            ends_at: end(ends_at),
            updated_at: now,
            created_by: by.to_owned(),
            comment: comment.to_owned(),
            annotations: notes.collect(),
            ..silence(matchers, 0, 0)
        };
        silence.size(Span::hours(120))
    };
    let (far, near) = ("2099-01-01T00:00:00Z", "2030-01-01T00:00:00.5Z");
    assert_eq!(of("a=x", far, "me", "c", &[]), 101);
    assert_eq!(of("a=~x", far, "me", "c", &[]), 103);
    assert_eq!(of("a=x,abc=~xxxxxx", far, "", "", &[]), 111);
    assert_eq!(of("a=x", near, "mexx", &"c".repeat(161), &[]), 275);
    let notes = [("k", "v"), ("key", "value")];
    assert_eq!(of("a=x", far, "me", "c", &notes), 123);
}

#[test]
fn names_of_labels_follow_the_mode() {
    let mut silences = Silences::new(SilenceLimits::default(), Span::hours(1), Syntax::Classic);
    let refused = silences
        .set(NOW, silence("\"a.b\"=1", 0, 1), String::new)
        .expect_err("refused");
    assert_eq!(
        refused.to_string(),
        "invalid silence: invalid label matcher 0 in set 0: invalid label name \"a.b\""
    );
}

#[test]
fn refusals_use_upstreams_words() {
    let mut silences = Silences::new(
        SilenceLimits {
            max_silences: 1,
            max_per_silence_bytes: 200,
        },
        Span::hours(1),
        Syntax::Fallback,
    );
    let refuse = |silences: &mut Silences, s: Silence| {
        silences
            .set(NOW, s, || "id".to_owned())
            .expect_err("refused")
            .to_string()
    };
    assert_eq!(
        refuse(&mut silences, silence("a=\"\"", 0, 1)),
        "invalid silence: matcher set 0: at least one matcher must not match the empty string"
    );
    assert_eq!(
        refuse(&mut silences, silence("a=\"1\"", 5, 1)),
        "invalid silence: end time must not be before start time"
    );
    let mut big = silence("a=\"1\"", 0, 1);
    big.comment = "x".repeat(300);
    assert!(refuse(&mut silences, big).starts_with("silence exceeded maximum size: "));
    silences
        .set(NOW, silence("a=\"1\"", 0, 1), || "id".to_owned())
        .expect("accepted");
    assert_eq!(
        refuse(&mut silences, silence("a=\"1\"", 0, 1)),
        "exceeded maximum number of silences: 1 (limit: 1)"
    );
}
