//! The decision record on disk, so that a restart does not forget why somebody was (not) told.
//!
//! The folder holds files `decisions-NNNNNNNN` of frames ([`crate::codec::frame`], the salt being the
//! file's number). A frame says what one stage decided about some alerts: time, place, stage, alerts. A
//! place is a number that counts from 0 in each file; the first frame that names one spells it out, and so
//! it is with an alert's labels, which later frames of the file leave out. A file is closed when it holds a
//! quarter of the bound; the oldest goes when what follows it fills the bound, or when all of it is too
//! old. Nothing is synced: after a power cut the last moments may be missing. A disk that fails costs
//! decisions, never a notification.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::stage_codec::{put_stage, read_stage};
use super::{Decision, Place, Stage};
use crate::alerting::journal::{put_labels, put_time, read_labels, read_time};
use crate::codec::frame::{self, Frames};
use crate::codec::{Error, Reader, put_str, put_u64, put_varint};
use crate::disk::{self, Disk, File};
use crate::model::Labels;
use crate::time::WallTime;

/// How many files hold what the bound allows.
const FILES: usize = 4;
/// What waits for the next commit at most.
const BUFFER_BYTES_MAX: usize = 1 << 20;
/// The kind of the frames.
const KIND: u8 = 2;
/// Decisions of one moment that are gathered into frames side by side.
const OPEN_MAX: usize = 16;
/// Alerts in one frame.
const ALERTS_MAX: usize = 4096;

/// The files and what has not been written yet.
#[derive(Debug)]
pub(super) struct DecisionLog {
    disk: Arc<dyn Disk>,
    dir: String,
    closed: VecDeque<Closed>,
    number: u64,
    /// `None` after a failure, until the next file is begun.
    file: Option<Box<dyn File>>,
    sequence: u64,
    bound: usize,
    /// Decisions in the open file.
    held: usize,
    last: WallTime,
    known: Known,
    open: Vec<Batch>,
    buffer: Vec<u8>,
}

/// A file that is not written to any more.
#[derive(Debug)]
struct Closed {
    number: u64,
    held: usize,
    /// When its last decision was made.
    last: WallTime,
}

/// What the open file has spelt out.
#[derive(Debug, Default)]
struct Known {
    places: HashMap<Arc<Place>, u64>,
    alerts: HashSet<u64>,
}

/// What one stage decided about some alerts at one moment.
#[derive(Debug)]
struct Batch {
    at: WallTime,
    place: Arc<Place>,
    stage: Arc<Stage>,
    alerts: Vec<(u64, Labels)>,
}

impl Batch {
    fn takes(&self, at: WallTime, place: &Arc<Place>, stage: &Arc<Stage>) -> bool {
        Arc::ptr_eq(&self.stage, stage)
            && Arc::ptr_eq(&self.place, place)
            && self.at == at
            && self.alerts.len() < ALERTS_MAX
    }
}

impl DecisionLog {
    /// Reads what there is and goes on with the last file.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        dir: &str,
        bound: usize,
        mut replay: impl FnMut(Decision),
    ) -> Result<Self, disk::Error> {
        disk.create_dir(dir)?;
        let mut numbers: Vec<u64> = disk
            .list(dir)?
            .iter()
            .filter_map(|name| name.strip_prefix("decisions-")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        let mut log = Self {
            disk,
            dir: dir.to_owned(),
            closed: VecDeque::new(),
            number: 0,
            file: None,
            sequence: 0,
            bound,
            held: 0,
            last: WallTime::ZERO,
            known: Known::default(),
            open: Vec::new(),
            buffer: Vec::new(),
        };
        for number in numbers {
            log.close_file();
            log.number = number;
            log.read(&mut replay)?;
        }
        if log.file.is_none() {
            log.begin_file()?;
        }
        Ok(log)
    }

    /// Reads the file of the current number and opens it to go on.
    fn read(&mut self, replay: &mut impl FnMut(Decision)) -> Result<(), disk::Error> {
        let file = self.disk.open(&self.path(self.number))?;
        let bytes = file.read_all()?;
        let mut frames = Frames::new(&bytes, 0, self.number);
        (self.sequence, self.held) = (0, 0);
        let mut names = Names::default();
        for frame in frames.by_ref() {
            self.sequence = frame.sequence + 1;
            // Another version's frames say nothing to us.
            if frame.kind == KIND {
                let _ = names.decode(frame.payload, |decision| {
                    self.held += 1;
                    self.last = decision.at;
                    replay(decision);
                });
            }
        }
        self.known = names.into_known();
        let good = frames.offset() as u64;
        if good < bytes.len() as u64 {
            file.truncate(good)?;
        }
        self.file = Some(file);
        Ok(())
    }

    /// Keeps so many decisions from now on.
    pub(super) fn set_bound(&mut self, bound: usize) {
        self.bound = bound;
    }

    /// Adds a decision to the next [`Self::commit`].
    pub(super) fn push(
        &mut self,
        at: WallTime,
        fingerprint: u64,
        labels: &Labels,
        place: &Arc<Place>,
        stage: &Arc<Stage>,
    ) {
        let alert = (fingerprint, labels.clone());
        // What comes together lies at the end.
        let mut open = self.open.iter_mut().rev();
        if let Some(batch) = open.find(|batch| batch.takes(at, place, stage)) {
            batch.alerts.push(alert);
            return;
        }
        if self.open.len() >= OPEN_MAX {
            self.gather();
        }
        self.open.push(Batch {
            at,
            place: Arc::clone(place),
            stage: Arc::clone(stage),
            alerts: vec![alert],
        });
    }

    /// Turns what was pushed into frames, and begins another file when this one holds its part.
    fn gather(&mut self) {
        for batch in std::mem::take(&mut self.open) {
            let start = frame::begin(&mut self.buffer);
            self.known.encode(&mut self.buffer, &batch);
            if frame::finish(&mut self.buffer, start, self.number, KIND, self.sequence) {
                self.sequence += 1;
                self.held += batch.alerts.len();
                self.last = batch.at;
            }
            if self.buffer.len() > BUFFER_BYTES_MAX {
                self.write();
            }
        }
        if self.held > 0 && self.held >= self.bound / FILES {
            self.write();
            self.close_file();
            let _ = self.begin_file();
        }
    }

    fn write(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        if let Some(file) = &self.file
            && file.append(&self.buffer).is_err()
        {
            self.file = None;
        }
        self.buffer.clear();
    }

    /// Hands what was pushed to the operating system.
    pub(super) fn commit(&mut self) {
        self.gather();
        self.write();
        let held = |log: &Self| log.held + log.closed.iter().map(|file| file.held).sum::<usize>();
        while self
            .closed
            .front()
            .is_some_and(|first| held(self) - first.held >= self.bound)
        {
            self.drop_first();
        }
    }

    /// Drops files that hold nothing younger than `horizon`.
    pub(super) fn collect_garbage(&mut self, horizon: WallTime) {
        while self
            .closed
            .front()
            .is_some_and(|first| first.last < horizon)
        {
            self.drop_first();
        }
    }

    fn close_file(&mut self) {
        if self.number > 0 {
            self.closed.push_back(Closed {
                number: self.number,
                held: self.held,
                last: self.last,
            });
        }
    }

    fn begin_file(&mut self) -> Result<(), disk::Error> {
        self.number += 1;
        self.sequence = 0;
        self.held = 0;
        self.known = Known::default();
        self.file = None;
        self.file = Some(self.disk.create(&self.path(self.number))?);
        Ok(())
    }

    fn drop_first(&mut self) {
        if let Some(first) = self.closed.pop_front() {
            // What cannot be removed now is removed after the next start.
            let _ = self.disk.remove(&self.path(first.number));
        }
    }

    fn path(&self, number: u64) -> String {
        format!("{}/decisions-{number:08}", self.dir)
    }
}

impl Known {
    fn encode(&mut self, out: &mut Vec<u8>, batch: &Batch) {
        put_time(out, batch.at);
        let next = self.places.len() as u64;
        let place = *self.places.entry(Arc::clone(&batch.place)).or_insert(next);
        put_varint(out, place);
        if place == next {
            put_str(out, &batch.place.group_key);
            put_str(out, &batch.place.receiver);
            put_str(out, &batch.place.integration);
        }
        put_stage(out, &batch.stage);
        put_varint(out, batch.alerts.len() as u64);
        for (fingerprint, labels) in &batch.alerts {
            put_u64(out, *fingerprint);
            let new = self.alerts.insert(*fingerprint);
            out.push(u8::from(new));
            if new {
                put_labels(out, labels);
            }
        }
    }
}

/// What a file that is being read has spelt out.
#[derive(Debug, Default)]
struct Names {
    places: Vec<Arc<Place>>,
    alerts: HashMap<u64, Labels>,
}

impl Names {
    fn decode(&mut self, payload: &[u8], mut replay: impl FnMut(Decision)) -> Result<(), Error> {
        let r = &mut Reader::new(payload);
        let at = read_time(r)?;
        let number = usize::try_from(r.varint()?).map_err(|_| Error::Invalid("place"))?;
        if number == self.places.len() {
            self.places.push(Arc::new(Place {
                group_key: r.str()?.into(),
                receiver: r.str()?.into(),
                integration: r.str()?.into(),
            }));
        }
        let place = self.places.get(number).ok_or(Error::Invalid("place"))?;
        let stage = Arc::new(read_stage(r)?);
        for _ in 0..r.count(9)? {
            let fingerprint = r.u64()?;
            if r.u8()? != 0 {
                self.alerts.insert(fingerprint, read_labels(r)?);
            }
            let labels = self.alerts.get(&fingerprint);
            replay(Decision {
                at,
                last: at,
                count: 1,
                fingerprint,
                labels: labels.ok_or(Error::Invalid("alert"))?.clone(),
                place: Arc::clone(place),
                verdict: Arc::clone(&stage),
            });
        }
        Ok(())
    }

    fn into_known(self) -> Known {
        Known {
            places: self.places.into_iter().zip(0..).collect(),
            alerts: self.alerts.into_keys().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::alerting::NotifyReason;
    use crate::alerting::silence::SilenceNote;
    use crate::disk::memory::MemoryDisk;
    use crate::model::Labels;

    fn at(s: i64) -> WallTime {
        WallTime::from_ms(1_700_000_000_000 + s * 1000)
    }

    fn stages() -> Vec<Stage> {
        let note = SilenceNote {
            id: "id".to_owned(),
            created_by: "me".to_owned(),
            comment: "wörk".to_owned(),
            ends_at: at(9),
        };
        vec![
            Stage::Received { resolved: true },
            Stage::Grouped { flush_at: at(30) },
            Stage::Inhibited {
                rule: "rule 1".into(),
                by: vec![Labels::from_pairs([("a", "b")]), Labels::empty()],
            },
            Stage::Inactive(vec!["x".to_owned()]),
            Stage::Muted(vec!["x".to_owned(), "y".to_owned()]),
            Stage::Silenced(vec![Arc::new(note)]),
            Stage::Deduplicated { since: Some(at(1)) },
            Stage::Deduplicated { since: None },
            Stage::Intended(NotifyReason::RepeatIntervalElapsed),
            Stage::Sent { attempts: 3 },
            Stage::Failed {
                reason: "no".to_owned(),
                retry_at: at(2),
            },
            Stage::Refused {
                reason: "never".to_owned(),
            },
            Stage::Superseded,
            Stage::FallenBack {
                from: "team/webhook/0".into(),
            },
            Stage::Uncertain { since: at(4) },
        ]
    }

    fn decision(s: i64, verdict: Stage) -> Decision {
        Decision {
            at: at(s),
            last: at(s),
            count: 1,
            fingerprint: 7,
            labels: Labels::from_pairs([("alertname", "Down")]),
            place: Arc::new(Place {
                group_key: "g".into(),
                receiver: "r".into(),
                integration: "i/0".into(),
            }),
            verdict: Arc::new(verdict),
        }
    }

    fn add(log: &mut DecisionLog, d: &Decision) {
        log.push(d.at, d.fingerprint, &d.labels, &d.place, &d.verdict);
    }

    fn open(disk: &MemoryDisk, bound: usize) -> (DecisionLog, Vec<Decision>) {
        let mut read = Vec::new();
        let log = DecisionLog::open(Arc::new(disk.clone()), "d", bound, |d| read.push(d));
        (log.expect("opens"), read)
    }

    #[test]
    fn every_stage_reads_back() {
        let disk = MemoryDisk::new();
        let (mut log, _) = open(&disk, 1000);
        let all: Vec<Decision> = stages().into_iter().map(|s| decision(1, s)).collect();
        for decision in &all {
            add(&mut log, decision);
        }
        log.commit();
        assert_eq!(open(&disk, 1000).1, all);
    }

    #[test]
    fn alerts_and_places_are_spelt_out_once_in_each_file() {
        let disk = MemoryDisk::new();
        let (mut log, _) = open(&disk, 1000);
        let mut sizes = Vec::new();
        for s in 0..3 {
            if s == 2 {
                // A restart goes on with what the file has spelt out.
                log = open(&disk, 1000).0;
            }
            let before = disk.used();
            add(&mut log, &decision(s, Stage::Superseded));
            log.commit();
            sizes.push(disk.used() - before);
        }
        assert!(sizes[1] < sizes[0] && sizes[2] == sizes[1], "{sizes:?}");
        assert_eq!(open(&disk, 1000).1.len(), 3);
    }

    #[test]
    fn decisions_of_one_moment_share_a_frame() {
        let disk = MemoryDisk::new();
        let (mut log, _) = open(&disk, 1000);
        let first = decision(1, Stage::Superseded);
        let mut all = Vec::new();
        for fingerprint in 0..50 {
            let labels = Labels::from_pairs([("n", fingerprint.to_string())]);
            let decision = Decision {
                fingerprint,
                labels,
                ..first.clone()
            };
            add(&mut log, &decision);
            all.push(decision);
        }
        log.commit();
        assert_eq!(log.sequence, 1);
        assert_eq!(open(&disk, 1000).1, all);
    }

    #[test]
    fn old_files_go_by_number_and_by_age() {
        let disk = MemoryDisk::new();
        let (mut log, _) = open(&disk, 8);
        for s in 0..30 {
            add(&mut log, &decision(s, Stage::Superseded));
            log.commit();
        }
        let (mut log, read) = open(&disk, 8);
        assert!((8..12).contains(&read.len()), "{}", read.len());
        assert_eq!(read.last().map(|d| d.at), Some(at(29)));
        log.collect_garbage(at(28));
        assert!(open(&disk, 8).1.iter().all(|d| d.at >= at(26)));
    }

    #[test]
    fn a_full_disk_costs_decisions_only() {
        let disk = MemoryDisk::new();
        let (mut log, _) = open(&disk, 4);
        disk.set_capacity(Some(disk.used()));
        for s in 0..3 {
            add(&mut log, &decision(s, Stage::Superseded));
            log.commit();
        }
        disk.set_capacity(None);
        for s in 3..9 {
            add(&mut log, &decision(s, Stage::Superseded));
            log.commit();
        }
        assert!(open(&disk, 4).1.iter().any(|d| d.at == at(8)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_bytes_hurt(bytes in prop::collection::vec(any::<u8>(), 0..96)) {
            let _ = Names::default().decode(&bytes, |_| {});
        }
    }
}
