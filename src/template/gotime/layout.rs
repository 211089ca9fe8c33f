//! Go's layouts: what `2006-01-02 15:04:05` asks for, piece by piece.

use jiff::civil;

/// How an offset from UTC is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OffsetForm {
    Hours,
    Plain,
    Colon,
    PlainSeconds,
    ColonSeconds,
}

impl OffsetForm {
    pub(super) const fn separator(self) -> &'static str {
        match self {
            Self::Colon | Self::ColonSeconds => ":",
            _ => "",
        }
    }

    pub(super) const fn has_minutes(self) -> bool {
        !matches!(self, Self::Hours)
    }

    pub(super) const fn has_seconds(self) -> bool {
        matches!(self, Self::PlainSeconds | Self::ColonSeconds)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Element {
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
pub(super) fn next_element(layout: &str) -> Option<(&str, Element, &str)> {
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

pub(super) fn push_offset(out: &mut String, offset: i32, zulu: bool, form: OffsetForm) {
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

pub(super) fn push_fraction(out: &mut String, ns: i64, digits: usize, trim: bool, separator: char) {
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
pub(super) const MONTHS: [&str; 12] = [
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

pub(super) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

pub(super) fn month_name(month: i8) -> &'static str {
    usize::try_from(month - 1)
        .ok()
        .and_then(|at| MONTHS.get(at))
        .copied()
        .unwrap_or("January")
}

pub(super) fn weekday_name(day: civil::Weekday) -> &'static str {
    usize::try_from(day.to_sunday_zero_offset())
        .ok()
        .and_then(|at| WEEKDAYS.get(at))
        .copied()
        .unwrap_or("Sunday")
}
