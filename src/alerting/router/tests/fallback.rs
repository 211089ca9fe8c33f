//! Who is told when a receiver cannot be reached.

use super::*;

fn webhook_fails(verdict: Verdict) -> impl Fn(&Notification) -> Verdict {
    move |n| {
        if n.receiver == "team" && n.integration == 0 {
            verdict.clone()
        } else {
            Verdict::Delivered
        }
    }
}

fn row(second: i64, who: &str, text: &str) -> (i64, String, String) {
    (second, who.to_owned(), text.to_owned())
}

#[test]
fn the_fallback_is_told_at_once_when_a_receiver_refuses() {
    let mut bench = Bench::new(with_fallback());
    bench.fire("Down/1");
    let refuse = Verdict::GiveUp {
        reason: "404".to_owned(),
    };
    let seen = bench.answer(31, webhook_fails(refuse.clone()));
    assert_eq!(seen, [row(30, "team/1", "+1"), row(30, "backup/0", "+1")]);
    // New alerts go there too while it lasts, and nothing is told twice.
    bench.fire("Down/2");
    let seen = bench.answer(600, webhook_fails(refuse));
    let texts: Vec<_> = seen
        .iter()
        .map(|(_, who, text)| (who.as_str(), text.as_str()))
        .collect();
    assert_eq!(texts, [("team/1", "+1 +2"), ("backup/0", "+1 +2")]);
    let letters: Vec<_> = bench.router.dead_letters().iter().cloned().collect();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].fallback, "backup");
    assert_eq!(letters[0].key.integration, "team/webhook/0");
    assert_eq!((letters[0].count, letters[0].alert_count), (3, 2));
    // The receiver is back, which nobody knows before its answer: this flush goes to both.
    bench.fire("Down/3");
    let told = |seen: Vec<(i64, String, String)>| -> Vec<String> {
        let rows = seen.into_iter();
        rows.map(|(_, who, text)| format!("{who} {text}")).collect()
    };
    let seen = bench.answer(301, |_| Verdict::Delivered);
    assert_eq!(
        told(seen),
        ["team/0 +1 +2 +3", "team/1 +1 +2 +3", "backup/0 +1 +2 +3"]
    );
    // From then on the fallback only hears of the end of what it knows.
    bench.fire("Down/4");
    let seen = bench.answer(301, |_| Verdict::Delivered);
    assert_eq!(told(seen), ["team/0 +1 +2 +3 +4", "team/1 +1 +2 +3 +4"]);
    for name in ["Down/1", "Down/2", "Down/3", "Down/4"] {
        bench.resolve(name);
    }
    let seen = bench.answer(301, |_| Verdict::Delivered);
    assert_eq!(
        told(seen),
        [
            "team/0 -1 -2 -3 -4",
            "team/1 -1 -2 -3 -4",
            "backup/0 -1 -2 -3"
        ]
    );
    assert!(bench.router.groups.is_empty());
    let letter = bench.router.dead_letters().iter().next().expect("kept");
    assert!(letter.reached_at.is_some());
}

#[test]
fn the_fallback_is_told_when_retries_have_not_helped_by_the_next_flush() {
    let mut bench = Bench::new(with_fallback());
    bench.fire("Down/1");
    let retry = Verdict::Retry {
        after: None,
        reason: "503".to_owned(),
    };
    let seen = bench.answer(331, webhook_fails(retry.clone()));
    assert_eq!(seen, [row(30, "team/1", "+1"), row(330, "backup/0", "+1")]);
    // A restart knows whom it told and what was lost.
    bench.router = open(&bench.disk, with_fallback(), bench.now);
    assert_eq!(bench.router.dead_letters().len(), 1);
    bench.resolve("Down/1");
    let seen = bench.answer(301, webhook_fails(retry));
    let texts: Vec<_> = seen
        .iter()
        .map(|(_, who, text)| (who.as_str(), text.as_str()))
        .collect();
    assert_eq!(texts, [("team/1", "-1"), ("backup/0", "-1")]);
}

#[test]
fn a_reload_that_takes_the_fallback_away_stops_it() {
    let mut bench = Bench::new(with_fallback());
    bench.fire("Down/1");
    let refuse = Verdict::GiveUp {
        reason: "404".to_owned(),
    };
    assert_eq!(bench.answer(31, webhook_fails(refuse.clone())).len(), 2);
    let mut without = with_fallback();
    without.fallbacks.clear();
    bench.router.reload(bench.now, without);
    bench.fire("Down/2");
    let seen = bench.answer(301, webhook_fails(refuse));
    assert_eq!(seen, [row(330, "team/1", "+1 +2")]);
}
