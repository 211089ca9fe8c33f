//! What is asked of each parser. A target gets any bytes; it may not panic.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use watchfire::alerting::matchers::{Syntax, parse_matchers};
use watchfire::codec::prompb;
use watchfire::config::{MemoryFiles, alertmanager, prometheus};
use watchfire::daemon::net::http1;
use watchfire::discovery;
use watchfire::disk::Disk;
use watchfire::disk::memory::MemoryDisk;
use watchfire::exposition::{Format, Parser, ParserOptions};
use watchfire::model::{Labels, Sample};
use watchfire::promql::notation::parse_series_line;
use watchfire::rules::file::{self, FileOptions};
use watchfire::storage::Storage;
use watchfire::template;
use watchfire::text::regex::Regex;
use watchfire::text::yaml;
use watchfire::tsdb::{Db, Options};

/// The input as text; broken UTF-8 is for those that take bytes.
pub fn text(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

pub fn series_notation(input: &[u8]) {
    if let Ok((labels, values)) = parse_series_line(&text(input)) {
        black_box((labels.to_string(), values.len()));
    }
}

/// The text before the first newline is a pattern, the rest is matched.
pub fn regex(input: &[u8]) {
    let input = text(input);
    let (pattern, rest) = input.split_once('\n').unwrap_or((&input, "abc"));
    if let Ok(regex) = Regex::anchored(pattern) {
        let matched = regex.is_match(rest);
        assert_eq!(regex.expand(rest, "$0$1${x}").is_some(), matched);
        if let Some(texts) = regex.literal_alternatives() {
            assert!(texts.iter().take(100).all(|text| regex.is_match(text)));
        }
    }
    if let Ok(regex) = Regex::unanchored(pattern) {
        black_box(regex.replace_all(rest, "<$0>"));
    }
}

/// A matcher prints as itself.
pub fn matchers(input: &[u8]) {
    let input = text(input);
    for syntax in [Syntax::Fallback, Syntax::Utf8, Syntax::Classic] {
        if let Ok(found) = parse_matchers(syntax, &input) {
            for matcher in found {
                black_box((matcher.matches(""), matcher.to_string()));
            }
        }
    }
}

fn read_page(input: &[u8], format: Format) {
    for on in [false, true] {
        let options = ParserOptions {
            type_and_unit_labels: on,
            ignore_native_histograms: false,
            convert_classic_histograms: on,
            keep_classic_histograms: on,
            start_timestamps: on,
        };
        let mut parser = Parser::new(input, format, options);
        let mut entries = 0_usize;
        while let Ok(Some(entry)) = parser.next() {
            black_box(&entry);
            entries += 1;
            assert!(entries <= 100 + input.len() * 20, "the page has no end");
        }
    }
}

pub fn exposition_text(input: &[u8]) {
    read_page(input, Format::PrometheusText);
    read_page(input, Format::OpenMetrics);
}

pub fn exposition_protobuf(input: &[u8]) {
    read_page(input, Format::Protobuf);
}

pub fn yaml(input: &[u8]) {
    if let Ok(document) = yaml::parse_first(&text(input)) {
        black_box(document.root.is_null());
    }
}

pub fn prometheus_config(input: &[u8]) {
    let mut files = MemoryFiles::new();
    files.insert("prometheus.yml", input);
    let loaded = prometheus::load(
        Path::new("prometheus.yml"),
        &files,
        &|_| None,
        prometheus::LoadOptions::default(),
    );
    if let Err(error) = loaded {
        black_box(error.to_string());
    }
}

pub fn alertmanager_config(input: &[u8]) {
    let _ = black_box(alertmanager::parse(&text(input), Syntax::Fallback));
}

pub fn rule_file(input: &[u8]) {
    let _ = black_box(file::parse(&text(input), &FileOptions::default()));
}

pub fn rule_template(input: &[u8]) {
    let _ = black_box(template::rules::check("fuzz", &text(input)));
}

pub fn remote_write(input: &[u8]) {
    let _ = black_box(prompb::decompress(input, 1 << 20));
    let _ = black_box(prompb::decode::<prompb::WriteRequest>(input, 10_000));
}

pub fn target_file(input: &[u8]) {
    for name in ["targets.json", "targets.yml"] {
        let _ = black_box(discovery::file::parse(name, input));
    }
}

/// A store whose log holds a change opens all the same and can be written to again. The input says which
/// bytes to change: pairs of a place and a byte.
pub fn write_ahead_log(input: &[u8]) {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let write = |db: &Db, from: i64| {
        let mut batch = db.appender();
        for ms in from..from + 5 {
            let labels = Labels::from_pairs([("__name__", "m"), ("i", &ms.to_string())]);
            batch.append(None, &labels, Sample::float(ms, 1.5)).unwrap();
        }
        batch.commit().unwrap();
    };
    // Three rows of a stream: a base, one that differs from it, and one that has other series.
    let scrape = |db: &Db, ms: i64| {
        let mut batch = db.appender();
        batch.set_stream(1);
        for i in ms % 2..6 {
            let labels = Labels::from_pairs([("__name__", "s"), ("i", &i.to_string())]);
            let sample = Sample::float(ms, 0.25 * (i % 4 * ms) as f64);
            batch.append(None, &labels, sample).unwrap();
        }
        batch.commit().unwrap();
    };
    let db = Db::open(Arc::clone(&disk), Options::default(), 0).unwrap();
    write(&db, 0);
    write(&db, 5);
    for ms in [20, 22, 25] {
        scrape(&db, ms);
    }
    drop(db);
    let mut changed = 0;
    for folder in ["tsdb/wal", "tsdb/checkpoint"] {
        for name in disk.list(folder).unwrap() {
            let path = format!("{folder}/{name}");
            let Ok(mut bytes) = disk.read(&path) else {
                continue;
            };
            for pair in input.chunks(2) {
                let (Some(place), Some(new)) = (pair.first(), pair.get(1)) else {
                    continue;
                };
                let at = usize::from(*place) * bytes.len() / 256;
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = *new;
                }
            }
            disk.replace(&path, &bytes).unwrap();
            changed += 1;
        }
    }
    assert!(changed > 0, "there is no log to change");
    let db = Db::open(disk, Options::default(), 0).unwrap();
    write(&db, 100);
}

/// The first byte says where the answer is cut, which must not matter.
pub fn http_answer(input: &[u8]) {
    let Some((cut, answer)) = input.split_first() else {
        return;
    };
    let told = |read: Result<(http::StatusCode, Vec<u8>), watchfire::daemon::net::Error>| {
        read.map_err(|why| why.to_string())
    };
    let whole = told(http1::read_answer(answer, b""));
    let (first, second) = answer.split_at(usize::from(*cut) * answer.len() / 256);
    let cut = told(http1::read_answer(first, second));
    // What is torn anyway may be refused for the one or the other.
    assert!(whole == cut || (whole.is_err() && cut.is_err()));
}
