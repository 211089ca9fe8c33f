//! The query log (`global.query_log_file`) and the list of active queries (`queries.active` among the data).
//!
//! Both are upstream's formats. The list has a fixed slot per query that may run; after a crash it tells which
//! queries ran, and the next start says so in the log.

use std::any::Any;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::Clock;
use crate::http::metrics::{Counter, Gauge, Registry};
use crate::http::query_log::{FinishedQuery, QueryWatch, stats_json};
use crate::time::WallTime;

/// Bytes of a slot of the list, the comma at its end included.
const SLOT: usize = 1000;
/// Where what a list holds is taken from after a crash, at most.
const LIST_MAX: u64 = 16 << 20;

/// Writes down which queries run and ran.
#[derive(Debug)]
pub struct QueryLog {
    clock: Clock,
    file: Mutex<Option<File>>,
    active: Option<Arc<ActiveQueries>>,
    enabled: Gauge,
    failures: Counter,
}

impl QueryLog {
    /// Begins the list in `folder`, if there is one, with `slots` places; the log waits for [`QueryLog::switch`].
    pub fn open(folder: Option<&Path>, slots: usize, clock: Clock, metrics: &Registry) -> Self {
        let active = folder.and_then(|folder| {
            let path = folder.join("queries.active");
            match ActiveQueries::open(&path, slots, clock) {
                Ok(active) => Some(Arc::new(active)),
                Err(e) => {
                    tracing::error!(file = %path.display(), err = %e, "cannot keep the list of active queries");
                    None
                }
            }
        });
        Self {
            clock,
            file: Mutex::default(),
            active,
            enabled: metrics.gauge(
                "prometheus_engine_query_log_enabled",
                "State of the query log.",
            ),
            failures: metrics.counter(
                "prometheus_engine_query_log_failures_total",
                "The number of query log failures.",
            ),
        }
    }

    /// Opens the file that is to be the log from the next [`QueryLog::switch`] on.
    pub fn prepare(path: Option<&Path>) -> std::io::Result<Option<File>> {
        path.map(|path| OpenOptions::new().create(true).append(true).open(path))
            .transpose()
    }

    /// Goes on in another file, as each reload does, or ends the log.
    pub fn switch(&self, file: Option<File>) {
        self.enabled.set(f64::from(u8::from(file.is_some())));
        *self.file.lock() = file;
    }
}

impl QueryWatch for QueryLog {
    fn began(&self, query: &str) -> Option<Box<dyn Any + Send>> {
        let slot = ActiveQueries::enter(self.active.as_ref()?, query)?;
        Some(Box::new(slot))
    }

    fn ended(&self, query: &FinishedQuery) {
        let mut file = self.file.lock();
        let Some(file) = file.as_mut() else { return };
        let line = line(query, self.clock.now());
        if let Err(e) = file.write_all(line.as_bytes()) {
            self.failures.add(1.0);
            tracing::error!(err = %e, "cannot write the query log");
        }
    }
}

/// One line of the log.
fn line(query: &FinishedQuery, now: WallTime) -> String {
    let mut fields = Map::new();
    fields.insert("time".to_owned(), json!(now.to_string()));
    fields.insert("level".to_owned(), json!("INFO"));
    fields.insert("source".to_owned(), json!("query_log"));
    fields.insert("msg".to_owned(), json!("promql query logged"));
    let params = json!({
        "end": date(query.end_ms),
        "query": query.query,
        "start": date(query.start_ms),
        // compat: whole seconds, cut.
        "step": query.step_ms / 1000,
    });
    fields.insert("params".to_owned(), params);
    if let Some(error) = &query.error {
        fields.insert("error".to_owned(), json!(error));
    }
    fields.insert("stats".to_owned(), stats_json(&query.stats, query.queued));
    fields.insert("spanID".to_owned(), json!("0000000000000000"));
    let (name, origin) = query.origin.field();
    fields.insert(name.to_owned(), origin);
    let mut line = Value::Object(fields).to_string();
    line.push('\n');
    line
}

/// A time with exactly three digits after the second.
fn date(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(
        |_| ms.to_string(),
        |time| time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
    )
}

/// A file of slots, each empty (NUL bytes) or holding a query that runs.
#[derive(Debug)]
struct ActiveQueries {
    file: File,
    /// Numbers of empty slots, the lowest last.
    free: Mutex<Vec<usize>>,
    clock: Clock,
}

impl ActiveQueries {
    fn open(path: &Path, slots: usize, clock: Clock) -> std::io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        if let Ok(file) = File::open(path) {
            let mut left = Vec::new();
            file.take(LIST_MAX).read_to_end(&mut left)?;
            if let Some(queries) = unfinished(&left) {
                tracing::info!(
                    queries,
                    "These queries didn't finish in prometheus' last run:"
                );
            }
        }
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .open(path)?;
        file.write_all(b"[")?;
        file.set_len((1 + slots * SLOT) as u64)?;
        Ok(Self {
            file,
            free: Mutex::new((0..slots).rev().collect()),
            clock,
        })
    }

    /// Takes a slot; none when all are taken or the disk refuses.
    fn enter(self: &Arc<Self>, query: &str) -> Option<Slot> {
        let number = self.free.lock().pop()?;
        let slot = Slot {
            list: Arc::clone(self),
            number,
        };
        let now = self.clock.now().as_ms() / 1000;
        slot.write(&entry(query, now)).then_some(slot)
    }
}

/// A place in the list, given back when dropped.
struct Slot {
    list: Arc<ActiveQueries>,
    number: usize,
}

impl Slot {
    /// Fills the slot; what runs goes on whether or not that works.
    fn write(&self, bytes: &[u8; SLOT]) -> bool {
        let at = (1 + self.number * SLOT) as u64;
        let written = self.list.file.write_all_at(bytes, at);
        if let Err(e) = &written {
            tracing::debug!(err = %e, "cannot note an active query");
        }
        written.is_ok()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.write(&[0; SLOT]);
        self.list.free.lock().push(self.number);
    }
}

/// What a slot holds: an object, NUL bytes, a comma. A query that is too long is cut.
fn entry(query: &str, now_s: i64) -> [u8; SLOT] {
    let text = |query: &str| json!({ "query": query, "timestamp_sec": now_s }).to_string();
    let mut shown = query;
    let mut object = text(shown);
    while object.len() > SLOT - 1 {
        // Escapes make texts longer, so it may take more than one cut.
        let over = object.len() - (SLOT - 1);
        let mut end = shown
            .len()
            .saturating_sub(over.div_ceil(6).max(1))
            .min(SLOT);
        while !shown.is_char_boundary(end) {
            end -= 1;
        }
        shown = shown.get(..end).unwrap_or_default();
        object = text(shown);
    }
    let mut slot = [0; SLOT];
    for (place, byte) in slot.iter_mut().zip(object.bytes()) {
        *place = byte;
    }
    slot[SLOT - 1] = b',';
    slot
}

/// The list that a crash left, as a JSON text; none when nothing ran.
fn unfinished(left: &[u8]) -> Option<String> {
    let text: Vec<u8> = left.iter().copied().filter(|b| *b != 0).collect();
    let text = String::from_utf8_lossy(&text);
    let entries = text.strip_prefix('[')?.trim_end_matches(',');
    (!entries.is_empty()).then(|| format!("[{entries}]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::query_log::QueryOrigin;
    use crate::promql::engine::Stats;

    fn finished(error: Option<&str>) -> FinishedQuery {
        FinishedQuery {
            query: "up + \"<\"".to_owned(),
            start_ms: 1_700_000_000_500,
            end_ms: 1_700_000_010_123,
            step_ms: 1500,
            error: error.map(str::to_owned),
            stats: Stats::default(),
            queued: std::time::Duration::ZERO,
            origin: QueryOrigin::RuleGroup {
                file: "r.yml".into(),
                name: "g".into(),
            },
        }
    }

    #[test]
    fn a_line_reads_as_upstream_writes_it() {
        let text = line(
            &finished(Some("boom")),
            WallTime::from_ms(1_700_000_000_001),
        );
        assert_eq!(
            text,
            "{\"time\":\"2023-11-14T22:13:20.001Z\",\"level\":\"INFO\",\"source\":\"query_log\",\"msg\":\"promql query logged\",\"params\":{\"end\":\"2023-11-14T22:13:30.123Z\",\"query\":\"up + \\\"<\\\"\",\"start\":\"2023-11-14T22:13:20.500Z\",\"step\":1},\"error\":\"boom\",\"stats\":{\"timings\":{\"evalTotalTime\":0.0,\"resultSortTime\":0.0,\"queryPreparationTime\":0.0,\"innerEvalTime\":0.0,\"execQueueTime\":0.0,\"execTotalTime\":0.0},\"samples\":{\"totalQueryableSamples\":0,\"peakSamples\":0}},\"spanID\":\"0000000000000000\",\"ruleGroup\":{\"file\":\"r.yml\",\"name\":\"g\"}}\n"
        );
    }

    #[test]
    fn the_log_is_opened_anew_and_can_be_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("query.log");
        let log = QueryLog::open(None, 1, Clock::real(), &Registry::default());
        log.ended(&finished(None));
        log.switch(QueryLog::prepare(Some(&path)).unwrap());
        log.ended(&finished(None));
        std::fs::rename(&path, folder.path().join("old.log")).unwrap();
        log.switch(QueryLog::prepare(Some(&path)).unwrap());
        log.ended(&finished(None));
        log.ended(&finished(None));
        log.switch(None);
        log.ended(&finished(None));
        let lines = |name: &str| {
            let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
            text.lines().count()
        };
        assert_eq!((lines("old.log"), lines("query.log")), (1, 2));
        assert!(QueryLog::prepare(Some(&folder.path().join("no/such"))).is_err());
    }

    #[test]
    fn what_ran_at_a_crash_can_be_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queries.active");
        let log = QueryLog::open(Some(folder.path()), 2, Clock::real(), &Registry::default());
        assert_eq!(std::fs::read(&path).unwrap().len(), 2001);
        let first = log.began("rate(a[5m])").unwrap();
        let second = log.began("b").unwrap();
        assert!(log.began("no slot is left").is_none());
        drop(first);
        let third = log.began("c{x=\"y\"}").unwrap();
        let left = unfinished(&std::fs::read(&path).unwrap()).unwrap();
        let read: Value = serde_json::from_str(&left).unwrap();
        assert_eq!(read[0]["query"], "c{x=\"y\"}");
        assert_eq!(read[1]["query"], "b");
        assert!(read[1]["timestamp_sec"].as_i64().unwrap() > 1_700_000_000);
        drop((second, third));
        assert_eq!(unfinished(&std::fs::read(&path).unwrap()), None);
    }

    #[test]
    fn long_queries_are_cut_and_stay_readable() {
        for query in ["x".repeat(5000), "\u{1}é\"".repeat(900), "\n".repeat(2000)] {
            let slot = entry(&query, 1);
            let mut file = b"[".to_vec();
            file.extend_from_slice(&slot);
            let left = unfinished(&file).unwrap();
            let read: Value = serde_json::from_str(&left).unwrap();
            let kept = read[0]["query"].as_str().unwrap();
            assert!(
                query.starts_with(kept) && kept.len() > 100,
                "{}",
                kept.len()
            );
        }
    }

    #[test]
    fn any_bytes_in_a_list_are_survived() {
        for bytes in [
            &b""[..],
            b"[",
            b"[,,,",
            b"\xff\xfe",
            b"[{\"query\":",
            &[0; 4000],
        ] {
            let _ = unfinished(bytes);
        }
    }
}
