//! The journal's records and their bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::alerting::dead_letters::DeadLetter;
use crate::alerting::notification_log::LogEntry;
use crate::alerting::receivers::Kept;
use crate::alerting::{Matcher, Matchers, Silence};
use crate::codec::{Error, Reader, put_str, put_u64, put_varint, put_zigzag};
use crate::model::{Alert, Labels, MatchOp};
use crate::time::WallTime;

/// What a notification was about, for the log and the outbox.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogKey {
    /// The group's key.
    pub group_key: String,
    /// Receiver, kind and number of the integration: `team-a/webhook/0`.
    pub integration: String,
}

/// A notification that is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The delivery.
    pub id: u64,
    /// Whom it tells about what.
    pub key: LogKey,
    /// What the log will say once it is delivered.
    pub entry: LogEntry,
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it; the log says so from now on.
    Delivered,
    /// The receiver will never take it.
    Refused,
    /// A later flush took its place, or muted it.
    Superseded,
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// An alert is as this.
    Alert(Alert),
    /// Alerts were confirmed: fingerprint, end, time of confirmation.
    Renewed(Vec<(u64, WallTime, WallTime)>),
    /// An alert has ended and everybody who was to know has been told.
    AlertGone(u64),
    /// A silence is as this.
    Silence(Silence),
    /// A silence was dropped after its retention.
    SilenceGone(String),
    /// A notification is about to be sent for the first time.
    Intended(Intent),
    /// A notification was dealt with, at this time.
    Closed(u64, Outcome, WallTime),
    /// The log says this, without anything having been sent.
    Logged(LogKey, LogEntry),
    /// The log says nothing any more.
    LogGone(LogKey),
    /// The process lived at this time.
    Clock(WallTime),
    /// What an integration remembers about a group.
    Kept(LogKey, Kept),
    /// A dead letter is as this.
    DeadLetter(DeadLetter),
    /// A dead letter was dropped.
    DeadLetterGone(LogKey),
}

impl Record {
    /// Confirmations and the clock come again soon; all else is synced.
    pub(super) const fn must_survive_power_cut(&self) -> bool {
        !matches!(
            self,
            Self::Renewed(_) | Self::Clock(_) | Self::LogGone(_) | Self::DeadLetterGone(_)
        )
    }

    /// Appends the payload and returns the kind.
    pub(super) fn encode(&self, out: &mut Vec<u8>) -> u8 {
        match self {
            Self::Alert(alert) => {
                put_alert(out, alert);
                1
            }
            Self::Renewed(all) => {
                put_varint(out, all.len() as u64);
                for (fingerprint, ends_at, updated_at) in all {
                    put_u64(out, *fingerprint);
                    put_time(out, *ends_at);
                    put_time(out, *updated_at);
                }
                2
            }
            Self::AlertGone(fingerprint) => {
                put_u64(out, *fingerprint);
                3
            }
            Self::Silence(silence) => {
                put_silence(out, silence);
                4
            }
            Self::SilenceGone(id) => {
                put_str(out, id);
                5
            }
            Self::Intended(intent) => {
                put_varint(out, intent.id);
                put_key(out, &intent.key);
                put_entry(out, &intent.entry);
                6
            }
            Self::Closed(id, outcome, at) => {
                put_varint(out, *id);
                out.push(match outcome {
                    Outcome::Delivered => 0,
                    Outcome::Refused => 1,
                    Outcome::Superseded => 2,
                });
                put_time(out, *at);
                7
            }
            Self::Logged(key, entry) => {
                put_key(out, key);
                put_entry(out, entry);
                8
            }
            Self::LogGone(key) => {
                put_key(out, key);
                9
            }
            Self::Clock(now) => {
                put_time(out, *now);
                10
            }
            Self::Kept(key, kept) => {
                put_key(out, key);
                let Kept::SlackMessage { timestamp, channel } = kept;
                put_str(out, timestamp);
                put_str(out, channel);
                11
            }
            Self::DeadLetter(letter) => {
                put_letter(out, letter);
                12
            }
            Self::DeadLetterGone(key) => {
                put_key(out, key);
                13
            }
        }
    }

    /// Reads a payload.
    pub(super) fn decode(kind: u8, payload: &[u8]) -> Result<Self, Error> {
        let r = &mut Reader::new(payload);
        Ok(match kind {
            1 => Self::Alert(alert(r)?),
            2 => {
                let count = r.count(10)?;
                let mut all = Vec::with_capacity(count);
                for _ in 0..count {
                    all.push((r.u64()?, read_time(r)?, read_time(r)?));
                }
                Self::Renewed(all)
            }
            3 => Self::AlertGone(r.u64()?),
            4 => Self::Silence(silence(r)?),
            5 => Self::SilenceGone(r.str()?.to_owned()),
            6 => Self::Intended(Intent {
                id: r.varint()?,
                key: key(r)?,
                entry: entry(r)?,
            }),
            7 => {
                let id = r.varint()?;
                let outcome = match r.u8()? {
                    0 => Outcome::Delivered,
                    1 => Outcome::Refused,
                    2 => Outcome::Superseded,
                    _ => return Err(Error::Invalid("outcome")),
                };
                Self::Closed(id, outcome, read_time(r)?)
            }
            8 => Self::Logged(key(r)?, entry(r)?),
            9 => Self::LogGone(key(r)?),
            10 => Self::Clock(read_time(r)?),
            11 => Self::Kept(
                key(r)?,
                Kept::SlackMessage {
                    timestamp: r.str()?.to_owned(),
                    channel: r.str()?.to_owned(),
                },
            ),
            12 => Self::DeadLetter(letter(r)?),
            13 => Self::DeadLetterGone(key(r)?),
            _ => return Err(Error::Invalid("record kind")),
        })
    }
}

pub(in crate::alerting) fn put_time(out: &mut Vec<u8>, time: WallTime) {
    put_zigzag(out, time.as_ns());
}

pub(in crate::alerting) fn read_time(r: &mut Reader<'_>) -> Result<WallTime, Error> {
    r.zigzag().map(WallTime::from_ns)
}

pub(in crate::alerting) fn put_labels(out: &mut Vec<u8>, labels: &Labels) {
    put_varint(out, labels.len() as u64);
    for (name, value) in labels {
        put_str(out, name);
        put_str(out, value);
    }
}

pub(in crate::alerting) fn read_labels(r: &mut Reader<'_>) -> Result<Labels, Error> {
    let count = r.count(2)?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        pairs.push((r.str()?, r.str()?));
    }
    Ok(Labels::from_pairs(pairs))
}

fn read_annotations(r: &mut Reader<'_>) -> Result<Labels, Error> {
    let count = r.count(2)?;
    let pairs = (0..count)
        .map(|_| Ok((r.str()?, r.str()?)))
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(Labels::with_empty_values(pairs))
}

fn put_alert(out: &mut Vec<u8>, alert: &Alert) {
    put_labels(out, &alert.labels);
    put_labels(out, &alert.annotations);
    for t in [alert.starts_at, alert.ends_at, alert.updated_at] {
        put_time(out, t);
    }
    put_str(out, &alert.generator_url);
    out.push(u8::from(alert.timeout));
}

fn alert(r: &mut Reader<'_>) -> Result<Alert, Error> {
    Ok(Alert {
        labels: read_labels(r)?,
        annotations: read_annotations(r)?,
        starts_at: read_time(r)?,
        ends_at: read_time(r)?,
        updated_at: read_time(r)?,
        generator_url: r.str()?.into(),
        timeout: r.u8()? != 0,
    })
}

fn put_silence(out: &mut Vec<u8>, silence: &Silence) {
    put_str(out, &silence.id);
    put_varint(out, silence.matcher_sets.len() as u64);
    for set in &silence.matcher_sets {
        put_varint(out, set.0.len() as u64);
        for matcher in &set.0 {
            out.push(matcher.op as u8);
            put_str(out, &matcher.name);
            put_str(out, &matcher.value);
        }
    }
    for t in [silence.starts_at, silence.ends_at, silence.updated_at] {
        put_time(out, t);
    }
    put_str(out, &silence.created_by);
    put_str(out, &silence.comment);
    put_varint(out, silence.annotations.len() as u64);
    for (name, value) in &silence.annotations {
        put_str(out, name);
        put_str(out, value);
    }
}

fn silence(r: &mut Reader<'_>) -> Result<Silence, Error> {
    let id = r.str()?.to_owned();
    let mut matcher_sets = Vec::new();
    for _ in 0..r.count(1)? {
        let mut set = Vec::new();
        for _ in 0..r.count(3)? {
            let op = match r.u8()? {
                0 => MatchOp::Equal,
                1 => MatchOp::NotEqual,
                2 => MatchOp::Regex,
                3 => MatchOp::NotRegex,
                _ => return Err(Error::Invalid("matcher")),
            };
            let (name, value) = (r.str()?, r.str()?);
            set.push(Matcher::new(op, name, value).map_err(|_| Error::Invalid("pattern"))?);
        }
        matcher_sets.push(Matchers(set));
    }
    let (starts_at, ends_at, updated_at) = (read_time(r)?, read_time(r)?, read_time(r)?);
    let (created_by, comment) = (r.str()?.to_owned(), r.str()?.to_owned());
    let mut annotations = BTreeMap::new();
    for _ in 0..r.count(2)? {
        annotations.insert(r.str()?.to_owned(), r.str()?.to_owned());
    }
    Ok(Silence {
        id,
        matcher_sets,
        starts_at,
        ends_at,
        updated_at,
        created_by,
        comment,
        annotations,
    })
}

fn put_key(out: &mut Vec<u8>, key: &LogKey) {
    put_str(out, &key.group_key);
    put_str(out, &key.integration);
}

fn key(r: &mut Reader<'_>) -> Result<LogKey, Error> {
    Ok(LogKey {
        group_key: r.str()?.to_owned(),
        integration: r.str()?.to_owned(),
    })
}

fn put_entry(out: &mut Vec<u8>, entry: &LogEntry) {
    for set in [&entry.firing, &entry.resolved] {
        put_varint(out, set.len() as u64);
        for hash in &**set {
            put_u64(out, *hash);
        }
    }
    put_time(out, entry.timestamp);
    put_time(out, entry.expires_at);
}

fn entry(r: &mut Reader<'_>) -> Result<LogEntry, Error> {
    let mut hashes = || -> Result<Arc<[u64]>, Error> {
        let count = r.count(8)?;
        (0..count).map(|_| r.u64()).collect()
    };
    let (firing, resolved) = (hashes()?, hashes()?);
    Ok(LogEntry {
        firing,
        resolved,
        timestamp: read_time(r)?,
        expires_at: read_time(r)?,
    })
}

fn put_letter(out: &mut Vec<u8>, letter: &DeadLetter) {
    put_key(out, &letter.key);
    put_str(out, &letter.receiver);
    put_time(out, letter.first);
    put_time(out, letter.last);
    put_varint(out, letter.count);
    put_str(out, &letter.reason);
    put_varint(out, letter.alerts.len() as u64);
    for labels in &letter.alerts {
        put_labels(out, labels);
    }
    put_varint(out, letter.alert_count);
    put_str(out, &letter.fallback);
    put_time(out, letter.reached_at.unwrap_or(WallTime::ZERO));
}

fn letter(r: &mut Reader<'_>) -> Result<DeadLetter, Error> {
    Ok(DeadLetter {
        key: key(r)?,
        receiver: r.str()?.to_owned(),
        first: read_time(r)?,
        last: read_time(r)?,
        count: r.varint()?,
        reason: r.str()?.to_owned(),
        alerts: (0..r.count(1)?)
            .map(|_| read_labels(r))
            .collect::<Result<_, _>>()?,
        alert_count: r.varint()?,
        fallback: r.str()?.to_owned(),
        reached_at: Some(read_time(r)?).filter(|at| !at.is_zero()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn examples() -> Vec<Record> {
        let t = WallTime::from_ms(1_700_000_000_123);
        let labels = Labels::from_pairs([("alertname", "Down"), ("ünï", "cödé")]);
        let key = LogKey {
            group_key: "{}:{a=\"b\"}".to_owned(),
            integration: "team/webhook/0".to_owned(),
        };
        let entry = LogEntry {
            firing: [1, u64::MAX].into(),
            resolved: [7].into(),
            timestamp: t,
            expires_at: WallTime::ZERO,
        };
        vec![
            Record::Alert(Alert {
                annotations: Labels::with_empty_values([("a", ""), ("b", "x"), ("a", "")]),
                labels: labels.clone(),
                starts_at: t,
                ends_at: WallTime::ZERO,
                updated_at: t,
                generator_url: "http://x".into(),
                timeout: true,
            }),
            Record::Renewed(vec![(1, t, t), (2, WallTime::ZERO, t)]),
            Record::AlertGone(9),
            Record::Silence(Silence {
                id: "id".to_owned(),
                matcher_sets: vec![Matchers(vec![
                    Matcher::new(MatchOp::Regex, "a", "b.*").expect("valid"),
                    Matcher::new(MatchOp::NotEqual, "c", "").expect("valid"),
                ])],
                starts_at: t,
                ends_at: t,
                updated_at: t,
                created_by: "me".to_owned(),
                comment: String::new(),
                annotations: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
            }),
            Record::SilenceGone("id".to_owned()),
            Record::Intended(Intent {
                id: 5,
                key: key.clone(),
                entry: entry.clone(),
            }),
            Record::Closed(5, Outcome::Superseded, t),
            Record::Logged(key.clone(), entry),
            Record::LogGone(key.clone()),
            Record::Clock(t),
            Record::Kept(
                key.clone(),
                Kept::SlackMessage {
                    timestamp: "1.2".to_owned(),
                    channel: "C1".to_owned(),
                },
            ),
            Record::DeadLetter(DeadLetter {
                key: key.clone(),
                receiver: "team".to_owned(),
                first: t,
                last: t,
                count: 3,
                reason: "no".to_owned(),
                alerts: vec![labels],
                alert_count: 99,
                fallback: "other".to_owned(),
                reached_at: Some(t),
            }),
            Record::DeadLetterGone(key),
        ]
    }

    #[test]
    fn every_record_reads_back() {
        for record in examples() {
            let mut bytes = Vec::new();
            let kind = record.encode(&mut bytes);
            assert_eq!(Record::decode(kind, &bytes), Ok(record));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_bytes_hurt(kind in 0u8..15, bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Record::decode(kind, &bytes);
        }
    }
}
