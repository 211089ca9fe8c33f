//! Go's `time.Time` and `time.Duration`: text forms, layouts, methods.

mod duration;
mod layout;
mod parse;

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::function::{Function, Type};
use super::value::Value;
use crate::text::quote::quote;
use crate::time::WallTime;

use layout::{Element, MONTHS, month_name, next_element, push_fraction, push_offset, weekday_name};

pub(super) use duration::duration_method;
pub use duration::format_duration;

const SECOND: i64 = 1_000_000_000;
/// Go's zero time in seconds since the epoch.
const ZERO_SECONDS: i64 = -62_135_596_800;

/// A point in time in a time zone.
#[derive(Debug, Clone)]
pub struct Time(Zoned);

impl Time {
    /// Go's zero time.
    pub fn zero() -> Self {
        Self::from_unix(ZERO_SECONDS, 0)
    }

    /// A point in UTC; what lies outside of years -9999 to 9999 becomes the nearest point inside.
    pub fn from_unix(seconds: i64, nanoseconds: i64) -> Self {
        let total = i128::from(seconds) * i128::from(SECOND) + i128::from(nanoseconds);
        let total = total.clamp(
            Timestamp::MIN.as_nanosecond(),
            Timestamp::MAX.as_nanosecond(),
        );
        let at = Timestamp::from_nanosecond(total).unwrap_or(Timestamp::UNIX_EPOCH);
        Self(at.to_zoned(TimeZone::UTC))
    }

    /// Reads RFC 3339; the zone is the text's offset.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        if let Some(time) = WallTime::parse_rfc3339(text).filter(|t| t.is_zero()) {
            return Some(time.into());
        }
        let at: Timestamp = text.parse().ok()?;
        Some(Self(at.to_zoned(TimeZone::UTC)))
    }

    /// The same point in another zone.
    pub fn in_zone(&self, name: &str) -> Result<Self, String> {
        let zone = match name {
            "" | "UTC" => TimeZone::UTC,
            name => TimeZone::get(name).map_err(|_| format!("unknown time zone {name}"))?,
        };
        Ok(Self(self.0.timestamp().to_zoned(zone)))
    }

    fn nanoseconds(&self) -> i128 {
        self.0.timestamp().as_nanosecond()
    }

    fn seconds(&self) -> i64 {
        self.nanoseconds().div_euclid(i128::from(SECOND)) as i64
    }

    fn fraction(&self) -> i64 {
        self.nanoseconds().rem_euclid(i128::from(SECOND)) as i64
    }

    /// Seconds since the year one began, and nanoseconds: what Go keeps of a time.
    pub(super) fn since_year_one(&self) -> (i64, u64) {
        let seconds = self.seconds() - ZERO_SECONDS;
        (seconds, self.fraction().unsigned_abs())
    }

    /// Go's `GoString`: the call that makes this time.
    pub(super) fn go_source(&self) -> String {
        let t = self.0.datetime();
        let month = MONTHS
            .get(usize::from(t.month().unsigned_abs()).saturating_sub(1))
            .unwrap_or(&"");
        let zone = self.0.time_zone();
        let zone = match zone.iana_name() {
            _ if zone == &TimeZone::UTC => "time.UTC".to_owned(),
            Some(name) => format!("time.Location({})", quote(name)),
            None => "time.Local".to_owned(),
        };
        let (year, day, nanosecond) = (t.year(), t.day(), t.subsec_nanosecond());
        let (hour, minute, second) = (t.hour(), t.minute(), t.second());
        format!(
            "time.Date({year}, time.{month}, {day}, {hour}, {minute}, {second}, {nanosecond}, {zone})"
        )
    }

    /// Whether this is Go's zero time.
    pub fn is_zero(&self) -> bool {
        self.seconds() == ZERO_SECONDS && self.fraction() == 0
    }

    fn add(&self, ns: i64) -> Self {
        let zone = self.0.time_zone().clone();
        let total = self.nanoseconds() + i128::from(ns);
        let moved = Self::from_unix(0, 0).with_nanoseconds(total);
        Self(moved.0.timestamp().to_zoned(zone))
    }

    fn with_nanoseconds(&self, total: i128) -> Self {
        let total = total.clamp(
            Timestamp::MIN.as_nanosecond(),
            Timestamp::MAX.as_nanosecond(),
        );
        let at = Timestamp::from_nanosecond(total).unwrap_or(Timestamp::UNIX_EPOCH);
        Self(at.to_zoned(self.0.time_zone().clone()))
    }

    /// The span since another point, saturating as Go's `Sub` does.
    pub fn since(&self, earlier: &Self) -> i64 {
        let diff = self.nanoseconds() - earlier.nanoseconds();
        i64::try_from(diff).unwrap_or(if diff < 0 { i64::MIN } else { i64::MAX })
    }

    fn abbreviation(&self) -> String {
        let zone = self.0.time_zone();
        if zone == &TimeZone::UTC {
            return "UTC".to_owned();
        }
        let info = zone.to_offset_info(self.0.timestamp());
        let name = info.abbreviation();
        // compat: zones without letters print as the offset, `+03`.
        name.to_owned()
    }

    fn offset_seconds(&self) -> i32 {
        self.0.offset().seconds()
    }

    /// Formats by a Go layout such as `2006-01-02 15:04:05`.
    pub fn format(&self, layout: &str) -> String {
        let mut out = String::new();
        let mut rest = layout;
        while let Some((before, element, after)) = next_element(rest) {
            out.push_str(before);
            self.push_element(&mut out, element);
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn push_element(&self, out: &mut String, element: Element) {
        use std::fmt::Write as _;
        let t = &self.0;
        let hour12 = match i64::from(t.hour()) % 12 {
            0 => 12,
            h => h,
        };
        let _ = match element {
            Element::LongMonth => write!(out, "{}", month_name(t.month())),
            Element::Month => write!(out, "{}", &month_name(t.month())[..3]),
            Element::NumMonth => write!(out, "{}", t.month()),
            Element::ZeroMonth => write!(out, "{:02}", t.month()),
            Element::LongWeekday => write!(out, "{}", weekday_name(t.weekday())),
            Element::Weekday => write!(out, "{}", &weekday_name(t.weekday())[..3]),
            Element::Day => write!(out, "{}", t.day()),
            Element::UnderDay => write!(out, "{:>2}", t.day()),
            Element::ZeroDay => write!(out, "{:02}", t.day()),
            Element::UnderYearDay => write!(out, "{:>3}", t.day_of_year()),
            Element::ZeroYearDay => write!(out, "{:03}", t.day_of_year()),
            Element::Hour => write!(out, "{:02}", t.hour()),
            Element::Hour12 => write!(out, "{hour12}"),
            Element::ZeroHour12 => write!(out, "{hour12:02}"),
            Element::Minute => write!(out, "{}", t.minute()),
            Element::ZeroMinute => write!(out, "{:02}", t.minute()),
            Element::Second => write!(out, "{}", t.second()),
            Element::ZeroSecond => write!(out, "{:02}", t.second()),
            Element::LongYear => write!(out, "{:04}", t.year()),
            Element::Year => write!(out, "{:02}", t.year().rem_euclid(100)),
            Element::UpperPm => write!(out, "{}", if t.hour() >= 12 { "PM" } else { "AM" }),
            Element::LowerPm => write!(out, "{}", if t.hour() >= 12 { "pm" } else { "am" }),
            Element::Zone => write!(out, "{}", self.abbreviation()),
            Element::Offset { zulu, form } => {
                push_offset(out, self.offset_seconds(), zulu, form);
                Ok(())
            }
            Element::Fraction {
                digits,
                trim,
                separator,
            } => {
                push_fraction(out, self.fraction(), digits, trim, separator);
                Ok(())
            }
        };
    }

    /// RFC 3339 with as many fraction digits as needed, as in JSON.
    pub fn to_rfc3339(&self) -> String {
        self.format("2006-01-02T15:04:05.999999999Z07:00")
    }

    /// Reads a text by a Go layout, in UTC. Errors are shaped as Go's.
    pub fn parse(layout: &str, text: &str) -> Result<Self, String> {
        parse::parse(layout, text).ok_or_else(|| {
            format!(
                "parsing time {} as {}: cannot parse {} as {}",
                quote(text),
                quote(layout),
                quote(text),
                quote(layout)
            )
        })
    }
}

impl From<WallTime> for Time {
    fn from(t: WallTime) -> Self {
        if t.is_zero() {
            Self::zero()
        } else {
            Self::from_unix(0, t.as_ns())
        }
    }
}

/// Go's `String`: `2006-01-02 15:04:05.999999999 -0700 MST`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format("2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}

/// The methods of a time.
pub(super) fn time_method(time: &Time, name: &str) -> Option<Function<'static>> {
    let value = |value: Value| Some(Function::new(&[], move |_| Ok(value.clone())));
    let z = &time.0;
    match name {
        "String" => value(Value::from(time.to_string())),
        "Unix" => value(Value::Int(time.seconds())),
        "UnixMilli" => value(Value::Int(time.nanoseconds().div_euclid(1_000_000) as i64)),
        "UnixMicro" => value(Value::Int(time.nanoseconds().div_euclid(1000) as i64)),
        "UnixNano" => value(Value::Int(time.nanoseconds() as i64)),
        "Year" => value(Value::Int(i64::from(z.year()))),
        "Month" => value(Value::Named(
            "time.Month",
            i64::from(z.month()),
            month_name(z.month()),
        )),
        "Day" => value(Value::Int(i64::from(z.day()))),
        "YearDay" => value(Value::Int(i64::from(z.day_of_year()))),
        "Hour" => value(Value::Int(i64::from(z.hour()))),
        "Minute" => value(Value::Int(i64::from(z.minute()))),
        "Second" => value(Value::Int(i64::from(z.second()))),
        "Nanosecond" => value(Value::Int(time.fraction())),
        "Weekday" => value(Value::Named(
            "time.Weekday",
            i64::from(z.weekday().to_sunday_zero_offset()),
            weekday_name(z.weekday()),
        )),
        "IsZero" => value(Value::Bool(time.is_zero())),
        // compat: the daemon's local zone is UTC.
        "UTC" | "Local" => value(Value::Time(time.in_zone("UTC").ok()?)),
        _ => time_method_with_arguments(time.clone(), name),
    }
}

fn time_method_with_arguments(time: Time, name: &str) -> Option<Function<'static>> {
    let other = |args: &[Value]| match args.first() {
        Some(Value::Time(t)) => t.clone(),
        _ => Time::zero(),
    };
    let int = |args: &[Value], at: usize| args.get(at).and_then(Value::as_int).unwrap_or(0);
    Some(match name {
        "Format" => Function::new(&[Type::STRING], move |args| {
            Ok(Value::from(time.format(&super::function::text(args, 0))))
        }),
        "Add" => Function::new(&[Type::DURATION], move |args| {
            Ok(Value::Time(time.add(int(args, 0))))
        }),
        "AddDate" => Function::new(&[Type::INT, Type::INT, Type::INT], move |args| {
            let span = jiff::Span::new()
                .try_years(int(args, 0))
                .and_then(|s| s.try_months(int(args, 1)))
                .and_then(|s| s.try_days(int(args, 2)))
                .map_err(|e| e.to_string())?;
            let moved = time.0.checked_add(span).map_err(|e| e.to_string())?;
            Ok(Value::Time(Time(moved)))
        }),
        "Sub" => Function::new(&[Type::TIME], move |args| {
            Ok(Value::Duration(time.since(&other(args))))
        }),
        "Before" => Function::new(&[Type::TIME], move |args| {
            Ok(Value::Bool(time.nanoseconds() < other(args).nanoseconds()))
        }),
        "After" => Function::new(&[Type::TIME], move |args| {
            Ok(Value::Bool(time.nanoseconds() > other(args).nanoseconds()))
        }),
        "Equal" => Function::new(&[Type::TIME], move |args| {
            Ok(Value::Bool(time.nanoseconds() == other(args).nanoseconds()))
        }),
        "Compare" => Function::new(&[Type::TIME], move |args| {
            let order = time.nanoseconds().cmp(&other(args).nanoseconds());
            Ok(Value::Int(order as i64))
        }),
        "Truncate" | "Round" => {
            let rounds = name == "Round";
            Function::new(&[Type::DURATION], move |args| {
                let m = i128::from(int(args, 0));
                if m <= 0 {
                    return Ok(Value::Time(time.clone()));
                }
                // compat: Go counts from its zero time.
                let since = time.nanoseconds() - i128::from(ZERO_SECONDS) * i128::from(SECOND);
                let rest = since.rem_euclid(m);
                let mut total = time.nanoseconds() - rest;
                if rounds && rest * 2 >= m {
                    total += m;
                }
                Ok(Value::Time(time.with_nanoseconds(total)))
            })
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_print_as_in_go() {
        let t = Time::from_unix(1_709_305_445, 120_000_000);
        for (layout, want) in [
            ("2006-01-02T15:04:05Z07:00", "2024-03-01T15:04:05Z"),
            (
                "Mon, 02 Jan 2006 15:04:05 -0700",
                "Fri, 01 Mar 2024 15:04:05 +0000",
            ),
            (
                "Monday January _2 3:04PM .000 .999",
                "Friday March  1 3:04PM .120 .12",
            ),
            ("06 1 2 002 Month", "24 3 1 061 Month"),
        ] {
            assert_eq!(t.format(layout), want, "{layout}");
        }
        assert_eq!(t.to_string(), "2024-03-01 15:04:05.12 +0000 UTC");
        assert_eq!(Time::zero().to_string(), "0001-01-01 00:00:00 +0000 UTC");
    }

    #[test]
    fn layouts_read_what_they_print() {
        let layout = "Mon, 02 Jan 2006 15:04:05.000 -0700";
        let t = Time::from_unix(1_709_305_445, 120_000_000);
        let read = Time::parse(layout, &t.format(layout)).unwrap();
        assert_eq!(read.since(&t), 0);
        assert!(Time::parse("2006-01-02", "not-a-date").is_err());
    }

    #[test]
    fn durations_print_as_in_go() {
        for (ns, want) in [
            (0, "0s"),
            (1, "1ns"),
            (1500, "1.5µs"),
            (2_000_000, "2ms"),
            (1_500_000_000, "1.5s"),
            (-90 * SECOND, "-1m30s"),
            (3600 * SECOND, "1h0m0s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(format_duration(ns), want);
        }
    }
}
