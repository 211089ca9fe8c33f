//! How much memory the process has and may have.

use super::MemoryLimit;

/// Of the container's limit when nothing is said: the rest is for the page cache and what the allocator holds.
const DEFAULT_PERCENT: f64 = 70.0;

/// Bytes of anonymous memory that the process has; `None` where the system does not tell.
pub(super) fn anonymous() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    kilobytes(&status, "RssAnon:")
}

/// Bytes that a limit allows; 0 for no limit.
pub(super) fn limit(limit: MemoryLimit) -> u64 {
    let share = |bytes: u64, percent: f64| (bytes as f64 * percent / 100.0) as u64;
    match limit {
        MemoryLimit::Bytes(bytes) => bytes,
        MemoryLimit::Default => container().map_or(0, |bytes| share(bytes, DEFAULT_PERCENT)),
        MemoryLimit::Percent(percent) => container()
            .or_else(machine)
            .map_or(0, |bytes| share(bytes, percent)),
    }
}

/// The limit of the control group, if it is one: below what the machine has.
fn container() -> Option<u64> {
    let files = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let machine = machine().unwrap_or(u64::MAX);
    files
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .find_map(|text| text.trim().parse().ok())
        .filter(|limit| *limit < machine)
}

fn machine() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    kilobytes(&text, "MemTotal:")
}

/// The number of a line `NAME: 123 kB` in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_has_memory_and_limits_are_read() {
        assert!(anonymous().is_none_or(|bytes| bytes > 1 << 16));
        assert_eq!(
            kilobytes("A: 1 kB\nMemTotal:    12 kB\n", "MemTotal:"),
            Some(12 << 10)
        );
        assert_eq!(kilobytes("MemTotal: many\n", "MemTotal:"), None);
        assert_eq!(limit(MemoryLimit::Bytes(7)), 7);
        if let Some(all) = machine() {
            assert!(limit(MemoryLimit::Percent(50.0)) <= all / 2 + 1);
        }
    }
}
