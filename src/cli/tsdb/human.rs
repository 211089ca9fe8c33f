//! Times, lengths and sizes as promtool prints them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A length of milliseconds as Go's `time.Duration` prints it: `2h0m0s`, `2.001s`, `15ms`.
pub(super) fn duration(ms: u64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    if ms < 1000 {
        return format!("{ms}ms");
    }
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    let seconds = (ms % 60_000) as f64 / 1000.0;
    if hours > 0 {
        format!("{hours}h{minutes}m{seconds}s")
    } else if minutes > 0 {
        format!("{minutes}m{seconds}s")
    } else {
        format!("{seconds}s")
    }
}

/// A time as Go prints it: `2026-11-21 15:11:13 +0000 UTC`; milliseconds when it is out of range.
pub(super) fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(
        |_| ms.to_string(),
        |time| {
            let time = time.to_zoned(TimeZone::UTC);
            time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string()
        },
    )
}

/// Bytes in all units at once: `81KiB648B`.
pub(super) fn bytes(bytes: u64) -> String {
    if bytes == 0 {
        return "0B".to_owned();
    }
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut parts = Vec::new();
    let mut rest = bytes;
    for unit in units {
        if !rest.is_multiple_of(1024) {
            parts.push(format!("{}{unit}", rest % 1024));
        }
        rest /= 1024;
    }
    parts.reverse();
    parts.concat()
}

/// Bytes, rounded: `81.6 KiB`.
pub(super) fn rounded(bytes: u64) -> String {
    let mut amount = bytes as f64;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"].iter();
    let mut unit = units.next();
    while amount >= 1000.0
        && let Some(larger) = units.next()
    {
        amount /= 1024.0;
        unit = Some(larger);
    }
    let unit = unit.copied().unwrap_or_default();
    if unit == "B" || amount >= 100.0 {
        format!("{amount:.0} {unit}")
    } else {
        format!("{amount:.1} {unit}")
    }
}

/// A number with a comma after each thousand.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_sizes_print_as_in_go() {
        let lengths = [0, 15, 2001, 60_000, 7_200_000, 90_061_500].map(duration);
        let expected = ["0s", "15ms", "2.001s", "1m0s", "2h0m0s", "25h1m1.5s"];
        assert_eq!(lengths, expected);
        let sizes = [0, 1023, 83_592, 1 << 20].map(bytes);
        assert_eq!(sizes, ["0B", "1023B", "81KiB648B", "1MiB"]);
        assert_eq!(time(1_795_273_873_797), "2026-11-21 15:11:13 +0000 UTC");
        assert_eq!(time(i64::MAX), i64::MAX.to_string());
        assert_eq!(rounded(83_592), "81.6 KiB");
        assert_eq!(rounded(999), "999 B");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(12), "12");
    }
}
