mod quick;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::{Labels, Matcher, SampleValue};
use crate::relabel::{Action, Rule};
use crate::storage::reference::{Order, ReferenceStorage};
use crate::storage::{SelectHints, Storage};
use crate::time::Timestamp;

struct Bench {
    store: ReferenceStorage,
    scrape: ScrapeLoop,
    counters: Arc<Counters>,
    now: i64,
}

impl Bench {
    fn new(options: JobOptions, features: Features) -> Self {
        let own: Labels = [("__address__", "h:1")].into_iter().collect();
        let options = Arc::new(JobOptions {
            job_name: "j".to_owned(),
            ..options
        });
        let Ok(Populated::Target(target)) = populate(&own, &Labels::empty(), &options) else {
            panic!("a target");
        };
        let counters = Arc::new(Counters::default());
        Self {
            store: ReferenceStorage::with_order(Order::Strict),
            scrape: ScrapeLoop::new(Arc::new(*target), options, features, Arc::clone(&counters)),
            counters,
            now: 0,
        }
    }

    fn plain() -> Self {
        Self::new(JobOptions::default(), Features::default())
    }

    fn page(&mut self, body: &str) -> Report {
        self.page_as("text/plain", body)
    }

    fn page_as(&mut self, content_type: &str, body: &str) -> Report {
        self.now += 1000;
        let page = Page {
            body: body.as_bytes(),
            content_type,
        };
        let at = Timestamp::from_ms(self.now);
        self.scrape
            .on_body(at, Ok(page), &|| Duration::from_millis(5), &self.store)
    }

    fn fail(&mut self) -> Report {
        self.now += 1000;
        let failure = Failure::Other("connection refused".to_owned());
        let at = Timestamp::from_ms(self.now);
        self.scrape
            .on_body(at, Err(&failure), &|| Duration::ZERO, &self.store)
    }

    /// All samples of a metric: `name{labels} value@seconds ...`, the target's labels left out.
    fn series(&self, name: &str) -> Vec<String> {
        let querier = self.store.querier(i64::MIN, i64::MAX).unwrap();
        let hints = SelectHints {
            min_ms: i64::MIN,
            max_ms: i64::MAX,
            step_ms: 0,
            function: String::new(),
            limit: 0,
            sorted: true,
        };
        let matchers = [Matcher::equal("__name__", name)];
        let mut out = Vec::new();
        for entry in querier.select(&hints, &matchers).unwrap() {
            let entry = entry.unwrap();
            let labels = entry
                .labels
                .filter(|n| !["__name__", "job", "instance"].contains(&n));
            let mut line = labels.to_string();
            for sample in entry.samples {
                let sample = sample.unwrap();
                let value = match &sample.value {
                    v if v.is_stale() => "stale".to_owned(),
                    SampleValue::Float(v) => v.to_string(),
                    SampleValue::Histogram(h) => format!("h{}", h.count),
                    SampleValue::FloatHistogram(h) => format!("f{}", h.count),
                };
                let _ = write!(line, " {value}@{}", sample.timestamp_ms / 1000);
            }
            out.push(line);
        }
        out
    }

    fn count(&self, name: &str) -> u64 {
        self.counters
            .read()
            .into_iter()
            .find(|(n, ..)| *n == name)
            .unwrap()
            .2
    }
}

#[test]
fn a_scrape_leaves_samples_and_reports() {
    let mut bench = Bench::plain();
    let report = bench.page("a 1\nb{x=\"1\"} 2\n");
    assert_eq!(report.health(), Health::Up);
    assert_eq!(
        (report.scraped, report.post_relabeling, report.series_added),
        (2, 2, 2)
    );
    assert_eq!(report.committed, 7);
    assert_eq!(bench.series("a"), ["{} 1@1"]);
    assert_eq!(bench.series("up"), ["{} 1@1"]);
    assert_eq!(bench.series("scrape_duration_seconds"), ["{} 0.005@1"]);
    let report = bench.page("a 1\nb{x=\"1\"} 3\n");
    assert_eq!(report.series_added, 0);
    assert_eq!(bench.series("b"), [r#"{x="1"} 2@1 3@2"#]);
    assert_eq!(bench.series("scrape_series_added"), ["{} 2@1 0@2"]);
}

#[test]
fn series_that_leave_the_page_end_with_a_marker() {
    let mut bench = Bench::plain();
    bench.page("a 1\nb 1\n");
    bench.page("a 2\n");
    bench.page("a 3\nb 2\n");
    assert_eq!(bench.series("b"), ["{} 1@1 stale@2 2@3"]);
    assert_eq!(bench.series("a"), ["{} 1@1 2@2 3@3"]);
}

#[test]
fn a_failed_scrape_ends_every_series_once() {
    let mut bench = Bench::plain();
    bench.page("a 1\n");
    let report = bench.fail();
    assert_eq!(report.error.as_deref(), Some("connection refused"));
    bench.fail();
    bench.page("a 2\n");
    assert_eq!(bench.series("a"), ["{} 1@1 stale@2 2@4"]);
    assert_eq!(bench.series("up"), ["{} 1@1 0@2 0@3 1@4"]);
}

#[test]
fn a_page_that_breaks_in_the_middle_leaves_nothing_but_markers() {
    let mut bench = Bench::plain();
    bench.page("a 1\nb 1\n");
    let report = bench.page("a 2\nc 1\nb {\n");
    assert_eq!(report.scraped, 2);
    assert!(
        report
            .error
            .unwrap()
            .starts_with("expected label name, got")
    );
    assert_eq!(bench.series("a"), ["{} 1@1 stale@2"]);
    assert_eq!(bench.series("b"), ["{} 1@1 stale@2"]);
    assert!(bench.series("c").is_empty());
    bench.page("a 3\nc 3\n");
    assert_eq!(bench.series("c"), ["{} 3@3"]);
}

#[test]
fn an_empty_page_is_up_and_ends_every_series() {
    let mut bench = Bench::plain();
    bench.page("a 1\n");
    let report = bench.page("");
    assert_eq!(report.health(), Health::Up);
    assert_eq!(bench.series("a"), ["{} 1@1 stale@2"]);
}

#[test]
fn the_end_of_a_target_ends_its_series_and_reports() {
    let mut bench = Bench::plain();
    bench.page("a 1\n");
    bench
        .scrape
        .on_end(Timestamp::from_ms(5000), &bench.store)
        .unwrap();
    assert_eq!(bench.series("a"), ["{} 1@1 stale@5"]);
    assert_eq!(bench.series("up"), ["{} 1@1 stale@5"]);
}

#[test]
fn the_end_of_a_target_that_came_back_is_not_marked() {
    let mut bench = Bench::plain();
    bench.page("a 1\n");
    bench.page("a 2\n");
    bench
        .scrape
        .on_end(Timestamp::from_ms(1500), &bench.store)
        .unwrap();
    assert_eq!(bench.series("a"), ["{} 1@1 2@2"]);
}

#[test]
fn a_target_that_was_never_scraped_has_no_end() {
    let mut bench = Bench::plain();
    bench
        .scrape
        .on_end(Timestamp::from_ms(1000), &bench.store)
        .unwrap();
    assert!(bench.series("up").is_empty());
}

#[test]
fn exposed_timestamps_are_taken_without_markers() {
    let mut bench = Bench::plain();
    bench.page("a 1 500\nb 1\n");
    bench.page("b 1\n");
    assert_eq!(bench.series("a"), ["{} 1@0"]);
    let mut bench = Bench::new(
        JobOptions {
            track_timestamps_staleness: true,
            ..JobOptions::default()
        },
        Features::default(),
    );
    bench.page("a 1 500\n");
    bench.page("b 1\n");
    assert_eq!(bench.series("a"), ["{} 1@0 stale@2"]);
    let mut bench = Bench::new(
        JobOptions {
            honor_timestamps: false,
            ..JobOptions::default()
        },
        Features::default(),
    );
    bench.page("a 1 500\n");
    assert_eq!(bench.series("a"), ["{} 1@1"]);
}

#[test]
fn samples_from_the_far_future_and_late_ones_are_counted() {
    let mut bench = Bench::plain();
    let report = bench.page("a 1 99999999\nb 1 900\n");
    assert_eq!(report.health(), Health::Up);
    assert_eq!((report.scraped, report.series_added), (2, 1));
    bench.page("b 2 800\n");
    assert!(bench.series("a").is_empty());
    assert_eq!(
        bench.count("prometheus_target_scrapes_sample_out_of_bounds_total"),
        1
    );
    assert_eq!(
        bench.count("prometheus_target_scrapes_sample_out_of_order_total"),
        1
    );
}

#[test]
fn repeated_series_keep_the_first_value_and_are_counted() {
    let mut bench = Bench::plain();
    let report = bench.page("a 1\na 2\n");
    assert_eq!((report.post_relabeling, report.series_added), (2, 1));
    assert_eq!(report.warnings.len(), 1);
    assert_eq!(bench.series("a"), ["{} 1@1"]);
    assert_eq!(
        bench.count("prometheus_target_scrapes_sample_duplicate_timestamp_total"),
        1
    );
}

#[test]
fn metric_relabeling_drops_and_renames() {
    let rule = |action, source: &str, regex: &str, target: &str| Rule {
        action,
        source_labels: vec![source.to_owned()],
        regex: Rule::regex(regex).unwrap(),
        target_label: target.to_owned(),
        ..Rule::default()
    };
    let mut bench = Bench::new(
        JobOptions {
            metric_relabel_rules: vec![
                rule(Action::Drop, "__name__", "go_.*", ""),
                rule(Action::Replace, "__name__", "old_(.*)", "__name__"),
            ],
            ..JobOptions::default()
        },
        Features::default(),
    );
    for _ in 0..2 {
        let report = bench.page("go_x 1\nold_a 1\n");
        assert_eq!((report.scraped, report.post_relabeling), (2, 1));
    }
    assert_eq!(bench.series("a"), ["{} 1@1 1@2"]);
    assert_eq!(bench.scrape.cached_series(), 2);
}

#[test]
fn the_sample_limit_fails_the_whole_scrape() {
    let mut bench = Bench::new(
        JobOptions {
            sample_limit: 2,
            ..JobOptions::default()
        },
        Features::default(),
    );
    bench.page("a 1\n");
    let report = bench.page("a 1\nb 1\nc 1\n");
    assert_eq!(report.error.as_deref(), Some("sample limit exceeded"));
    assert_eq!((report.scraped, report.post_relabeling), (3, 3));
    assert_eq!(bench.series("a"), ["{} 1@1 stale@2"]);
    assert!(bench.series("b").is_empty());
    assert_eq!(
        bench.count("prometheus_target_scrapes_exceeded_sample_limit_total"),
        1
    );
}

#[test]
fn label_limits_and_bad_names_fail_the_scrape() {
    let mut bench = Bench::new(
        JobOptions {
            label_limit: 3,
            validation: crate::model::ValidationScheme::Legacy,
            ..JobOptions::default()
        },
        Features::default(),
    );
    let report = bench.page("a{x=\"1\"} 1\n");
    assert!(
        report
            .error
            .unwrap()
            .starts_with("label_limit exceeded (metric: a,")
    );
    let report = bench.page("{\"a.b\"} 1\n");
    assert_eq!(
        report.error.unwrap(),
        r#"invalid metric name or label names: {__name__="a.b", instance="h:1", job="j"}"#
    );
    let report = bench.page("{\"\"} 1\n");
    assert_eq!(
        report.error.unwrap(),
        "missing metric name (__name__ label)"
    );
}

#[test]
fn extra_reports_tell_limits_and_sizes() {
    let mut bench = Bench::new(
        JobOptions {
            extra_scrape_metrics: true,
            sample_limit: 9,
            ..JobOptions::default()
        },
        Features::default(),
    );
    bench.page("a 1\n");
    bench.now += 1000;
    bench.scrape.on_body(
        Timestamp::from_ms(bench.now),
        Err(&Failure::BodyTooLarge),
        &|| Duration::ZERO,
        &bench.store,
    );
    assert_eq!(bench.series("scrape_body_size_bytes"), ["{} 4@1 -1@2"]);
    assert_eq!(bench.series("scrape_timeout_seconds"), ["{} 10@1 10@2"]);
    assert_eq!(bench.series("scrape_sample_limit"), ["{} 9@1 9@2"]);
    assert_eq!(
        bench.count("prometheus_target_scrapes_exceeded_body_size_limit_total"),
        1
    );
}

#[test]
fn a_forced_error_ends_every_series() {
    let mut bench = Bench::plain();
    bench.page("a 1\n");
    bench
        .scrape
        .set_forced_error(Some("target_limit exceeded".to_owned()));
    let report = bench.page("a 2\n");
    assert_eq!(report.error.as_deref(), Some("target_limit exceeded"));
    assert_eq!(bench.series("a"), ["{} 1@1 stale@2"]);
}

#[test]
fn metadata_is_listed_and_told_to_the_store() {
    let mut bench = Bench::new(
        JobOptions::default(),
        Features {
            metadata: true,
            ..Features::default()
        },
    );
    bench.page("# HELP a_total Helps.\n# TYPE a_total counter\na_total 1\n");
    let listed = bench.scrape.metadata();
    assert_eq!(
        (&*listed[0].0, listed[0].1.help.as_str()),
        ("a_total", "Helps.")
    );
    let stored = bench
        .store
        .metadata(&[Matcher::equal("__name__", "a_total")]);
    assert_eq!(stored.len(), 1);
    let stored = bench.store.metadata(&[Matcher::equal("__name__", "up")]);
    assert_eq!(stored[0].metadata.unit, "targets");
}

#[test]
fn a_page_without_a_known_type_fails_without_fallback() {
    let mut bench = Bench::plain();
    let page = Page {
        body: b"a 1\n",
        content_type: "text/html",
    };
    let report = bench.scrape.on_body(
        Timestamp::from_ms(1),
        Ok(page),
        &|| Duration::ZERO,
        &bench.store,
    );
    assert!(
        report
            .error
            .unwrap()
            .starts_with("received unsupported Content-Type \"text/html\"")
    );
}

#[test]
fn a_reload_that_changes_no_series_keeps_what_is_known() {
    let mut bench = Bench::plain();
    bench.page("a 1\n");
    let mut options = (**bench.scrape.options()).clone();
    options.sample_limit = 5;
    assert!(bench.scrape.reload(&Arc::new(options.clone())));
    bench.page("b 1\n");
    assert_eq!(bench.series("a"), ["{} 1@1 stale@2"]);
    options.honor_labels = true;
    assert!(!bench.scrape.reload(&Arc::new(options)));
}

#[test]
fn a_counter_begins_with_a_zero_when_it_began_to_count() {
    let page = |value: u32, began: &str| {
        format!("# TYPE c counter\nc_total {value}\nc_created {began}\n# EOF\n")
    };
    let openmetrics = "application/openmetrics-text; version=1.0.0";
    let features = Features {
        start_zero_samples: true,
        ..Features::default()
    };
    let mut bench = Bench::new(JobOptions::default(), features);
    bench.now = 10_000_000;
    // The same start again is no news; a later one is a restart; one beyond the sample is a mistake.
    for (value, began) in [(5, "9990"), (6, "9990"), (1, "10002.5"), (2, "10009")] {
        let report = bench.page_as(openmetrics, &page(value, began));
        assert_eq!(report.error, None);
        assert_eq!(report.scraped, 1);
    }
    let wanted = ["{} 0@9990 5@10001 6@10002 0@10002 1@10003 2@10004"];
    assert_eq!(bench.series("c_total"), wanted);
    assert!(bench.series("c_created").is_empty());
    let mut old = Bench::new(JobOptions::default(), features);
    old.now = 10_000_000;
    old.page_as(openmetrics, &page(5, "6000"));
    assert_eq!(old.series("c_total"), ["{} 5@10001"]);
    let mut plain = Bench::plain();
    plain.page_as(openmetrics, &page(5, "0.5"));
    assert_eq!(plain.series("c_total"), ["{} 5@1"]);
    assert_eq!(plain.series("c_created"), ["{} 0.5@1"]);
}
