//! A range drawn in the terminal.

use super::answer::Answer;
use super::show;
use crate::text::gofmt;
use crate::time::WallTime;

const WIDTH: usize = 72;
const HEIGHT: usize = 16;
/// One mark per series, over and over.
const MARKS: [char; 8] = ['*', '+', 'o', 'x', '#', '@', '%', '='];
/// How many series the legend names.
const LEGEND_MAX: usize = 12;

/// Draws every series between `start` and `end` (milliseconds) on one grid.
pub(super) fn draw(answer: &Answer, start: i64, end: i64) -> String {
    let series: Vec<Vec<(f64, f64)>> = answer
        .series
        .iter()
        .map(|s| {
            let points = s.points.iter().filter_map(|(t, v)| Some((*t, number(v)?)));
            points.filter(|(_, v)| v.is_finite()).collect()
        })
        .collect();
    let values = || series.iter().flatten().map(|(_, v)| *v);
    let (mut low, mut high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
        (l.min(v), h.max(v))
    });
    if low > high {
        return "(nothing to draw)".to_owned();
    }
    if low == high {
        // A flat line lies in the middle.
        let margin = if low == 0.0 { 1.0 } else { low.abs() / 2.0 };
        low -= margin;
        high += margin;
    }
    let from = start as f64 / 1000.0;
    let width = ((end - start) as f64 / 1000.0).max(f64::MIN_POSITIVE);
    let mut grid = vec![vec![' '; WIDTH]; HEIGHT];
    for (at, points) in series.iter().enumerate() {
        for (t, v) in points {
            let x = ((t - from) / width * (WIDTH - 1) as f64).round();
            let y = ((high - v) / (high - low) * (HEIGHT - 1) as f64).round();
            let cell = grid
                .get_mut(y.max(0.0) as usize)
                .and_then(|row| row.get_mut(x.max(0.0) as usize));
            if let Some(cell) = cell {
                *cell = MARKS[at % MARKS.len()];
            }
        }
    }
    let mut lines = Vec::with_capacity(HEIGHT + 3);
    for (y, row) in grid.iter().enumerate() {
        let value = high - (high - low) * y as f64 / (HEIGHT - 1) as f64;
        let label = if y % 5 == 0 {
            short(value)
        } else {
            String::new()
        };
        let row: String = row.iter().collect();
        lines.push(format!("{label:>10} |{}", row.trim_end()));
    }
    lines.push(format!("{:>10} +{}", "", "-".repeat(WIDTH)));
    let (first, last) = (WallTime::from_ms(start), WallTime::from_ms(end));
    let (first, last) = (first.to_string(), last.to_string());
    let gap = (WIDTH + 1).saturating_sub(first.len() + last.len());
    lines.push(format!(
        "{:>10} {first}{}{last}",
        "",
        " ".repeat(gap.max(1))
    ));
    for (at, series) in answer.series.iter().take(LEGEND_MAX).enumerate() {
        lines.push(format!(
            "{:>10} {} {}",
            "",
            MARKS[at % MARKS.len()],
            show::metric(&series.labels)
        ));
    }
    if answer.series.len() > LEGEND_MAX {
        lines.push(format!(
            "{:>10} and {} more",
            "",
            answer.series.len() - LEGEND_MAX
        ));
    }
    lines.join("\n")
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Four significant digits are enough beside an axis.
fn short(v: f64) -> String {
    let rounded: f64 = format!("{v:.3e}").parse().unwrap_or(v);
    gofmt::float_g(rounded)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rising_line_goes_from_the_lower_left_to_the_upper_right() {
        let values: Vec<_> = (0..=10).map(|i| json!([i, i.to_string()])).collect();
        let answer = Answer::read(&json!({
            "resultType": "matrix", "result": [{"metric": {"__name__": "up"}, "values": values}]
        }))
        .expect("a query result");
        let drawn = draw(&answer, 0, 10_000);
        let lines: Vec<&str> = drawn.lines().collect();
        assert!(
            lines[0].starts_with("        10 |") && lines[0].ends_with('*'),
            "{drawn}"
        );
        assert!(lines[HEIGHT - 1].starts_with("         0 |*"), "{drawn}");
        assert!(drawn.ends_with("* up"), "{drawn}");
    }
}
