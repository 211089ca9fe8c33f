//! Can any byte string hurt a parser? A loop of mutations that needs no nightly compiler.
//!
//! Each target starts from the seeds in `tests/fuzz_corpus/<target>.txt` (texts divided by lines of
//! `%%`), changes them a little, and asks that nothing panics, that nothing takes long, and that what the
//! target promises holds. `WATCHFIRE_FUZZ_INPUTS=1000000` asks for more than the default inputs;
//! `WATCHFIRE_FUZZ_SEED=7` starts the generator elsewhere. A failure prints target, seed, number and
//! input; the input belongs into a small named test beside the code.
//!
//! A new target is a function in `tests/fuzz/targets.rs`, a seed file, and a line below.
#![allow(clippy::unwrap_used, reason = "a broken harness must stop the run")]
#![allow(
    clippy::disallowed_methods,
    reason = "the harness reads its own corpus, the environment and a stopwatch"
)]
#![allow(
    clippy::print_stdout,
    reason = "the generator's seed belongs into the test's output"
)]
#![allow(
    unreachable_pub,
    reason = "modules of a test binary have nobody outside"
)]

#[path = "fuzz/harness.rs"]
mod harness;
#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "fuzz/promql.rs"]
mod promql;
#[path = "fuzz/targets.rs"]
mod targets;

macro_rules! targets {
    ($room:ident; $($name:ident: $corpus:literal, 1/$share:literal;)*) => {
        $(
            #[test]
            fn $name() {
                harness::run(stringify!($name), include_str!(concat!("fuzz_corpus/", $corpus)), $share, $room::$name);
            }
        )*
    };
}

// Name, seeds, and which share of the usual number of inputs it gets (slow ones get fewer).
targets! { promql;
    promql_parse: "promql.txt", 1/1;
    promql_lex: "promql.txt", 1/1;
    promql_types: "promql_pieces.txt", 1/1;
    promql_print: "promql.txt", 1/1;
    promql_print_pieces: "promql_pieces.txt", 1/1;
    promql_eval: "promql.txt", 1/4;
    promql_eval_pieces: "promql_pieces.txt", 1/4;
}

targets! { targets;
    series_notation: "series_notation.txt", 1/1;
    regex: "regex.txt", 1/10;
    matchers: "matchers.txt", 1/10;
    exposition_text: "exposition.txt", 1/1;
    exposition_protobuf: "exposition.txt", 1/1;
    yaml: "yaml.txt", 1/2;
    prometheus_config: "prometheus_config.txt", 1/10;
    alertmanager_config: "alertmanager_config.txt", 1/10;
    rule_file: "rule_file.txt", 1/5;
    rule_template: "template.txt", 1/2;
    remote_write: "exposition.txt", 1/1;
    target_file: "target_file.txt", 1/2;
    http_answer: "http_answer.txt", 1/1;
    write_ahead_log: "wal.txt", 1/40;
}
