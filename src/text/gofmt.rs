//! Numbers as Go's `strconv` and `fmt` print them.

/// Prints like `strconv.FormatFloat(v, 'f', -1, 64)`: shortest digits that read back, no exponent.
/// This is how PromQL values appear in the JSON API and in label values.
pub fn float_f(v: f64) -> String {
    if let Some(text) = special(v) {
        return text.to_owned();
    }
    shortest(v)
}

/// The fewest digits that read back, without an exponent; `v` is finite.
///
/// Where two texts are equally short and near, Go takes the even digit and Rust the upper one. That happens to numbers
/// that end in a quarter or three quarters, with no more bits to tell: between 2^50 and 2^51.
pub fn shortest(v: f64) -> String {
    if between_digits(v) {
        return format!("{v:.1}");
    }
    format!("{v}")
}

/// [`shortest`] with an exponent, as Rust writes it.
fn shortest_scientific(v: f64) -> String {
    if between_digits(v) {
        return format!("{v:.16e}");
    }
    format!("{v:e}")
}

/// Whether a number lies halfway between two texts of 17 digits.
fn between_digits(v: f64) -> bool {
    const FROM: f64 = (1_u64 << 50) as f64;
    let size = v.abs();
    (FROM..2.0 * FROM).contains(&size) && matches!(size.fract(), 0.25 | 0.75)
}

/// Prints like `strconv.FormatFloat(v, 'g', -1, 64)` and `fmt`'s `%v`: the exponent form below 1e-4
/// and from 1e6 on (Go decides with six digits when asked for the shortest form), at least two
/// exponent digits.
pub fn float_g(v: f64) -> String {
    if let Some(text) = special(v) {
        return text.to_owned();
    }
    if v == 0.0 {
        return if v.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let scientific = shortest_scientific(v);
    let exponent = scientific
        .split_once('e')
        .and_then(|(_, e)| e.parse::<i32>().ok())
        .unwrap_or(0);
    if (-4..6).contains(&exponent) {
        shortest(v)
    } else {
        go_exponent(&scientific)
    }
}

/// Prints like `strconv.FormatFloat(v, 'e', -1, 64)`: `1e+00`, `2.5e-07`.
pub fn float_e(v: f64) -> String {
    if let Some(text) = special(v) {
        return text.to_owned();
    }
    go_exponent(&shortest_scientific(v))
}

/// What Go prints for a number without digits; `None` for others.
pub(crate) fn special(v: f64) -> Option<&'static str> {
    if v.is_nan() {
        Some("NaN")
    } else if v == f64::INFINITY {
        Some("+Inf")
    } else if v == f64::NEG_INFINITY {
        Some("-Inf")
    } else {
        None
    }
}

/// Turns Rust's `1.5e-7` into Go's `1.5e-07`.
fn go_exponent(scientific: &str) -> String {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific.to_owned();
    };
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_in_go() {
        assert_eq!(float_f(1e21), "1000000000000000000000");
        assert_eq!(float_f(-0.0), "-0");
        assert_eq!(float_g(1e21), "1e+21");
        assert_eq!(float_g(123_456_789.0), "1.23456789e+08");
        assert_eq!(float_g(1e6), "1e+06");
        assert_eq!(float_g(123_456.0), "123456");
        assert_eq!(float_g(0.00001), "1e-05");
        assert_eq!(float_g(0.0001), "0.0001");
        assert_eq!(float_e(1.0), "1e+00");
        assert_eq!(float_e(2.5e-7), "2.5e-07");
        assert_eq!(float_f(f64::NEG_INFINITY), "-Inf");
    }

    #[test]
    fn of_two_equally_near_texts_the_even_one_is_taken() {
        assert_eq!(
            float_f(1_614_705_772_236_064.0 + 0.25),
            "1614705772236064.2"
        );
        assert_eq!(
            float_f(-1_614_705_772_236_064.0 - 0.75),
            "-1614705772236064.8"
        );
        assert_eq!(float_f(1_614_705_772_236_064.5), "1614705772236064.5");
        assert_eq!(
            float_g(1_614_705_772_236_064.0 + 0.25),
            "1.6147057722360642e+15"
        );
    }
}
