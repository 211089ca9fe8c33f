//! Reads a time by a layout.

use jiff::civil;
use jiff::tz::TimeZone;

use super::Time;
use super::layout::{Element, MONTHS, OffsetForm, WEEKDAYS, next_element};

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

pub(super) fn parse(layout: &str, text: &str) -> Option<Time> {
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
