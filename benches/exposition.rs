//! How fast are pages read, against counting their lines and against the crate `prometheus-parse`?
//!
//! `cargo bench --bench exposition`. The page is made here, in the shape of a node exporter's; a real one
//! is read too when `WATCHFIRE_PAGE` names a file in the classic text form.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark may be pointed at a real page"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use watchfire::exposition::{Entry, Format, Parser, ParserOptions};
use watchfire::model::{Exemplar, Labels, Metadata, Sample};
use watchfire::scrape::{Counters, Features, JobOptions, Page, Populated, ScrapeLoop, populate};
use watchfire::storage::{AppendError, Appender, Committed, Error, Querier, SeriesRef, Storage};
use watchfire::time::Timestamp;

fn made_page() -> String {
    let mut page = String::new();
    for family in 0..40 {
        let _ = writeln!(
            page,
            "# HELP node_thing_{family}_total Seconds that thing {family} took."
        );
        let _ = writeln!(page, "# TYPE node_thing_{family}_total counter");
        for series in 0..50 {
            let value = f64::from(family * 1000 + series) * 1.25;
            let _ = writeln!(
                page,
                "node_thing_{family}_total{{cpu=\"{}\",device=\"/dev/mapper/vg0-{series}\",mode=\"system\"}} {value}",
                series % 8
            );
        }
    }
    page
}

fn pages() -> Vec<(&'static str, String)> {
    let mut pages = vec![("made", made_page())];
    if let Some(path) = std::env::var_os("WATCHFIRE_PAGE") {
        pages.push((
            "real",
            std::fs::read_to_string(path).expect("a readable page"),
        ));
    }
    pages
}

fn samples(body: &[u8], format: Format, labels: bool) -> usize {
    let mut parser = Parser::new(body, format, ParserOptions::default());
    let mut count = 0;
    while let Some(entry) = parser.next().expect("a good page") {
        if let Entry::Sample { series, .. } = entry {
            count += 1;
            if labels {
                black_box(series.labels().expect("good labels"));
            }
        }
    }
    count
}

/// Takes everything and keeps nothing, so that a scrape's own cost shows.
struct Void;

impl Appender for Void {
    fn append(
        &mut self,
        hint: Option<SeriesRef>,
        _: &Labels,
        _: Sample,
    ) -> Result<SeriesRef, AppendError> {
        Ok(hint.unwrap_or(SeriesRef(1)))
    }
    fn append_known(&mut self, _: SeriesRef, _: &Sample) -> Result<bool, AppendError> {
        Ok(true)
    }
    fn append_exemplar(&mut self, _: SeriesRef, _: Exemplar) -> Result<(), AppendError> {
        Ok(())
    }
    fn update_metadata(&mut self, _: SeriesRef, _: Metadata) -> Result<(), AppendError> {
        Ok(())
    }
    fn commit(self: Box<Self>) -> Result<Committed, Error> {
        Ok(Committed::default())
    }
}

impl Storage for Void {
    fn appender(&self) -> Box<dyn Appender + '_> {
        Box::new(Self)
    }
    fn querier(&self, _: i64, _: i64) -> Result<Box<dyn Querier + '_>, Error> {
        Err(Error::Closed)
    }
}

fn scrape_loop() -> ScrapeLoop {
    let own: Labels = [("__address__", "host:9100")].into_iter().collect();
    let options = Arc::new(JobOptions::default());
    let Ok(Populated::Target(target)) = populate(&own, &Labels::empty(), &options) else {
        unreachable!("the address is good")
    };
    ScrapeLoop::new(
        Arc::new(*target),
        options,
        Features::default(),
        Arc::new(Counters::default()),
    )
}

fn read_pages(c: &mut Criterion) {
    for (name, page) in pages() {
        let mut group = c.benchmark_group(format!("exposition/{name}"));
        group.throughput(Throughput::Bytes(page.len() as u64));
        group.bench_function("limit: count newlines", |b| {
            b.iter(|| memchr::memchr_iter(b'\n', black_box(page.as_bytes())).count());
        });
        group.bench_function("text", |b| {
            b.iter(|| samples(black_box(page.as_bytes()), Format::PrometheusText, false));
        });
        group.bench_function("text with labels", |b| {
            b.iter(|| samples(black_box(page.as_bytes()), Format::PrometheusText, true));
        });
        group.bench_function("scrape, nothing new", |b| {
            let mut scrape = scrape_loop();
            let mut at = 0;
            b.iter(|| {
                at += 1;
                let page = Page {
                    body: black_box(page.as_bytes()),
                    content_type: "text/plain",
                };
                scrape.on_body(Timestamp::from_ms(at), Ok(page), &|| Duration::ZERO, &Void)
            });
        });
        group.bench_function("baseline: prometheus-parse", |b| {
            b.iter(|| {
                let lines = black_box(page.as_str())
                    .lines()
                    .map(|line| Ok(line.to_owned()));
                prometheus_parse::Scrape::parse(lines)
                    .expect("a good page")
                    .samples
                    .len()
            });
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = read_pages
}
criterion_main!(benches);
