//! Go's `time.Time` and `time.Duration`: text forms, layouts, methods.

use std::fmt;

use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::function::{Function, Type};
use super::value::Value;
use crate::text::quote::quote;
use crate::time::WallTime;

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
        parse(layout, text).ok_or_else(|| {
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

/// How an offset from UTC is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OffsetForm {
    Hours,
    Plain,
    Colon,
    PlainSeconds,
    ColonSeconds,
}

impl OffsetForm {
    const fn separator(self) -> &'static str {
        match self {
            Self::Colon | Self::ColonSeconds => ":",
            _ => "",
        }
    }

    const fn has_minutes(self) -> bool {
        !matches!(self, Self::Hours)
    }

    const fn has_seconds(self) -> bool {
        matches!(self, Self::PlainSeconds | Self::ColonSeconds)
    }
}

#[derive(Debug, Clone, Copy)]
enum Element {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperPm,
    LowerPm,
    Zone,
    Offset {
        zulu: bool,
        form: OffsetForm,
    },
    Fraction {
        digits: usize,
        trim: bool,
        separator: char,
    },
}

/// Elements in the order in which longer spellings come before their prefixes.
const ELEMENTS: [(&str, Element); 34] = [
    ("January", Element::LongMonth),
    ("Jan", Element::Month),
    ("Monday", Element::LongWeekday),
    ("Mon", Element::Weekday),
    ("MST", Element::Zone),
    ("002", Element::ZeroYearDay),
    ("01", Element::ZeroMonth),
    ("02", Element::ZeroDay),
    ("03", Element::ZeroHour12),
    ("04", Element::ZeroMinute),
    ("05", Element::ZeroSecond),
    ("06", Element::Year),
    ("15", Element::Hour),
    ("1", Element::NumMonth),
    ("2006", Element::LongYear),
    ("2", Element::Day),
    ("__2", Element::UnderYearDay),
    ("_2006", Element::LongYear),
    ("_2", Element::UnderDay),
    ("3", Element::Hour12),
    ("4", Element::Minute),
    ("5", Element::Second),
    ("PM", Element::UpperPm),
    ("pm", Element::LowerPm),
    ("-070000", offset(false, OffsetForm::PlainSeconds)),
    ("-07:00:00", offset(false, OffsetForm::ColonSeconds)),
    ("-0700", offset(false, OffsetForm::Plain)),
    ("-07:00", offset(false, OffsetForm::Colon)),
    ("-07", offset(false, OffsetForm::Hours)),
    ("Z070000", offset(true, OffsetForm::PlainSeconds)),
    ("Z07:00:00", offset(true, OffsetForm::ColonSeconds)),
    ("Z0700", offset(true, OffsetForm::Plain)),
    ("Z07:00", offset(true, OffsetForm::Colon)),
    ("Z07", offset(true, OffsetForm::Hours)),
];

const fn offset(zulu: bool, form: OffsetForm) -> Element {
    Element::Offset { zulu, form }
}

/// The first element of a layout, with what stands before and after it.
fn next_element(layout: &str) -> Option<(&str, Element, &str)> {
    for (at, c) in layout.char_indices() {
        let here = &layout[at..];
        if c == '.' || c == ',' {
            if let Some((element, length)) = fraction_element(here) {
                return Some((&layout[..at], element, &here[length..]));
            }
            continue;
        }
        let found = ELEMENTS.iter().find(|(text, _)| {
            here.starts_with(text)
                // compat: `Jan` and `Mon` are no elements when a lower-case letter follows.
                && !(matches!(*text, "Jan" | "Mon")
                    && here[3..].starts_with(|c: char| c.is_ascii_lowercase()))
        });
        if let Some((text, element)) = found {
            if *text == "_2006" {
                return Some((&layout[..=at], Element::LongYear, &here[5..]));
            }
            return Some((&layout[..at], *element, &here[text.len()..]));
        }
    }
    None
}

/// `.000` or `.999`, not followed by another digit.
fn fraction_element(text: &str) -> Option<(Element, usize)> {
    let mut chars = text.chars();
    let separator = chars.next()?;
    let digit = chars.next().filter(|c| matches!(c, '0' | '9'))?;
    let digits = text[1..].chars().take_while(|c| *c == digit).count();
    if text[1 + digits..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let element = Element::Fraction {
        digits,
        trim: digit == '9',
        separator,
    };
    Some((element, 1 + digits))
}

fn push_offset(out: &mut String, offset: i32, zulu: bool, form: OffsetForm) {
    use std::fmt::Write as _;
    if zulu && offset == 0 {
        out.push('Z');
        return;
    }
    let sign = if offset < 0 { '-' } else { '+' };
    let magnitude = offset.unsigned_abs();
    let (h, m, s) = (magnitude / 3600, magnitude / 60 % 60, magnitude % 60);
    let separator = form.separator();
    let _ = write!(out, "{sign}{h:02}");
    if form.has_minutes() {
        let _ = write!(out, "{separator}{m:02}");
    }
    if form.has_seconds() {
        let _ = write!(out, "{separator}{s:02}");
    }
}

fn push_fraction(out: &mut String, ns: i64, digits: usize, trim: bool, separator: char) {
    let all = format!("{ns:09}");
    let mut shown: String = all.chars().take(digits.min(9)).collect();
    shown.extend(std::iter::repeat_n('0', digits.saturating_sub(9)));
    if trim {
        let trimmed = shown.trim_end_matches('0').len();
        shown.truncate(trimmed);
        if shown.is_empty() {
            return;
        }
    }
    out.push(separator);
    out.push_str(&shown);
}

/// Months in English.
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

fn month_name(month: i8) -> &'static str {
    usize::try_from(month - 1)
        .ok()
        .and_then(|at| MONTHS.get(at))
        .copied()
        .unwrap_or("January")
}

fn weekday_name(day: civil::Weekday) -> &'static str {
    usize::try_from(day.to_sunday_zero_offset())
        .ok()
        .and_then(|at| WEEKDAYS.get(at))
        .copied()
        .unwrap_or("Sunday")
}

/// What a layout has read so far.
struct Parts {
    year: i16,
    month: i8,
    day: i8,
    year_day: Option<i16>,
    hour: i64,
    minute: i64,
    second: i64,
    nanoseconds: i64,
    pm: Option<bool>,
    offset: i64,
}

fn parse(layout: &str, text: &str) -> Option<Time> {
    let mut parts = Parts {
        // compat: what the layout does not name is year 0, January the first.
        year: 0,
        month: 1,
        day: 1,
        year_day: None,
        hour: 0,
        minute: 0,
        second: 0,
        nanoseconds: 0,
        pm: None,
        offset: 0,
    };
    let (mut layout, mut text) = (layout, text);
    while let Some((before, element, after)) = next_element(layout) {
        text = text.strip_prefix(before)?;
        text = parse_element(element, text, &mut parts, after)?;
        layout = after;
    }
    if text != layout {
        return None;
    }
    parts.build()
}

impl Parts {
    fn build(self) -> Option<Time> {
        let mut hour = self.hour;
        match self.pm {
            Some(true) if hour < 12 => hour += 12,
            Some(false) if hour == 12 => hour = 0,
            _ => {}
        }
        let mut date = civil::Date::new(self.year, self.month, self.day).ok()?;
        if let Some(day) = self.year_day {
            date = civil::Date::new(self.year, 1, 1)
                .ok()?
                .with()
                .day_of_year(day)
                .build()
                .ok()?;
        }
        if !(0..24).contains(&hour) || self.minute >= 60 || self.second >= 60 {
            return None;
        }
        let midnight = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
        let seconds = midnight + hour * 3600 + self.minute * 60 + self.second - self.offset;
        Some(Time::from_unix(seconds, self.nanoseconds))
    }
}

fn parse_element<'t>(
    element: Element,
    text: &'t str,
    parts: &mut Parts,
    after: &str,
) -> Option<&'t str> {
    let rest = match element {
        Element::LongMonth | Element::Month => {
            let short = matches!(element, Element::Month);
            let (at, rest) = named(text, &MONTHS, short)?;
            parts.month = i8::try_from(at + 1).ok()?;
            rest
        }
        Element::LongWeekday => named(text, &WEEKDAYS, false)?.1,
        Element::Weekday => named(text, &WEEKDAYS, true)?.1,
        Element::NumMonth => set(text, 1, 2, |v| parts.month = v as i8)?,
        Element::ZeroMonth => set(text, 2, 2, |v| parts.month = v as i8)?,
        Element::Day => set(text, 1, 2, |v| parts.day = v as i8)?,
        Element::UnderDay => {
            let text = text.strip_prefix(' ').unwrap_or(text);
            set(text, 1, 2, |v| parts.day = v as i8)?
        }
        Element::ZeroDay => set(text, 2, 2, |v| parts.day = v as i8)?,
        Element::UnderYearDay => {
            let text = text.trim_start_matches(' ');
            set(text, 1, 3, |v| parts.year_day = Some(v as i16))?
        }
        Element::ZeroYearDay => set(text, 3, 3, |v| parts.year_day = Some(v as i16))?,
        Element::Hour | Element::ZeroHour12 => set(text, 2, 2, |v| parts.hour = v)?,
        Element::Hour12 => set(text, 1, 2, |v| parts.hour = v)?,
        Element::Minute => set(text, 1, 2, |v| parts.minute = v)?,
        Element::ZeroMinute => set(text, 2, 2, |v| parts.minute = v)?,
        Element::Second | Element::ZeroSecond => {
            let least = if matches!(element, Element::Second) {
                1
            } else {
                2
            };
            let rest = set(text, least, 2, |v| parts.second = v)?;
            // compat: a fraction is read after seconds even when the layout has none.
            if after.starts_with(['.', ',']) {
                rest
            } else {
                optional_fraction(rest, &mut parts.nanoseconds)
            }
        }
        Element::LongYear => set(text, 4, 4, |v| parts.year = v as i16)?,
        Element::Year => set(text, 2, 2, |v| {
            parts.year = (if v >= 69 { 1900 + v } else { 2000 + v }) as i16;
        })?,
        Element::UpperPm | Element::LowerPm => {
            let (word, rest) = text.split_at_checked(2)?;
            parts.pm = Some(match word {
                "PM" | "pm" => true,
                "AM" | "am" => false,
                _ => return None,
            });
            rest
        }
        Element::Zone => {
            let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
            if !(3..=5).contains(&letters) {
                return None;
            }
            &text[letters..]
        }
        Element::Offset { zulu, form } => {
            let (offset, rest) = parse_offset(text, zulu, form)?;
            parts.offset = offset;
            rest
        }
        Element::Fraction { .. } => optional_fraction(text, &mut parts.nanoseconds),
    };
    Some(rest)
}

fn named<'t>(text: &'t str, names: &[&str], short: bool) -> Option<(usize, &'t str)> {
    names.iter().enumerate().find_map(|(at, name)| {
        let name = if short { &name[..3] } else { name };
        let (head, rest) = text.split_at_checked(name.len())?;
        head.eq_ignore_ascii_case(name).then_some((at, rest))
    })
}

/// Reads a number of between `least` and `most` digits.
fn set(text: &str, least: usize, most: usize, store: impl FnOnce(i64)) -> Option<&str> {
    let digits = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if digits < least {
        return None;
    }
    store(text[..digits].parse().ok()?);
    Some(&text[digits..])
}

fn optional_fraction<'t>(text: &'t str, ns: &mut i64) -> &'t str {
    let Some(body) = text.strip_prefix(['.', ',']) else {
        return text;
    };
    let digits = body.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return text;
    }
    let kept = &body[..digits.min(9)];
    *ns = format!("{kept:0<9}").parse().unwrap_or(0);
    &body[digits..]
}

fn parse_offset(text: &str, zulu: bool, form: OffsetForm) -> Option<(i64, &str)> {
    if zulu && let Some(rest) = text.strip_prefix('Z') {
        return Some((0, rest));
    }
    let sign = match text.bytes().next()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let mut total = 0;
    let mut rest = set(&text[1..], 2, 2, |v| total += v * 3600)?;
    for (wanted, unit) in [(form.has_minutes(), 60), (form.has_seconds(), 1)] {
        if wanted {
            rest = rest.strip_prefix(form.separator())?;
            rest = set(rest, 2, 2, |v| total += v * unit)?;
        }
    }
    Some((sign * total, rest))
}

/// Go's `Duration.String`: `1h30m0s`, `1.5s`, `100ms`, `0s`.
pub fn format_duration(ns: i64) -> String {
    let magnitude = ns.unsigned_abs();
    let sign = if ns < 0 { "-" } else { "" };
    let fraction = |value: u64, unit: u64| {
        let whole = value / unit;
        let rest = value % unit;
        if rest == 0 {
            return whole.to_string();
        }
        let width = unit.ilog10() as usize;
        let digits = format!("{rest:0width$}");
        format!("{whole}.{}", digits.trim_end_matches('0'))
    };
    match magnitude {
        0 => "0s".to_owned(),
        1..1000 => format!("{sign}{magnitude}ns"),
        1000..1_000_000 => format!("{sign}{}\u{b5}s", fraction(magnitude, 1000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", fraction(magnitude, 1_000_000)),
        _ => {
            let total = magnitude / SECOND.unsigned_abs();
            let (h, m) = (total / 3600, total / 60 % 60);
            let seconds = fraction(
                magnitude % (60 * SECOND.unsigned_abs()),
                SECOND.unsigned_abs(),
            );
            if h > 0 {
                format!("{sign}{h}h{m}m{seconds}s")
            } else if m > 0 {
                format!("{sign}{m}m{seconds}s")
            } else {
                format!("{sign}{seconds}s")
            }
        }
    }
}

/// The methods of a duration.
pub(super) fn duration_method(ns: i64, name: &str) -> Option<Function<'static>> {
    let value = |value: Value| Some(Function::new(&[], move |_| Ok(value.clone())));
    match name {
        "String" => value(Value::from(format_duration(ns))),
        "Nanoseconds" => value(Value::Int(ns)),
        "Microseconds" => value(Value::Int(ns / 1000)),
        "Milliseconds" => value(Value::Int(ns / 1_000_000)),
        "Seconds" => value(Value::Float(split_unit(ns, SECOND))),
        "Minutes" => value(Value::Float(split_unit(ns, 60 * SECOND))),
        "Hours" => value(Value::Float(split_unit(ns, 3600 * SECOND))),
        "Abs" => value(Value::Duration(ns.saturating_abs())),
        "Truncate" => Some(Function::new(&[Type::DURATION], move |args| {
            let m = args.first().and_then(Value::as_int).unwrap_or(0);
            Ok(Value::Duration(if m <= 0 { ns } else { ns - ns % m }))
        })),
        "Round" => Some(Function::new(&[Type::DURATION], move |args| {
            let m = args.first().and_then(Value::as_int).unwrap_or(0);
            Ok(Value::Duration(round(ns, m)))
        })),
        _ => None,
    }
}

fn split_unit(ns: i64, unit: i64) -> f64 {
    (ns / unit) as f64 + (ns % unit) as f64 / unit as f64
}

/// Rounds half away from zero, saturating.
fn round(ns: i64, m: i64) -> i64 {
    if m <= 0 {
        return ns;
    }
    let rest = ns % m;
    let down = ns - rest;
    if rest.unsigned_abs() * 2 < m.unsigned_abs() {
        down
    } else if ns < 0 {
        down.saturating_sub(m)
    } else {
        down.saturating_add(m)
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
