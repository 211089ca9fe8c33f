//! Numbers as Go's `strconv` reads and OpenMetrics writes them.

use crate::text::gofmt::float_g;
use crate::text::quote::quote;

/// The not-a-number that samples hold; others could be mistaken for a staleness marker.
pub(super) const NORMAL_NAN: u64 = 0x7ff8_0000_0000_0001;

/// Reads a float as `strconv.ParseFloat` does, but for hexadecimal floats and underscores, which
/// upstream keeps out. Errors are upstream's texts.
pub(super) fn parse_float(text: &[u8]) -> Result<f64, String> {
    if let Some(v) = small_decimal(text) {
        return Ok(v);
    }
    if text.iter().any(|b| matches!(b, b'p' | b'P' | b'_')) {
        return Err("unsupported character in float".to_owned());
    }
    let whole = text;
    let fail = |why: &str| {
        let shown = String::from_utf8_lossy(whole);
        Err(format!(
            "strconv.ParseFloat: parsing {}: {why}",
            quote(&shown)
        ))
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return fail("invalid syntax");
    };
    // Rust takes a signed NaN, Go does not.
    let unsigned = text.strip_prefix(['+', '-']);
    if unsigned.is_some_and(|rest| rest.eq_ignore_ascii_case("nan")) {
        return fail("invalid syntax");
    }
    match text.parse::<f64>() {
        Ok(v) if v.is_nan() => Ok(f64::from_bits(NORMAL_NAN)),
        Ok(v) if v.is_infinite() && text.bytes().any(|b| b.is_ascii_digit()) => {
            fail("value out of range")
        }
        Ok(v) => Ok(v),
        Err(_) => fail("invalid syntax"),
    }
}

/// The common case: up to fifteen digits, which a float holds exactly, and a dot among them. A division by a power of
/// ten that is exact too is rounded correctly.
fn small_decimal(text: &[u8]) -> Option<f64> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', digits)) => (true, digits),
        _ => (false, text),
    };
    if digits.len() > 16 {
        return None;
    }
    let mut integer: u64 = 0;
    let mut count = 0;
    let mut after_dot = None;
    for b in digits {
        let digit = b.wrapping_sub(b'0');
        if digit <= 9 {
            integer = integer * 10 + u64::from(digit);
            count += 1;
        } else if *b == b'.' && after_dot.is_none() {
            after_dot = Some(count);
        } else {
            return None;
        }
    }
    if count == 0 || count > 15 {
        return None;
    }
    let places = count - after_dot.unwrap_or(count);
    let value = integer as f64 / POWERS.get(places)?;
    Some(if negative { -value } else { value })
}

const POWERS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// Writes a float as OpenMetrics wants it in `le` and `quantile`: always with a dot or an exponent.
pub(super) fn openmetrics_float(v: f64) -> String {
    let mut text = float_g(v);
    if v.is_finite() && !text.contains(['.', 'e']) {
        text.push_str(".0");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_read_as_go_reads_them() {
        assert_eq!(parse_float(b"12"), Ok(12.0));
        let decimals = [
            "0.1",
            "-3.25",
            ".5",
            "5.",
            "123456789.012345",
            "0.000000000000001",
        ];
        for text in decimals
            .into_iter()
            .chain(["-0.0", "-0", "99999.9999999999", "1e3"])
        {
            let expected: f64 = text.parse().unwrap();
            let read = parse_float(text.as_bytes()).map(f64::to_bits);
            assert_eq!(read, Ok(expected.to_bits()), "{text}");
        }
        assert_eq!(parse_float(b"-1.5e3"), Ok(-1500.0));
        assert_eq!(parse_float(b"Inf"), Ok(f64::INFINITY));
        assert_eq!(parse_float(b"-inf"), Ok(f64::NEG_INFINITY));
        assert_eq!(parse_float(b"nAn").map(f64::to_bits), Ok(NORMAL_NAN));
        for bad in [
            "", ".", "-", "1.2.3", "--1", "+nan", "0x1", "1_0", "0x1p-3", "1e400", " 1", "true",
            "\u{0}",
        ] {
            assert!(parse_float(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse_float(b"\xff").is_err());
        assert_eq!(parse_float(b"1e-400"), Ok(0.0));
    }

    #[test]
    fn openmetrics_floats_have_a_dot() {
        assert_eq!(openmetrics_float(1.0), "1.0");
        assert_eq!(openmetrics_float(0.25), "0.25");
        assert_eq!(openmetrics_float(1e21), "1e+21");
        assert_eq!(openmetrics_float(f64::INFINITY), "+Inf");
    }
}
