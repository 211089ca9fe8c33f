//! Hands the arguments to `cli` and turns the outcome into an exit code.

use std::process::ExitCode;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The allocator's options. Memory that was given back goes to the system within a second or two, also from threads that
/// do nothing more: after a flush that is a tenth of all. `_RJEM_MALLOC_CONF` in the environment overrides them.
#[cfg(feature = "jemalloc")]
#[expect(
    unsafe_code,
    reason = "the allocator finds its options under this name; it only reads them, up to the zero byte"
)]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static MALLOC_CONF: &[u8; 60] =
    b"background_thread:true,dirty_decay_ms:2000,muzzy_decay_ms:0\0";

fn main() -> ExitCode {
    watchfire::cli::run(std::env::args_os())
}
