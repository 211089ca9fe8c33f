//! Functions of numbers against a real Prometheus: any numbers, equal bits.

use std::collections::BTreeMap;

use watchfire::model::Labels;

use crate::queries::{Data, Pair, now_s};
use crate::support::{escape, request, say};

/// Numbers for each function; `WATCHFIRE_MATH_INPUTS` asks for more.
const INPUTS: usize = 2000;

const OF_ONE: [&str; 21] = [
    "exp", "ln", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh",
    "tanh", "asinh", "acosh", "atanh", "sqrt", "deg", "rad", "sgn", "round",
];
const OF_TWO: [&str; 3] = ["^", "%", "atan2"];

/// Numbers of all sizes, more of them where functions bend.
fn number(rng: &mut fastrand::Rng) -> f64 {
    let sign = if rng.bool() { 1.0 } else { -1.0 };
    match rng.u32(..10) {
        0 | 1 => f64::from_bits(rng.u64(..)),
        2 => f64::from_bits(rng.u64(..1 << 52)) * sign,
        3 | 4 => rng.f64() * sign,
        5 => rng.f64() * 10.0 * sign,
        6 | 7 => rng.f64() * 800.0 * sign,
        8 => f64::from(rng.i32(-2000..2000)) / 4.0,
        _ => f64::from(rng.i32(-100..100)) * std::f64::consts::FRAC_PI_4,
    }
}

/// The answer's values by the number of their series.
fn values(port: u16, query: &str, time: i64) -> BTreeMap<String, String> {
    let form = format!("query={}&time={time}", escape(query));
    let (_, body) = request(port, "POST", "/api/v1/query", &form).expect("an answer");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let list = body["data"]["result"].as_array().expect("a vector").clone();
    list.iter()
        .map(|sample| {
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            (text(&sample["metric"]["i"]), text(&sample["value"][1]))
        })
        .collect()
}

#[test]
fn functions_of_numbers_have_the_bits_of_prometheus() {
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = Pair::start(folder.path()) else {
        return;
    };
    let inputs = std::env::var("WATCHFIRE_MATH_INPUTS")
        .map_or(INPUTS, |text| text.parse().expect("a number"));
    let seed = std::env::var("WATCHFIRE_MATH_SEED").map_or(1, |text| text.parse().unwrap());
    let mut rng = fastrand::Rng::with_seed(seed);
    let time = now_s() / 60 * 60;
    let mut samples = Vec::new();
    for i in 0..inputs {
        for name in ["x", "y"] {
            let labels = Labels::from_pairs([("__name__", name), ("i", &i.to_string())]);
            samples.push((labels, number(&mut rng)));
        }
    }
    pair.load(&Data::from([(time * 1000, samples)]));
    let queries = OF_ONE
        .map(|function| format!("{function}(x)"))
        .into_iter()
        .chain(OF_TWO.map(|operator| format!("x {operator} on (i) y")));
    let (mut compared, mut differing) = (0, Vec::new());
    for query in queries {
        // The text of a number tells all its bits.
        let [theirs, ours] = [pair.theirs, pair.ours.port].map(|port| values(port, &query, time));
        assert_eq!((theirs.len(), ours.len()), (inputs, inputs), "{query}");
        compared += inputs;
        let x = values(pair.theirs, "x", time);
        let unlike = theirs.iter().filter(|(i, value)| ours[*i] != **value);
        differing.extend(unlike.map(|(i, value)| {
            let (x, ours) = (&x[i], &ours[i]);
            format!("{query} of {x}: {value}, ours {ours}")
        }));
    }
    say(&format!(
        "math: {compared} values of 24 functions, {} differ (seed {seed})",
        differing.len()
    ));
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
