//! Sizes as upstream's configuration knows them: powers of 1024, `KB` and `KiB` alike.

const PREFIXES: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];

/// Reads `512MB`, `1.5GiB`, `1GB500MB`. A unit is required; the texts of the errors are upstream's.
pub(crate) fn parse_bytes(text: &str) -> Result<i64, String> {
    let invalid = || format!("units: invalid {text}");
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let is_number = |c: char| c == '.' || c.is_ascii_digit();
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !is_number(c)).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail.find(is_number).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let number: f64 = number.parse().map_err(|_| invalid())?;
        let factor = factor(unit).ok_or_else(|| format!("units: unknown unit {unit} in {text}"))?;
        total += number * factor;
        rest = tail;
    }
    if negative {
        total = -total;
    }
    if total.abs() > 9.2e18 {
        return Err("units: overflow parsing unit".to_owned());
    }
    Ok(total as i64)
}

fn factor(unit: &str) -> Option<f64> {
    let prefix = match unit.strip_suffix("iB") {
        Some(prefix) if !prefix.is_empty() => prefix,
        _ => unit.strip_suffix('B')?,
    };
    let power = PREFIXES.iter().position(|known| *known == prefix)?;
    Some(1024.0_f64.powi(i32::try_from(power).ok()?))
}

/// Prints a size as upstream does: `15MiB`, `1GiB500MiB`.
pub(super) fn format_bytes(bytes: i64) -> String {
    let mut parts = Vec::new();
    let mut rest = bytes;
    for (power, prefix) in PREFIXES.iter().enumerate() {
        let here = rest % 1024;
        if here != 0 || (power == 0 && rest == 0) {
            let suffix = if power == 0 { "B" } else { "iB" };
            parts.push(format!("{here}{prefix}{suffix}"));
        }
        rest /= 1024;
        if rest == 0 {
            break;
        }
    }
    parts.reverse();
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_printed_as_upstream_does() {
        for (text, bytes, printed) in [
            ("15MB", 15 << 20, "15MiB"),
            ("1GB", 1 << 30, "1GiB"),
            ("1.5KiB", 1536, "1KiB512B"),
            ("0", 0, "0B"),
            ("7B", 7, "7B"),
            ("-1GB", -(1 << 30), "-1GiB"),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
            assert_eq!(format_bytes(bytes), printed);
        }
        assert_eq!(
            parse_bytes("100").unwrap_err(),
            "units: unknown unit  in 100"
        );
        for bad in ["", "MB", "1mb", "1.2.3MB", "x", "99999999EB"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }
}
