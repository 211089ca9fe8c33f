use super::*;

fn failures(text: &str) -> Vec<String> {
    let mut failures = Vec::new();
    Script::parse(text)
        .unwrap()
        .run(&Script::engine(), Runs::All, |report| {
            failures.extend(report.result.err());
        })
        .unwrap();
    failures
}

#[track_caller]
fn passes(text: &str) {
    assert_eq!(failures(text), Vec::<String>::new());
}

#[test]
fn selectors_look_back_but_not_exactly_so_far() {
    passes(
        "load 1m
           up{job=\"a\"} 1 _ _ _ _ _
           up{job=\"b\"} 1 stale

         eval instant at 4m59s up
           up{job=\"a\"} 1

         eval instant at 5m up
        ",
    );
}

#[test]
fn rates_extrapolate_and_mind_resets() {
    passes(
        "load 1m
           calls_total 0 60 120 30 90

         eval instant at 4m increase(calls_total[4m1ms])
           {} 210

         eval instant at 4m resets(calls_total[5m])
           {} 1

         eval range from 2m to 4m step 1m irate(calls_total[2m])
           {} 1 0.5 1
        ",
    );
}

#[test]
fn vectors_match_and_fill() {
    passes(
        "load 1m
           a{l=\"x\"} 1
           a{l=\"y\"} 2
           b{l=\"x\", m=\"1\"} 10

         eval instant at 0 b * on (l) group_left () a
           {l=\"x\", m=\"1\"} 10

         eval instant at 0 a + ignoring (m) fill_right (5) b
           {l=\"x\"} 11
           {l=\"y\"} 7

         eval instant at 0 a unless on (l) b
           a{l=\"y\"} 2

         eval instant at 0 a > bool 1
           {l=\"x\"} 0
           {l=\"y\"} 1
        ",
    );
}

#[test]
fn native_histograms_add_up() {
    passes(
        "load 1m
           h{l=\"x\"} {{schema:0 count:3 sum:4 buckets:[1 2]}}
           h{l=\"y\"} {{schema:1 count:2 sum:1 buckets:[1 1]}}

         eval instant at 0 sum(h)
           {} {{schema:0 count:5 sum:5 buckets:[2 3]}}

         eval instant at 0 histogram_count(h) + 1
           {l=\"x\"} 4
           {l=\"y\"} 3

         eval instant at 0 h + 1
           expect info msg: PromQL info: incompatible sample types encountered for binary operator \"+\": histogram + float (1:1)
        ",
    );
}

#[test]
fn subqueries_are_aligned_and_left_open() {
    passes(
        "load 10s
           m 0+1x20

         eval instant at 95s count_over_time(m[1m:10s])
           {} 6

         eval instant at 95s sum_over_time(m[30s:10s] offset 10s)
           {} 21
        ",
    );
}

#[test]
fn differences_are_told_in_upstreams_words() {
    assert_eq!(
        failures("load 1m\n  m 1\n\neval instant at 0 m\n  m 2\n"),
        ["error in eval m (line 4): expected 2 for {__name__=\"m\"} but got 1"]
    );
    assert_eq!(
        failures("eval instant at 0 vector(1)\n"),
        ["error in eval vector(1) (line 1): unexpected metric {} in result, has value 1"]
    );
}

#[test]
fn mistakes_are_refused() {
    for text in [
        "lod 1m\n",
        "load x\n",
        "eval instant at 0\n",
        "eval range from 5m to 1m step 1m vector(1)\n",
        "load 1m\n  m@st 1m\n",
        "load 1m\n  m@st 1m 1m\n  m 1\n",
        "eval instant at 0 m\n  expect warn\n  expect no_warn\n",
        "eval instant at 0 m\n  m 1 2\n",
    ] {
        assert!(Script::parse(text).is_err(), "{text}");
    }
}

/// Scripts of our own beside the conformance data: what random queries do not reach, and known traps.
macro_rules! own_scripts {
    ($($name:ident: $file:literal;)*) => {
        $(
            #[test]
            fn $name() {
                passes(include_str!(concat!("../../../tests/promql/", $file)));
            }
        )*
    };
}

own_scripts! {
    the_known_traps_are_stepped_over: "traps.test";
    extended_ranges_reach_for_their_edges: "extended_ranges.test";
    missing_sides_are_filled: "fill.test";
    info_series_lend_their_labels: "info.test";
    histograms_are_trimmed: "trim.test";
}
