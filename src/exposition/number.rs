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

/// The powers of ten that a float holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Integers up to this are floats of their own.
const EXACT_MAX: u64 = 1 << 53;

/// Reads a space, a plain number and the line's end at the beginning of `text`; the answer is the number and how many
/// bytes all that takes. `None` when it is anything else, or not exact so easily.
#[inline]
pub(super) fn number_line(text: &[u8]) -> Option<(f64, usize)> {
    let (b' ', rest) = text.split_first()? else {
        return None;
    };
    let (negative, rest) = match rest.split_first()? {
        (b'-', digits) => (true, digits),
        _ => (false, rest),
    };
    let (mut integer, whole, mut rest) = digits(0, rest);
    let mut places = 0;
    if let Some((b'.', after)) = rest.split_first() {
        (integer, places, rest) = digits(integer, after);
    }
    // More might have overflowed.
    if !(1..=18).contains(&(whole + places)) || integer > EXACT_MAX {
        return None;
    }
    let mut exponent = 0;
    if let Some((b'e' | b'E', after)) = rest.split_first() {
        let (is_negative, after) = match after.split_first()? {
            (b'-', digits) => (true, digits),
            (b'+', digits) => (false, digits),
            _ => (false, after),
        };
        let (power, length, after) = digits(0, after);
        if !(1..=3).contains(&length) {
            return None;
        }
        exponent = if is_negative {
            -(power as i64)
        } else {
            power as i64
        };
        rest = after;
    }
    let Some((b'\n', rest)) = rest.split_first() else {
        return None;
    };
    // Both are exact, so that the one operation rounds as reading all digits would.
    let scale = exponent - places as i64;
    let power = *POWERS.get(scale.unsigned_abs() as usize)?;
    let value = if scale < 0 {
        integer as f64 / power
    } else {
        integer as f64 * power
    };
    Some((
        if negative { -value } else { value },
        text.len() - rest.len(),
    ))
}

/// Appends decimal digits to `integer`, which may overflow; also how many there were, and what follows.
#[inline]
fn digits(mut integer: u64, text: &[u8]) -> (u64, usize, &[u8]) {
    let mut rest = text;
    // Eight bytes at once: how many of them are digits, no processor can foresee.
    while let Some((eight, after)) = rest.split_first_chunk::<8>() {
        let (value, count) = leading_digits(u64::from_le_bytes(*eight));
        let Some(power) = INTEGER_POWERS.get(count) else {
            break;
        };
        integer = integer.wrapping_mul(*power).wrapping_add(value);
        if count < 8 {
            rest = rest.get(count..).unwrap_or_default();
            return (integer, text.len() - rest.len(), rest);
        }
        rest = after;
    }
    while let Some((b @ b'0'..=b'9', after)) = rest.split_first() {
        integer = integer.wrapping_mul(10).wrapping_add(u64::from(b - b'0'));
        rest = after;
    }
    (integer, text.len() - rest.len(), rest)
}

const INTEGER_POWERS: [u64; 9] = [
    1,
    10,
    100,
    1000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
];

/// The number that the digits at the beginning of eight bytes say, and how many digits these are. The first byte is the
/// lowest.
#[inline]
const fn leading_digits(eight: u64) -> (u64, usize) {
    let from_zero = eight ^ 0x3030_3030_3030_3030;
    // The highest bit of each byte that is more than 9; carries only reach those behind the first.
    let others =
        (from_zero.wrapping_add(0x7676_7676_7676_7676) | from_zero) & 0x8080_8080_8080_8080;
    let count = others.trailing_zeros() as usize / 8;
    if count == 0 {
        return (0, 0);
    }
    // With zeros in front, neighbours are joined to pairs, these to fours and these to eight.
    let digits = from_zero << (64 - 8 * count);
    let pairs = (digits.wrapping_mul(10)).wrapping_add(digits >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100)).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    let all = (fours.wrapping_mul(10_000)).wrapping_add(fours >> 32) & 0xffff_ffff;
    (all, count)
}

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
    use proptest::prelude::*;

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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_number_that_ends_its_line_is_the_number_that_it_says(
            text in "-?[0-9]{0,20}(\\.[0-9]{0,20})?([eE][-+]?[0-9]{0,4})?[ \n]?",
            float in any::<f64>(),
            shift in 0u32..60,
            behind in "[ -~\n]{0,12}|1234567890|\u{80}{8}",
        ) {
            let round = (float.to_bits() >> shift) as f64;
            for text in [text, format!("{float:e}\n"), format!("{round}\n"), format!("{round:e}\n")] {
                let line = format!(" {text}");
                let read = number_line(line.as_bytes());
                if let Some((value, taken)) = read {
                    prop_assert_eq!(line.as_bytes()[taken - 1], b'\n');
                    let plain = parse_float(&line.as_bytes()[1..taken - 1]);
                    prop_assert_eq!(plain.map(f64::to_bits), Ok(value.to_bits()), "{}", line);
                }
                // Where more follows, eight bytes are read at once.
                if line.ends_with('\n') {
                    let followed = number_line(format!("{line}{behind}").as_bytes());
                    let bits = |read: Option<(f64, usize)>| read.map(|(value, taken)| (value.to_bits(), taken));
                    prop_assert_eq!(bits(followed), bits(read), "{}", line);
                }
            }
        }
    }

    #[test]
    fn what_exporters_print_is_read_at_once() {
        for (line, value) in [
            (" 0\n", 0.0),
            (" -0\n", -0.0),
            (" 12.5\na 3", 12.5),
            (" 1.234567e+06\n", 1_234_567.0),
            (" 4.2e-05\n", 4.2e-5),
            (" 9.007199254740992e+15\n", 9_007_199_254_740_992.0),
        ] {
            let read = number_line(line.as_bytes()).map(|(value, _)| value.to_bits());
            assert_eq!(read, Some(f64::to_bits(value)), "{line}");
        }
        for other in [
            "", " ", " 1", "1\n", " 1 2\n", " .\n", " e5\n", " 1e\n", " 1e5", " +1\n", " NaN\n",
            " 1\t\n",
        ] {
            assert_eq!(number_line(other.as_bytes()), None, "{other:?}");
        }
    }

    #[test]
    fn openmetrics_floats_have_a_dot() {
        assert_eq!(openmetrics_float(1.0), "1.0");
        assert_eq!(openmetrics_float(0.25), "0.25");
        assert_eq!(openmetrics_float(1e21), "1e+21");
        assert_eq!(openmetrics_float(f64::INFINITY), "+Inf");
    }
}
