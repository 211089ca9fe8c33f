//! The calendar, in UTC.

use super::instant::{CallInput, InstantFunction};
use crate::promql::engine::call::scalar;
use crate::promql::engine::context::Vector;

/// The function of this name.
pub(super) fn function(name: &str) -> Option<InstantFunction> {
    Some(match name {
        "minute" => |input| calendar(input, |d| d.second_of_day.div_euclid(60) % 60),
        "hour" => |input| calendar(input, |d| d.second_of_day.div_euclid(3600)),
        "day_of_week" => |input| calendar(input, |d| (d.day + 4).rem_euclid(7)),
        "day_of_month" => |input| calendar(input, |d| d.day_of_month),
        "day_of_year" => |input| calendar(input, day_of_year),
        "days_in_month" => |input| calendar(input, |d| days_in_month(d.year, d.month)),
        "month" => |input| calendar(input, |d| d.month),
        "year" => |input| calendar(input, |d| d.year),
        _ => return None,
    })
}

/// The seconds from the zero of Go's `time.Time` to 1970.
const GO_ZERO: i128 = 9_223_372_028_741_760_000;

/// A point in time taken apart.
struct Date {
    /// Since 1970-01-01.
    day: i64,
    second_of_day: i64,
    year: i64,
    month: i64,
    day_of_month: i64,
}

fn calendar(input: &mut CallInput<'_, '_>, part: impl Fn(&Date) -> i64) -> Vector {
    let of = |seconds: i64| part(&date(seconds)) as f64;
    if input.call.args.is_empty() {
        return scalar(of(input.step.t / 1000));
    }
    input.map_floats(0, |v| of(to_seconds(v)))
}

/// Go's conversion on amd64: what does not fit is the least number.
fn to_seconds(v: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&v) {
        v as i64
    } else {
        i64::MIN
    }
}

/// The proleptic Gregorian calendar by days since 1970, counted in years that begin in March.
fn date(seconds: i64) -> Date {
    // compat: Go counts seconds without sign from long ago, so what lies before is at the other end.
    let mut wrapped = i128::from(seconds);
    if wrapped < -GO_ZERO {
        wrapped += 1 << 64;
    }
    let day = wrapped.div_euclid(86_400) as i64;
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Date {
        day,
        second_of_day: wrapped.rem_euclid(86_400) as i64,
        year,
        month,
        day_of_month,
    }
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn day_of_year(date: &Date) -> i64 {
    (1..date.month)
        .map(|month| days_in_month(date.year, month))
        .sum::<i64>()
        + date.day_of_month
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_gregorian() {
        let d = date(1_709_210_096);
        assert_eq!((d.year, d.month, d.day_of_month), (2024, 2, 29));
        assert_eq!(day_of_year(&d), 60);
        assert_eq!((d.day + 4).rem_euclid(7), 4);
        let before = date(-1);
        assert_eq!(
            (before.year, before.month, before.day_of_month),
            (1969, 12, 31)
        );
        assert_eq!(before.second_of_day, 86_399);
        let wrapped = date(i64::MIN);
        assert_eq!(
            (wrapped.year, wrapped.month, wrapped.day_of_month),
            (292_277_026_596, 12, 4)
        );
        assert_eq!((wrapped.day + 4).rem_euclid(7), 0);
        date(i64::MAX);
    }
}
