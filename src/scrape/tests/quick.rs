//! The quick way through a page and the plain one must bring the same.

use proptest::prelude::*;

use super::*;

/// What stands before a value; the first and the last four name the same series.
const KEYS: [&str; 12] = [
    r#"a{x="1",y="2"}"#,
    r#"a{x="2"}"#,
    "b",
    "bb",
    r#"b{x="1"}"#,
    r#"drop_me{x="1"}"#,
    r#"{"quoted name",x="1"}"#,
    r#"h_bucket{le="1"}"#,
    r#"a{y="2",x="1"}"#,
    r#"a{x="1", y="2"}"#,
    r#"a{x="1",y="2",}"#,
    r#"a {x="1",y="2"}"#,
];

/// What stands behind it.
const VALUES: [&str; 20] = [
    " 1",
    " 1",
    " 2.5",
    " 1.5e+06",
    " 4e-7",
    " -0",
    " 0.1",
    " 12345678901234567890",
    " 123456789.123456789",
    " NaN",
    " +Inf",
    " 1e22",
    " 1e400",
    " 7 3500",
    " 8 9000",
    "  3",
    "\t3",
    " 3 ",
    " 0x1",
    " 1_0",
];

const METADATA: [&str; 10] = [
    "# HELP a one\n# TYPE a counter",
    "# HELP a two\n# TYPE a counter",
    "# TYPE a gauge",
    "# HELP b one",
    "# TYPE b gauge\n# HELP b one",
    "# HELP b one\n# TYPE a gauge",
    "# TYPE h histogram",
    "# a comment",
    "",
    "# TYPE a nothing",
];

#[derive(Debug, Clone)]
enum Line {
    Sample { key: usize, value: usize },
    Metadata(usize),
}

#[derive(Debug, Clone)]
enum Step {
    /// Only values change, by so many places in their list.
    Again(usize),
    Insert(prop::sample::Index, Line),
    Remove(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    /// The target does not answer.
    Fail,
    /// The store forgets everything.
    Clear,
}

fn line() -> impl Strategy<Value = Line> {
    prop_oneof![
        4 => (0..KEYS.len(), 0..8usize).prop_map(|(key, value)| Line::Sample { key, value }),
        1 => (0..KEYS.len(), 0..VALUES.len()).prop_map(|(key, value)| Line::Sample { key, value }),
        2 => (0..METADATA.len()).prop_map(Line::Metadata),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        6 => (0..6usize).prop_map(Step::Again),
        2 => (index(), line()).prop_map(|(at, line)| Step::Insert(at, line)),
        2 => index().prop_map(Step::Remove),
        1 => (index(), index()).prop_map(|(a, b)| Step::Swap(a, b)),
        1 => Just(Step::Fail),
        1 => Just(Step::Clear),
    ]
}

fn change(lines: &mut Vec<Line>, step: &Step) {
    match step {
        Step::Again(by) => {
            for line in lines {
                if let Line::Sample { value, .. } = line
                    && *value < 8
                {
                    *value = (*value + by) % 8;
                }
            }
        }
        Step::Insert(at, line) => lines.insert(at.index(lines.len() + 1), line.clone()),
        Step::Remove(at) if !lines.is_empty() => {
            lines.remove(at.index(lines.len()));
        }
        Step::Swap(a, b) if !lines.is_empty() => {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            lines.swap(a, b);
        }
        _ => {}
    }
}

fn text(lines: &[Line], openmetrics: bool) -> String {
    let mut page = String::new();
    for line in lines {
        let _ = match line {
            Line::Sample { key, value } => writeln!(page, "{}{}", KEYS[*key], VALUES[*value]),
            Line::Metadata(at) => writeln!(page, "{}", METADATA[*at]),
        };
    }
    if openmetrics {
        page.push_str("# EOF\n");
    }
    page
}

fn options(sample_limit: u64, flags: (bool, bool)) -> JobOptions {
    JobOptions {
        sample_limit,
        honor_timestamps: flags.0,
        track_timestamps_staleness: flags.1,
        metric_relabel_rules: vec![Rule {
            action: Action::Drop,
            source_labels: vec!["__name__".to_owned()],
            regex: Rule::regex("drop_me").unwrap(),
            ..Rule::default()
        }],
        ..JobOptions::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn both_ways_bring_the_same(
        mut lines in prop::collection::vec(line(), 0..25),
        steps in prop::collection::vec(step(), 1..15),
        openmetrics in prop::bool::weighted(0.2),
        limit in prop_oneof![3 => Just(0u64), 1 => 1u64..12],
        flags in any::<(bool, bool)>(),
    ) {
        // To tell the store of metadata, each line is looked at.
        let looking = Features { metadata: true, ..Features::default() };
        let mut quick = Bench::new(options(limit, flags), Features::default());
        let mut plain = Bench::new(options(limit, flags), looking);
        for step in &steps {
            change(&mut lines, step);
            let page = text(&lines, openmetrics);
            let content_type = if openmetrics { "application/openmetrics-text" } else { "text/plain" };
            let mut reports = Vec::new();
            for bench in [&mut quick, &mut plain] {
                reports.push(match step {
                    Step::Fail => bench.fail(),
                    Step::Clear => {
                        bench.store.clear();
                        bench.page_as(content_type, &page)
                    }
                    _ => bench.page_as(content_type, &page),
                });
            }
            prop_assert_eq!(&reports[0], &reports[1], "{}", page);
            prop_assert_eq!(quick.scrape.metadata(), plain.scrape.metadata(), "{}", page);
        }
        prop_assert_eq!(quick.counters.read(), plain.counters.read());
        for name in ["a", "b", "bb", "quoted name", "h_bucket", "drop_me", "up", "scrape_series_added"] {
            prop_assert_eq!(quick.series(name), plain.series(name));
        }
    }
}
