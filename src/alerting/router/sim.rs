//! Hours of alerts in virtual time, with crashes and power cuts at any step of the journal and receivers
//! that fail, throttle, refuse, hang and lie. `WATCHFIRE_SIM_SEEDS=10000` runs more seeds, from
//! `WATCHFIRE_SIM_FIRST` on; a failure prints its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fastrand::Rng;

use super::tests::{T0, alert};
use super::{Action, Router, RouterConfig, RouterOptions, Span, WallTime};
use crate::alerting::Verdict;
use crate::disk::faulty::FaultyDisk;

const HOURS: i64 = 6;
/// At the end everything is healthy for this long.
const QUIET: Span = Span::hours(2);
/// A firing episode longer than this must be heard of: two outages, two intervals and the wait.
const LONG: Span = Span::minutes(45);
const OUTAGE_MAX_S: u64 = 600;

#[derive(Debug, Clone)]
enum Event {
    /// An alert begins or ends.
    Toggle(usize),
    /// The sender repeats what it knows.
    Send,
    /// The answer of a receiver arrives.
    Answer(u64, Verdict),
    /// The disk stops after so many operations, and with it the process or the machine.
    Doom(u64),
    /// A receiver's mood changes.
    Mood(usize, Mood),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Fine,
    Failing,
    Throttling,
    Refusing,
    Hanging,
    /// Takes a notification and says that it did not.
    Lying,
}

impl Mood {
    const BAD: [Self; 5] = [
        Self::Failing,
        Self::Throttling,
        Self::Refusing,
        Self::Hanging,
        Self::Lying,
    ];
}

/// When the process dies.
#[derive(Debug, Clone, Copy)]
enum Dooms {
    /// Now and then.
    Random,
    /// Once, in the operation of the disk that follows so many.
    After(u64),
}

/// What a receiver heard.
#[derive(Debug, Clone)]
struct Heard {
    at: WallTime,
    /// When the group was flushed.
    flushed: WallTime,
    id: u64,
    firing: BTreeSet<String>,
    resolved: BTreeSet<String>,
    /// Whether the router has learnt that it arrived; otherwise a repetition is allowed.
    known: bool,
    /// Whether the receiver said that it did not take it. Nobody can know better.
    denied: bool,
}

struct World {
    seed: u64,
    rng: Rng,
    now: WallTime,
    disk: FaultyDisk,
    router: Option<Router>,
    events: BTreeMap<(WallTime, u64), Event>,
    next_event: u64,
    firing: Vec<Option<WallTime>>,
    ended: Vec<Option<WallTime>>,
    episodes: Vec<(usize, WallTime, WallTime)>,
    moods: [Mood; 2],
    /// By integration and group; the fallback's is the third.
    heard: BTreeMap<(usize, String), Vec<Heard>>,
    crashes: u32,
    /// Operations of the disk before the process can be stopped.
    began_at: u64,
    /// From then on everything is healthy.
    end_of_trouble: WallTime,
}

const ALERTS: usize = 12;

fn name(at: usize) -> String {
    format!("Group{}/{at}", at % 3)
}

/// Where an integration stands in `heard`.
fn place(n: &super::Notification) -> usize {
    if n.receiver == "backup" {
        2
    } else {
        n.integration
    }
}

fn router_config() -> RouterConfig {
    let mut config = super::tests::with_fallback();
    let mut root = super::tests::root();
    root.repeat_interval = Some(Span::hours(1000));
    config.tree = super::RouteTree::new(&root);
    config
}

impl World {
    fn new(seed: u64, hours: i64, dooms: Dooms) -> Self {
        let mut world = Self {
            seed,
            rng: Rng::with_seed(seed),
            now: T0,
            disk: FaultyDisk::new(seed),
            router: None,
            events: BTreeMap::new(),
            next_event: 0,
            firing: vec![None; ALERTS],
            ended: vec![None; ALERTS],
            episodes: Vec::new(),
            moods: [Mood::Fine; 2],
            heard: BTreeMap::new(),
            crashes: 0,
            began_at: 0,
            end_of_trouble: T0 + Span::hours(hours),
        };
        world.restart();
        world.began_at = world.disk.operations();
        if let Dooms::After(operations) = dooms {
            world.disk.stop_after(operations);
        }
        for at in 0..ALERTS {
            let when = world.soon(1200);
            world.schedule(when, Event::Toggle(at));
        }
        world.schedule(T0, Event::Send);
        for at in 0..2 {
            let when = world.soon(1800);
            world.schedule(when, Event::Mood(at, Mood::Failing));
        }
        if let Dooms::Random = dooms {
            let when = world.soon(1800);
            world.schedule(when, Event::Doom(1));
        }
        world
    }

    fn soon(&mut self, seconds: u64) -> WallTime {
        self.now + Span::from_ms(self.rng.i64(1..seconds as i64 * 1000))
    }

    fn schedule(&mut self, at: WallTime, event: Event) {
        self.next_event += 1;
        self.events.insert((at, self.next_event), event);
    }

    fn restart(&mut self) {
        if self.rng.bool() {
            self.disk.kill();
        } else {
            self.disk.power_cut();
        }
        let options = RouterOptions {
            seed: self.seed,
            ..RouterOptions::default()
        };
        let disk = Arc::new(self.disk.clone());
        let opened = Router::open(disk, "router", options, router_config(), self.now);
        self.router = opened.ok();
        assert!(
            self.router.is_some() || self.disk.stopped(),
            "seed {}",
            self.seed
        );
    }

    /// Whether the process has died; if so what it was about to do is lost, and it starts again.
    fn crashed(&mut self) -> bool {
        if !self.disk.stopped() {
            return false;
        }
        self.crashes += 1;
        self.router = None;
        // Answers on their way find nobody.
        self.events
            .retain(|_, event| !matches!(event, Event::Answer(..)));
        self.now = self.soon(120);
        self.restart();
        true
    }

    fn run(mut self) -> Self {
        let end = self.end_of_trouble + QUIET;
        while self.now < end {
            let wake = self.router.as_ref().and_then(Router::next_wakeup);
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let next = wake.into_iter().chain(event).min().unwrap_or(end);
            self.now = next.max(self.now);
            if event.is_some_and(|at| at <= self.now)
                && let Some((_, event)) = self.events.pop_first()
            {
                self.on_event(event);
            }
            self.drain();
        }
        self
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Toggle(at) => self.toggle(at),
            Event::Send => {
                self.send();
                self.schedule(self.now + Span::seconds(60), Event::Send);
            }
            Event::Answer(id, verdict) => {
                let delivered = verdict == Verdict::Delivered;
                if let Some(router) = &mut self.router {
                    router.on_delivery(self.now, id, verdict);
                }
                if !self.crashed() && delivered {
                    for heard in self.heard.values_mut().flatten() {
                        heard.known |= heard.id == id;
                    }
                }
            }
            Event::Doom(operations) => {
                if self.now < self.end_of_trouble {
                    self.disk.stop_after(operations);
                    let when = self.soon(1500);
                    let operations = self.rng.u64(0..12);
                    self.schedule(when, Event::Doom(operations));
                }
            }
            Event::Mood(at, mood) => {
                let healthy = self.now >= self.end_of_trouble;
                self.moods[at] = if healthy { Mood::Fine } else { mood };
                let (length, next) = if mood == Mood::Fine {
                    (2400, Mood::BAD[self.rng.usize(0..Mood::BAD.len())])
                } else {
                    (OUTAGE_MAX_S, Mood::Fine)
                };
                let when = self.soon(length);
                self.schedule(when, Event::Mood(at, next));
            }
        }
    }

    fn toggle(&mut self, at: usize) {
        match self.firing[at].take() {
            Some(began) => {
                self.ended[at] = Some(self.now);
                self.episodes.push((at, began, self.now));
            }
            None if self.now < self.end_of_trouble => self.firing[at] = Some(self.now),
            None => return,
        }
        self.send();
        let length = [20, 600, 9000][self.rng.usize(0..3)];
        let when = self.soon(length);
        self.schedule(when, Event::Toggle(at));
    }

    /// As a Prometheus does: firing alerts with an end a few minutes off, ended ones for a while.
    fn send(&mut self) {
        let mut alerts = Vec::new();
        for at in 0..ALERTS {
            match (self.firing[at], self.ended[at]) {
                (Some(began), _) => {
                    alerts.push(alert(&name(at), began, self.now + Span::minutes(4)));
                }
                (None, Some(ended)) if self.now < ended + Span::minutes(15) => {
                    alerts.push(alert(&name(at), ended - Span::from_ms(1), ended));
                }
                _ => {}
            }
        }
        if let Some(router) = &mut self.router {
            router.on_alerts(self.now, alerts);
        }
        self.crashed();
    }

    fn drain(&mut self) {
        loop {
            let Some(router) = &mut self.router else {
                self.restart();
                return;
            };
            let action = router.poll(self.now);
            if self.crashed() {
                return;
            }
            match action {
                None => return,
                // The attempt is cut off: what the receiver says to it reaches nobody.
                Some(Action::Cancel { id }) => self.events.retain(
                    |_, event| !matches!(event, Event::Answer(answered, _) if *answered == id),
                ),
                Some(Action::Notify(n)) => {
                    let reason = "no".to_owned();
                    let mood = self.moods.get(place(&n)).copied().unwrap_or(Mood::Fine);
                    let verdict = match mood {
                        Mood::Fine => Some(Verdict::Delivered),
                        Mood::Failing | Mood::Lying => Some(Verdict::Retry {
                            after: None,
                            reason,
                        }),
                        Mood::Throttling => Some(Verdict::Retry {
                            after: Some(Span::seconds(40)),
                            reason,
                        }),
                        Mood::Refusing => Some(Verdict::GiveUp { reason }),
                        Mood::Hanging => None,
                    };
                    let heard = match mood {
                        Mood::Fine | Mood::Lying => true,
                        // Some take what they never answer.
                        Mood::Hanging => self.rng.bool(),
                        _ => false,
                    };
                    if heard {
                        self.hear(&n, mood == Mood::Lying);
                    }
                    if let Some(verdict) = verdict {
                        let when = self.soon(3);
                        self.schedule(when, Event::Answer(n.id, verdict));
                    }
                }
            }
        }
    }

    fn hear(&mut self, n: &super::Notification, denied: bool) {
        let names = |firing: bool| -> BTreeSet<String> {
            n.alerts
                .iter()
                .filter(|alert| alert.ends_at.is_zero() == firing)
                .map(|alert| alert.labels.get("instance").unwrap_or_default().to_owned())
                .collect()
        };
        let heard = Heard {
            at: self.now,
            flushed: n.now,
            id: n.id,
            firing: names(true),
            resolved: names(false),
            known: false,
            denied,
        };
        let list = self.heard.entry((place(n), n.group_key.clone()));
        let list = list.or_default();
        if let Some(last) = list.last() {
            assert!(
                last.id <= heard.id && last.flushed <= heard.flushed,
                "seed {}: out of order: {last:?}, {heard:?}",
                self.seed
            );
            // Whatever the router cannot know it may say again: that is at least once.
            let unsure = self.router.as_ref().is_some_and(|router| {
                let name = format!("/{}", place(n));
                let mut keys = router.uncertain.keys();
                keys.any(|key| key.group_key == n.group_key && key.integration.ends_with(&name))
            });
            assert!(
                unsure
                    || !last.known
                    || last.firing != heard.firing
                    || last.resolved != heard.resolved,
                "seed {}: told twice: {last:?}, {heard:?}",
                self.seed
            );
        }
        list.push(heard);
    }

    fn check(&self) {
        let seed = self.seed;
        for (at, began, ended) in &self.episodes {
            if ended.since(*began) < LONG {
                continue;
            }
            for integration in 0..2 {
                // An alert that begins again before its end was told needs no second word.
                let said = self.said(integration, *at, *began, *ended + Span::minutes(10));
                assert!(
                    said.iter().any(|(_, fires)| *fires),
                    "seed {seed}: integration {integration} never heard that {at} fired from {began} to {ended}: {said:?}"
                );
            }
        }
        self.check_ends();
        for at in 0..ALERTS {
            for integration in 0..3 {
                let said = self.said(integration, at, T0, T0 + Span::hours(100));
                let last = said.last().map(|(_, fires)| *fires);
                assert!(
                    last != Some(true) || self.may_live(at),
                    "seed {seed}: integration {integration} believes that {at} still fires: {said:?}, ended {:?}, {:?}",
                    self.ended[at],
                    self.heard_of(integration, at).collect::<Vec<_>>()
                );
            }
        }
        let router = self.router.as_ref().expect("lives at the end");
        let late = self.now - Span::minutes(10);
        assert!(
            router
                .deliveries
                .values()
                .all(|d| d.notification.now > late),
            "seed {seed}: open deliveries"
        );
        assert!(
            router.uncertain.is_empty(),
            "seed {seed}: uncertain deliveries"
        );
        for stored in router.alerts.values() {
            let instance = stored.alert.labels.get("instance").unwrap_or_default();
            let at: usize = instance.parse().expect("a number");
            assert!(self.may_live(at), "seed {seed}: {at} is left");
        }
    }

    /// Whoever heard that an alert fires has heard of its end before it fired again, if there was time.
    fn check_ends(&self) {
        let seed = self.seed;
        for (at, began, ended) in &self.episodes {
            let again = self
                .episodes
                .iter()
                .filter(|(a, b, _)| a == at && b > began);
            let Some(next) = again.map(|(_, began, _)| *began).min() else {
                continue;
            };
            if next.since(*ended) < LONG {
                continue;
            }
            for integration in 0..2 {
                let said = self.said(integration, *at, T0, next - Span::from_ms(1));
                assert!(
                    said.last().is_none_or(|(_, fires)| !fires),
                    "seed {seed}: integration {integration} never heard that {at} ended at {ended}: {said:?}"
                );
            }
        }
    }

    /// Whether an alert fires, or did a moment ago.
    fn may_live(&self, at: usize) -> bool {
        let late = self.now - Span::minutes(20);
        self.firing[at].is_some() || self.ended[at].is_some_and(|ended| ended > late)
    }

    /// What an integration was told about an alert in a stretch of time, and the last word before it.
    fn said(
        &self,
        integration: usize,
        at: usize,
        from: WallTime,
        to: WallTime,
    ) -> Vec<(WallTime, bool)> {
        let instance = at.to_string();
        let all: Vec<(WallTime, bool)> = self
            .heard_of(integration, at)
            .filter_map(|heard| {
                let fires = heard.firing.contains(&instance);
                (fires || heard.resolved.contains(&instance)).then_some((heard.at, fires))
            })
            .collect();
        let before = all.iter().rposition(|(when, _)| *when < from).unwrap_or(0);
        all.into_iter()
            .skip(before)
            .filter(|(when, _)| *when <= to)
            .collect()
    }

    fn heard_of(&self, integration: usize, at: usize) -> impl Iterator<Item = &Heard> {
        let group = format!("{{}}:{{alertname=\"Group{}\"}}", at % 3);
        let all = self.heard.get(&(integration, group)).into_iter().flatten();
        all.filter(|heard| heard.known || !heard.denied)
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var_os(name)?.to_str()?.parse().ok()
}

#[test]
fn whatever_breaks_everybody_hears_of_every_alert_and_its_end_once() {
    let seeds = number("WATCHFIRE_SIM_SEEDS").unwrap_or(24);
    let first = number("WATCHFIRE_SIM_FIRST").unwrap_or(0);
    let (mut crashes, mut told, mut fallbacks) = (0, 0, 0);
    for seed in first..first + seeds {
        let world = World::new(seed, HOURS, Dooms::Random).run();
        world.check();
        crashes += world.crashes;
        told += world.heard.values().map(Vec::len).sum::<usize>();
        let fallback = world.heard.iter().filter(|((at, _), _)| *at == 2);
        fallbacks += fallback.map(|(_, heard)| heard.len()).sum::<usize>();
    }
    eprintln!(
        "seeds {first} to {}: {crashes} crashes, {told} notifications, {fallbacks} to the fallback",
        first + seeds - 1
    );
    assert!(
        u64::from(crashes) > seeds && told as u64 > seeds * 20 && fallbacks as u64 > seeds,
        "{crashes} {told} {fallbacks}"
    );
}

/// Seeds that once found something: the name of a snapshot that a power cut took away (2077); an end that was not told
/// because a crash had interrupted the notification of its begin while others of the group still fired, or because two
/// crashes had interrupted both notifications (544); an answer that came after the router had cut the attempt off (288);
/// an end that was not told because the receiver took its begin and never answered (38); what stayed uncertain for ever
/// because it agreed with the log (5256).
#[test]
fn seeds_that_found_a_mistake_stay_good() {
    for seed in [38, 120, 288, 544, 2077, 5173, 5233, 5256] {
        World::new(seed, HOURS, Dooms::Random).run().check();
    }
}

/// One run for each operation of the disk, the process dying in the middle of it. `WATCHFIRE_SIM_STEP=1`
/// leaves none out.
#[test]
fn a_crash_at_each_step_of_the_journal_forgets_nobody() {
    let seed = number("WATCHFIRE_SIM_FIRST").unwrap_or(0);
    let step = number("WATCHFIRE_SIM_STEP").unwrap_or(37);
    let undisturbed = World::new(seed, 1, Dooms::After(u64::MAX / 2)).run();
    undisturbed.check();
    // The first operations come before the process can be stopped.
    let operations = undisturbed.disk.operations() - undisturbed.began_at;
    let mut runs = 0;
    for at in (0..operations).step_by(usize::try_from(step).expect("small")) {
        let world = World::new(seed, 1, Dooms::After(at)).run();
        assert!(world.crashes > 0, "seed {seed}, operation {at}: no crash");
        world.check();
        runs += 1;
    }
    eprintln!("seed {seed}: a crash in {runs} of {operations} operations");
    assert!(runs > 0);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let world = World::new(seed, HOURS, Dooms::Random).run();
        format!("{:?}", world.heard)
    };
    assert_eq!(run(7), run(7));
}
