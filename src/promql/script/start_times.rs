//! `metric@st ...`: the start times of the samples on the next line.

use crate::text::duration::parse_ms;

/// How far a sample's start lies from the sample in milliseconds; `None` where it is not known.
pub type StartTime = Option<i64>;

/// Most positions that one item may stand for.
const REPEAT_MAX: u64 = 1_000_000;

/// Parses blank-separated items: `_`, `_xN`, `D`, `DxN`, `D+DxN`, `D-DxN`, `*`, `*xN`, where `D` is a sign and
/// one number with unit.
///
/// # Errors
/// The item that is none of these.
pub fn parse_start_times(text: &str) -> Result<Vec<StartTime>, String> {
    let mut all: Vec<StartTime> = Vec::new();
    for item in text.split_whitespace() {
        let before = all.iter().rev().find_map(|start| *start).unwrap_or(0);
        let starts =
            parse_item(item, before).map_err(|why| format!("invalid ST item {item:?}: {why}"))?;
        all.extend(starts);
    }
    Ok(all)
}

fn parse_item(item: &str, before: i64) -> Result<Vec<StartTime>, String> {
    if item == "_" {
        return Ok(vec![None]);
    }
    if let Some(count) = item.strip_prefix("_x") {
        return match repeat(count)? {
            0 => Err("invalid repeat count".to_owned()),
            count => Ok(vec![None; count]),
        };
    }
    if item == "*" {
        return Ok(vec![Some(before)]);
    }
    if let Some(count) = item.strip_prefix("*x") {
        return Ok(vec![Some(before); repeat(count)? + 1]);
    }
    let (base, rest) = duration(item)?;
    if rest.is_empty() {
        return Ok(vec![Some(base)]);
    }
    if let Some(count) = rest.strip_prefix('x') {
        return Ok(vec![Some(base); repeat(count)? + 1]);
    }
    let (sign, step) = match (rest.strip_prefix('+'), rest.strip_prefix('-')) {
        (Some(step), _) => (1, step),
        (_, Some(step)) => (-1, step),
        (None, None) => return Err("unexpected character after duration".to_owned()),
    };
    let (step, rest) = duration(step)?;
    let count = rest
        .strip_prefix('x')
        .ok_or("expected 'x<count>' after step duration")?;
    let starts = std::iter::successors(Some(base), |start| {
        Some(start.wrapping_add(step.wrapping_mul(sign)))
    });
    Ok(starts.take(repeat(count)? + 1).map(Some).collect())
}

fn repeat(text: &str) -> Result<usize, String> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse::<u64>()
        .ok()
        .filter(|count| digits && *count < REPEAT_MAX)
        .map(|count| count as usize)
        .ok_or_else(|| "invalid repeat count".to_owned())
}

/// A sign, digits and a unit in front of `text`, and the rest.
fn duration(text: &str) -> Result<(i64, &str), String> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Err(format!("expected digits in duration {text:?}"));
    }
    let unit = unsigned
        .bytes()
        .skip(digits)
        .take_while(|b| b.is_ascii_alphabetic() && *b != b'x')
        .count();
    let (duration, rest) = unsigned
        .split_at_checked(digits + unit)
        .ok_or("invalid duration")?;
    let ms = parse_ms(duration).map_err(|error| error.to_string())?;
    Ok((if text.starts_with('-') { -ms } else { ms }, rest))
}
