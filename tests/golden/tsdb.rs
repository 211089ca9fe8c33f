//! `watchfire tsdb`: what it says of data folders, whole and damaged.

use std::path::Path;
use std::sync::Arc;

use watchfire::disk::os::OsDisk;
use watchfire::model::{FloatHistogram, Labels, Sample, SampleValue, stale_nan};
use watchfire::storage::Storage as _;
use watchfire::tsdb::{Db, Options};

use super::{check, run};

/// Midnight of a day in 2025.
const START_MS: i64 = 1_750_032_000_000;

fn append(db: &Db, pairs: &[(&str, &str)], sample: Sample) {
    let mut batch = db.appender();
    batch
        .append(None, &Labels::from_pairs(pairs.iter().copied()), sample)
        .unwrap();
    batch.commit().unwrap();
}

/// A folder with a block of an hour and a log of some minutes.
fn folder() -> (tempfile::TempDir, Db) {
    let folder = tempfile::tempdir().unwrap();
    let disk = OsDisk::open(folder.path().join("data")).unwrap();
    let db = Db::open(Arc::new(disk), Options::default(), START_MS).unwrap();
    for minute in 0..70 {
        let ms = START_MS + minute * 60_000;
        let up = |instance| [("__name__", "up"), ("job", "node"), ("instance", instance)];
        append(&db, &up("a:9100"), Sample::float(ms, 1.0));
        if minute < 10 {
            append(&db, &up("b:9100"), Sample::float(ms, 1e6 + minute as f64));
        }
        if minute == 10 {
            append(&db, &up("b:9100"), Sample::float(ms, stale_nan()));
        }
        let disk = [
            ("__name__", "disk_free_bytes"),
            ("job", "node"),
            ("path", "C:\\\"x\""),
        ];
        append(&db, &disk, Sample::float(ms, 0.5 * minute as f64));
        if minute == 60 {
            db.checkpoint_now().unwrap();
        }
    }
    let histogram = FloatHistogram {
        count: 3.0,
        sum: 2.5,
        zero_count: 3.0,
        zero_threshold: 0.001,
        ..FloatHistogram::default()
    };
    let sample = Sample {
        timestamp_ms: START_MS + 70 * 60_000,
        start_timestamp_ms: 0,
        value: SampleValue::FloatHistogram(Arc::new(histogram)),
    };
    append(
        &db,
        &[("__name__", "latency_seconds"), ("job", "api")],
        sample,
    );
    (folder, db)
}

fn tsdb(folder: &Path, args: &[&str]) -> String {
    let mut all = vec!["tsdb"];
    all.extend_from_slice(args);
    run(folder, &all)
}

#[test]
fn a_folder_is_listed_analyzed_and_verified_beside_its_server() {
    let (folder, db) = folder();
    let folder = folder.path();
    check("tsdb_list", &tsdb(folder, &["list", "data"]));
    check("tsdb_list_human", &tsdb(folder, &["list", "-r"]));
    check("tsdb_analyze", &tsdb(folder, &["analyze", "--limit=3"]));
    check(
        "tsdb_analyze_block",
        &tsdb(
            folder,
            &[
                "analyze",
                "--extended",
                "--match=up{instance!=\"\"}",
                "data",
                "1",
            ],
        ),
    );
    check(
        "tsdb_analyze_no_block",
        &tsdb(folder, &["analyze", "data", "00000099"]),
    );
    check("tsdb_verify", &tsdb(folder, &["verify"]));
    drop(db);
}

#[test]
fn samples_are_dumped_as_promtool_does() {
    let (folder, _db) = folder();
    let folder = folder.path();
    let late = (START_MS + 68 * 60_000).to_string();
    let min = format!("--min-time={late}");
    check("tsdb_dump", &tsdb(folder, &["dump", &min]));
    check(
        "tsdb_dump_stale",
        &tsdb(
            folder,
            &[
                "dump",
                "--match={instance=\"b:9100\"}",
                "--match=up{instance=~\"b.*\"}",
                "--min-time=2025-06-16T00:08:00Z",
            ],
        ),
    );
    check(
        "tsdb_dump_series",
        &tsdb(folder, &["dump", "--format=seriesjson", &min]),
    );
    check(
        "tsdb_dump_openmetrics",
        &tsdb(folder, &["dump-openmetrics", &min]),
    );
    check("tsdb_dump_mistake", &tsdb(folder, &["dump", "--match=up{"]));
}

#[test]
fn damage_is_told_with_file_and_offset() {
    let (folder, db) = folder();
    db.close().unwrap();
    let folder = folder.path();
    let block = folder.join("data/tsdb/block/00000001");
    let mut bytes = std::fs::read(&block).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&block, bytes).unwrap();
    check("tsdb_verify_damage", &tsdb(folder, &["verify"]));
    check("tsdb_dump_damage", &tsdb(folder, &["dump", "--max-time=0"]));
    std::fs::remove_file(&block).unwrap();
    check("tsdb_verify_missing", &tsdb(folder, &["verify"]));
}

#[test]
fn folders_that_are_no_stores_are_refused_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    check("tsdb_no_folder", &tsdb(folder, &["list"]));
    std::fs::create_dir(folder.join("data")).unwrap();
    check("tsdb_empty_folder", &tsdb(folder, &["verify"]));
    let block = folder.join("data/01M7ZAJRJAB5Q18HG2KB1618HX");
    std::fs::create_dir(&block).unwrap();
    std::fs::write(block.join("meta.json"), "{}").unwrap();
    check("tsdb_prometheus_folder", &tsdb(folder, &["list"]));
    std::fs::create_dir(folder.join("data/tsdb")).unwrap();
    std::fs::write(folder.join("data/tsdb/format"), "watchfire tsdb 999\n").unwrap();
    check("tsdb_newer_format", &tsdb(folder, &["dump"]));
}

#[test]
fn help_of_the_store_s_tools_has_examples() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    check("tsdb_help", &tsdb(folder, &["--help"]));
    check("tsdb_help_analyze", &tsdb(folder, &["analyze", "--help"]));
    check("tsdb_help_dump", &tsdb(folder, &["dump", "--help"]));
}
