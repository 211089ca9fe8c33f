//! Hands the arguments to `cli` and turns the outcome into an exit code.

use std::process::ExitCode;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    watchfire::cli::run(std::env::args_os())
}
