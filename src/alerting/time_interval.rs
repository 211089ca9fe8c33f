//! Recurring spans of time: "weekdays from nine to five in Sydney".

use std::str::FromStr;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use super::Error;
use crate::time::WallTime;

/// A time interval with the name that routes refer to it by.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NamedInterval {
    /// The name.
    pub name: String,
    /// A point in time belongs to the whole when any of these contains it.
    pub intervals: Vec<TimeInterval>,
}

impl NamedInterval {
    /// Whether any of the parts contains `now`.
    pub fn contains(&self, now: WallTime) -> bool {
        self.intervals.iter().any(|interval| interval.contains(now))
    }
}

/// All fields that are set must hold; inside a field any range may. A field that is set to an empty
/// list never holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TimeInterval {
    /// Times of day.
    pub times: Option<Vec<TimeRange>>,
    /// Days of the week.
    pub weekdays: Option<Vec<WeekdayRange>>,
    /// Days of the month.
    pub days_of_month: Option<Vec<DayOfMonthRange>>,
    /// Months.
    pub months: Option<Vec<MonthRange>>,
    /// Years.
    pub years: Option<Vec<YearRange>>,
    /// Whose clock counts; UTC unless given.
    pub location: Option<Location>,
}

impl TimeInterval {
    /// Whether `now` lies inside.
    pub fn contains(&self, now: WallTime) -> bool {
        let Ok(instant) = jiff::Timestamp::from_nanosecond(i128::from(now.as_ns())) else {
            return false;
        };
        let zone = self
            .location
            .as_ref()
            .map_or(TimeZone::UTC, |location| location.zone.clone());
        let local = instant.to_zoned(zone).datetime();
        let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
        let day = i32::from(local.day());
        let month_days = i32::from(local.date().days_in_month());
        any(self.times.as_ref(), |r| {
            (r.start_minute..r.end_minute).contains(&minute)
        }) && any(self.days_of_month.as_ref(), |r| r.contains(day, month_days))
            && any(self.months.as_ref(), |r| {
                (r.begin..=r.end).contains(&i32::from(local.month()))
            })
            && any(self.weekdays.as_ref(), |r| {
                (r.begin..=r.end).contains(&weekday_number(local.date().weekday()))
            })
            && any(self.years.as_ref(), |r| {
                (r.begin..=r.end).contains(&i32::from(local.year()))
            })
    }
}

fn any<T>(ranges: Option<&Vec<T>>, holds: impl Fn(&T) -> bool) -> bool {
    ranges.is_none_or(|ranges| ranges.iter().any(holds))
}

fn weekday_number(day: Weekday) -> i32 {
    i32::from(day.to_sunday_zero_offset())
}

/// Minutes of a day, the end excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// First minute.
    pub start_minute: i32,
    /// The minute after the last; 1440 is the end of the day.
    pub end_minute: i32,
}

impl TimeRange {
    /// Reads two `HH:MM` texts; the end may be `24:00`.
    pub fn parse(start: &str, end: &str) -> Result<Self, Error> {
        if start.is_empty() || end.is_empty() {
            return Err(bad("both start and end times must be provided"));
        }
        let (start_minute, end_minute) = (minute_of_day(start)?, minute_of_day(end)?);
        if start_minute >= end_minute {
            return Err(bad("start time cannot be equal or greater than end time"));
        }
        Ok(Self {
            start_minute,
            end_minute,
        })
    }
}

fn minute_of_day(text: &str) -> Result<i32, Error> {
    let invalid = || bad(format!("couldn't parse timestamp {text}, invalid format"));
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 5
        && bytes.iter().enumerate().all(|(i, b)| {
            if i == 2 {
                *b == b':'
            } else {
                b.is_ascii_digit()
            }
        });
    if !shaped {
        return Err(invalid());
    }
    let hour: i32 = text[..2].parse().map_err(|_| invalid())?;
    let minute: i32 = text[3..].parse().map_err(|_| invalid())?;
    if (hour < 24 && minute < 60) || (hour == 24 && minute == 0) {
        Ok(hour * 60 + minute)
    } else {
        Err(invalid())
    }
}

/// Days of the week, Sunday being 0, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeekdayRange {
    /// First day.
    pub begin: i32,
    /// Last day.
    pub end: i32,
}

/// Days of a month, both ends included; negative days count from the end, -1 being the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayOfMonthRange {
    /// First day.
    pub begin: i32,
    /// Last day.
    pub end: i32,
}

/// Months, January being 1, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthRange {
    /// First month.
    pub begin: i32,
    /// Last month.
    pub end: i32,
}

/// Years, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct YearRange {
    /// First year.
    pub begin: i32,
    /// Last year.
    pub end: i32,
}

/// The days of the week as they are written, from 0.
pub const WEEKDAYS: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl FromStr for WeekdayRange {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let (begin, end) = range(text, |member| {
            position(&WEEKDAYS, member)
                .ok_or_else(|| bad(format!("{member} is not a valid weekday")))
        })?;
        if begin > end {
            return Err(bad("start day cannot be before end day"));
        }
        Ok(Self { begin, end })
    }
}

impl FromStr for DayOfMonthRange {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let (begin, end) = range(text, number)?;
        for day in [begin, end] {
            if day == 0 || !(-31..=31).contains(&day) {
                return Err(bad(format!(
                    "{day} is not a valid day of the month: out of range"
                )));
            }
        }
        if begin < 0 && end > 0 {
            return Err(bad("end day must be negative if start day is negative"));
        }
        // compat: negative days are compared as if in the shortest month.
        let in_february = |day: i32| if day < 0 { 28 + day } else { day };
        if in_february(begin) > in_february(end) {
            return Err(bad(format!(
                "end day {end} is always before start day {begin}"
            )));
        }
        Ok(Self { begin, end })
    }
}

impl DayOfMonthRange {
    fn contains(self, day: i32, month_days: i32) -> bool {
        let from_start = |day: i32| if day < 0 { month_days + day + 1 } else { day };
        let (begin, end) = (from_start(self.begin), from_start(self.end));
        begin <= month_days && (begin..=end.min(month_days)).contains(&day)
    }
}

impl FromStr for MonthRange {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let (begin, end) = range(text, |member| {
            position(&MONTHS, member)
                .map(|month| month + 1)
                .or_else(|| member.parse().ok())
                .ok_or_else(|| bad(format!("{member} is not a valid month")))
        })?;
        if begin > end {
            let name = |month: i32| {
                usize::try_from(month - 1)
                    .ok()
                    .and_then(|i| MONTHS.get(i))
                    .copied()
                    .unwrap_or_default()
            };
            return Err(bad(format!(
                "end month {} is before start month {}",
                name(end),
                name(begin)
            )));
        }
        Ok(Self { begin, end })
    }
}

impl FromStr for YearRange {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let (begin, end) = range(text, number)?;
        if begin > end {
            return Err(bad(format!("end year {end} is before start year {begin}")));
        }
        Ok(Self { begin, end })
    }
}

/// Reads `a:b` or `a`, in lower case.
fn range(text: &str, member: impl Fn(&str) -> Result<i32, Error>) -> Result<(i32, i32), Error> {
    let text = text.to_lowercase();
    let Some((begin, end)) = text.split_once(':') else {
        let only = member(&text)?;
        return Ok((only, only));
    };
    if end.contains(':') {
        return Err(bad(format!("couldn't parse range {text}, invalid format")));
    }
    Ok((member(begin)?, member(end)?))
}

fn number(text: &str) -> Result<i32, Error> {
    text.parse().map_err(|_| {
        bad(format!(
            "strconv.Atoi: parsing {}: invalid syntax",
            crate::text::quote::quote(text)
        ))
    })
}

fn position(names: &[&str], wanted: &str) -> Option<i32> {
    names
        .iter()
        .position(|name| *name == wanted)
        .and_then(|at| i32::try_from(at).ok())
}

fn bad(text: impl Into<String>) -> Error {
    Error::BadInterval(text.into())
}

/// A place in the IANA time zone database.
#[derive(Debug, Clone, PartialEq)]
pub struct Location {
    /// The name as it was given.
    pub name: String,
    zone: TimeZone,
}

impl FromStr for Location {
    type Err = Error;
    /// Looks the name up; `Local` is the machine's zone, the empty name UTC.
    fn from_str(name: &str) -> Result<Self, Error> {
        let zone = match name {
            "" | "UTC" => TimeZone::UTC,
            "Local" => TimeZone::system(),
            _ => TimeZone::get(name).map_err(|_| bad(format!("unknown time zone {name}")))?,
        };
        Ok(Self {
            name: name.to_owned(),
            zone,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> WallTime {
        WallTime::parse_rfc3339(text).expect("valid time")
    }

    #[test]
    fn days_past_the_month_are_clamped_and_later_starts_skipped() {
        let interval = TimeInterval {
            days_of_month: Some(vec!["1:31".parse().expect("valid")]),
            ..TimeInterval::default()
        };
        assert!(interval.contains(at("2023-02-28T00:00:00Z")));
        let interval = TimeInterval {
            days_of_month: Some(vec!["30:31".parse().expect("valid")]),
            ..TimeInterval::default()
        };
        assert!(!interval.contains(at("2023-02-28T00:00:00Z")));
        let interval = TimeInterval {
            days_of_month: Some(vec!["-31:-1".parse().expect("valid")]),
            ..TimeInterval::default()
        };
        assert!(interval.contains(at("2023-02-01T00:00:00Z")));
    }

    #[test]
    fn the_location_moves_the_day() {
        let interval = TimeInterval {
            times: Some(vec![TimeRange::parse("09:00", "17:00").expect("valid")]),
            weekdays: Some(vec!["Monday".parse().expect("valid")]),
            location: Some("Australia/Sydney".parse().expect("known place")),
            ..TimeInterval::default()
        };
        assert!(interval.contains(at("2024-05-05T23:30:00Z")));
        assert!(!interval.contains(at("2024-05-06T09:30:00Z")));
    }

    #[test]
    fn an_empty_list_never_holds() {
        let interval = TimeInterval {
            years: Some(Vec::new()),
            ..TimeInterval::default()
        };
        assert!(!interval.contains(at("2024-05-05T23:30:00Z")));
        assert!(TimeInterval::default().contains(at("2024-05-05T23:30:00Z")));
    }

    #[test]
    fn refusals_use_upstreams_words() {
        let text = |r: Result<TimeRange, Error>| r.expect_err("refused").to_string();
        assert_eq!(
            text(TimeRange::parse("01:99", "23:59")),
            "couldn't parse timestamp 01:99, invalid format"
        );
        assert_eq!(
            "march:january"
                .parse::<MonthRange>()
                .expect_err("refused")
                .to_string(),
            "end month january is before start month march"
        );
        assert!("Nowhere/Atlantis".parse::<Location>().is_err());
    }
}
