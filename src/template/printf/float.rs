//! Floats: decimal, exponent, hexadecimal and binary forms, and what `#` leaves of their zeros.

use super::Printer;
use crate::template::value::Value;
use crate::text::gofmt::{self, special};

impl Printer {
    pub(super) fn float(&mut self, value: &Value, v: f64, verb: char) {
        let precision = self.flags.precision;
        let text = match verb {
            'v' | 'g' | 'G' => match precision {
                None if self.flags.sharp_v => sharp_float(v),
                None => gofmt::float_g(v),
                Some(p) => float_general(v, p),
            },
            'f' | 'F' => match special(v) {
                Some(text) => text.to_owned(),
                None => format!("{v:.*}", precision.unwrap_or(6)),
            },
            'e' | 'E' => match special(v) {
                Some(text) => text.to_owned(),
                None => exponent_form(v, precision.unwrap_or(6)),
            },
            'x' | 'X' => match special(v) {
                Some(text) => text.to_owned(),
                None => hex_form(v, precision),
            },
            'b' => match special(v) {
                Some(text) => text.to_owned(),
                None => binary_form(v),
            },
            _ => return self.bad_verb(value, verb),
        };
        let text = if self.flags.sharp && verb != 'b' && v.is_finite() {
            with_point(&text, verb, precision)
        } else {
            text
        };
        let text = match verb {
            'G' | 'E' => text.replace('e', "E"),
            'X' if v.is_finite() => text.to_uppercase(),
            _ => text,
        };
        let (sign, digits) = match text.strip_prefix(['-', '+']) {
            Some(digits) => (&text[..1], digits),
            None => ("+", text.as_str()),
        };
        let finite = v.is_finite();
        let shown_sign = if sign == "-" || self.flags.plus {
            sign
        } else if v.is_infinite() {
            // compat: an infinity keeps its plus sign.
            if self.flags.space { " " } else { "+" }
        } else if self.flags.space {
            " "
        } else {
            ""
        };
        let shown_sign = if v.is_nan() && !self.flags.plus && !self.flags.space {
            ""
        } else {
            shown_sign
        };
        let zeros = if self.flags.zero && finite && !self.flags.minus {
            self.flags
                .width
                .unwrap_or(0)
                .saturating_sub(digits.len() + shown_sign.len())
        } else {
            0
        };
        let text = format!("{shown_sign}{}{digits}", "0".repeat(zeros));
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(&text);
        self.flags.zero = zero;
    }
}

/// `#` on a float: there is a decimal point, and trailing zeros stay where `%g` and `%x` drop them.
fn with_point(text: &str, verb: char, precision: Option<usize>) -> String {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let exponent = if matches!(verb, 'x' | 'X') { 'p' } else { 'e' };
    let (number, tail) = rest.split_at(rest.find(exponent).unwrap_or(rest.len()));
    let wanted = match verb {
        'v' | 'g' | 'G' | 'x' => precision.unwrap_or(6),
        _ => 0,
    };
    // compat: what counts begins with the first character that is no zero, be it the x of 0x.
    let from = number.find(|c| !matches!(c, '0' | '.'));
    let counted = from.map_or(0, |from| {
        number[from..].chars().filter(|c| *c != '.').count()
    });
    let has_point = number.contains('.');
    let counted = counted + usize::from(!has_point && number == "0");
    let point = if has_point { "" } else { "." };
    let zeros = "0".repeat(wanted.saturating_sub(counted));
    format!("{sign}{number}{point}{zeros}{tail}")
}

/// The mantissa with its leading one, and the exponent of its last bit.
fn parts(v: f64) -> (u64, i32) {
    let bits = v.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    match (bits >> 52) as i32 & 0x7ff {
        0 => (fraction, -1074),
        exponent => (fraction | 1 << 52, exponent - 1075),
    }
}

/// `-4503599627370496p-52`.
fn binary_form(v: f64) -> String {
    let (mantissa, exponent) = parts(v);
    let sign = if v.is_sign_negative() { "-" } else { "" };
    format!("{sign}{mantissa}p{exponent:+}")
}

/// `0x1.8p+01`, rounded to so many digits, halves to even.
fn hex_form(v: f64, precision: Option<usize>) -> String {
    const DIGITS: usize = 13;
    let sign = if v.is_sign_negative() { "-" } else { "" };
    let (mut mantissa, mut exponent) = parts(v);
    if mantissa != 0 {
        // Small numbers too begin with a one.
        let shift = mantissa.leading_zeros() as i32 - 11;
        mantissa <<= shift;
        exponent += 52 - shift;
    } else {
        exponent = 0;
    }
    if let Some(digits) = precision.filter(|digits| *digits < DIGITS) {
        let dropped = 4 * (DIGITS - digits);
        let (rest, half) = (mantissa & ((1 << dropped) - 1), 1_u64 << (dropped - 1));
        mantissa >>= dropped;
        if rest > half || (rest == half && mantissa & 1 == 1) {
            mantissa += 1;
        }
        mantissa <<= dropped;
        if mantissa >> 53 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let fraction = format!("{:013x}", mantissa & ((1 << 52) - 1));
    let fraction = match precision {
        None => fraction.trim_end_matches('0').to_owned(),
        Some(digits) if digits <= DIGITS => fraction[..digits].to_owned(),
        Some(digits) => format!("{fraction:0<digits$}"),
    };
    let dot = if fraction.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!(
        "{sign}0x{}{dot}{fraction}p{exponent_sign}{:02}",
        mantissa >> 52,
        exponent.abs()
    )
}

/// Go's `%e`: at least two exponent digits.
fn exponent_form(v: f64, precision: usize) -> String {
    let text = format!("{v:.precision$e}");
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text;
    };
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// Go's `%.Ng`: N significant digits, without trailing zeros, in the shorter of two forms.
pub(in crate::template) fn float_general(v: f64, precision: usize) -> String {
    if let Some(text) = special(v) {
        return text.to_owned();
    }
    let precision = precision.max(1);
    if v == 0.0 {
        return if v.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let scientific = format!("{v:.*e}", precision - 1);
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let digits = digits.trim_end_matches('0');
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let point = exponent + 1;
    let mut limit = i32::try_from(precision).unwrap_or(i32::MAX);
    if limit > count && count >= point {
        limit = count;
    }
    if exponent < -4 || exponent >= limit {
        let (head, tail) = digits.split_at(1.min(digits.len()));
        let dot = if tail.is_empty() { "" } else { "." };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!(
            "{sign}{head}{dot}{tail}e{exponent_sign}{:02}",
            exponent.unsigned_abs()
        );
    }
    if point <= 0 {
        return format!(
            "{sign}0.{}{digits}",
            "0".repeat(point.unsigned_abs() as usize)
        );
    }
    let point = point as usize;
    if digits.len() <= point {
        return format!("{sign}{digits}{}", "0".repeat(point - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..point], &digits[point..])
}

/// `%#v` of a float: the exponent form begins only at 1e21.
fn sharp_float(v: f64) -> String {
    let magnitude = v.abs();
    if v.is_finite() && v != 0.0 && (1e-4..1e21).contains(&magnitude) {
        gofmt::shortest(v)
    } else {
        gofmt::float_g(v)
    }
}
