//! Runs a target over mutated seeds.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::mutate::Mutator;

/// Inputs per target unless the environment says otherwise.
const INPUTS: u64 = 20_000;

/// One input may take so long, compiled without optimisation on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.trim().parse().ok()
}

pub fn run(target: &str, corpus: &str, share: u64, check: impl Fn(&[u8])) {
    let seed = number("WATCHFIRE_FUZZ_SEED").unwrap_or(1);
    let inputs = number("WATCHFIRE_FUZZ_INPUTS")
        .unwrap_or(INPUTS)
        .div_ceil(share);
    println!("target {target}: {inputs} inputs, WATCHFIRE_FUZZ_SEED={seed}");
    let seeds: Vec<&[u8]> = corpus.split("%%\n").map(str::as_bytes).collect();
    for (at, input) in seeds.iter().enumerate() {
        guard(target, &format!("seed text {at}"), input, &check);
    }
    let mut mutator = Mutator::new(seed, &seeds);
    for at in 0..inputs {
        let input = mutator.input();
        guard(target, &format!("seed {seed}, input {at}"), &input, &check);
    }
}

fn guard(target: &str, name: &str, input: &[u8], check: &impl Fn(&[u8])) {
    let begin = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| check(input)));
    let taken = begin.elapsed();
    let shown =
        || String::from_utf8_lossy(input.get(..input.len().min(2000)).unwrap()).into_owned();
    if let Err(panic) = outcome {
        panic!(
            "target {target}, {name} ({} bytes): {}\ninput: {:?}",
            input.len(),
            words(&*panic),
            shown()
        );
    }
    assert!(
        taken < PATIENCE,
        "target {target}, {name} ({} bytes) took {taken:?}\ninput: {:?}",
        input.len(),
        shown()
    );
}

fn words(panic: &dyn Any) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words")
}
