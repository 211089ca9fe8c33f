//! Buckets with their index, the form in which histograms are combined.

use super::bounds::exponential_bound;
use super::kahan::kahan_inc;
use super::{BucketSpan, is_exponential_schema};

/// One stored bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cell {
    pub(super) index: i64,
    pub(super) value: f64,
    /// The compensation of compensated sums; zero elsewhere.
    pub(super) comp: f64,
}

/// The stored buckets of one side. Ends early when spans and buckets disagree.
pub(super) fn cells<'a>(
    spans: &'a [BucketSpan],
    buckets: &'a [f64],
) -> impl Iterator<Item = Cell> + 'a {
    indexes(spans).zip(buckets).map(|(index, value)| Cell {
        index,
        value: *value,
        comp: 0.0,
    })
}

/// The indexes that spans cover.
pub(super) fn indexes(spans: &[BucketSpan]) -> impl Iterator<Item = i64> + '_ {
    let mut next: i64 = 0;
    spans.iter().flat_map(move |span| {
        let first = next.saturating_add(i64::from(span.offset));
        next = first.saturating_add(i64::from(span.length));
        first..next
    })
}

/// As [`cells`], with the compensation of the same layout.
pub(super) fn compensated(spans: &[BucketSpan], buckets: &[f64], comps: &[f64]) -> Vec<Cell> {
    let mut out: Vec<Cell> = cells(spans, buckets).collect();
    for (cell, comp) in out.iter_mut().zip(comps) {
        cell.comp = *comp;
    }
    out
}

/// Spans, buckets and compensations of sorted cells.
pub(super) fn spans(cells: &[Cell]) -> (Vec<BucketSpan>, Vec<f64>, Vec<f64>) {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut end: Option<i64> = None;
    for cell in cells {
        match (end, spans.last_mut()) {
            (Some(end), Some(span)) if end == cell.index => span.length += 1,
            (end, _) => spans.push(BucketSpan {
                offset: cell
                    .index
                    .saturating_sub(end.unwrap_or(0))
                    .clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32,
                length: 1,
            }),
        }
        end = Some(cell.index.saturating_add(1));
    }
    (
        spans,
        cells.iter().map(|cell| cell.value).collect(),
        cells.iter().map(|cell| cell.comp).collect(),
    )
}

/// Merges cells into the buckets of a lower resolution.
pub(super) fn reduce(cells: Vec<Cell>, schema: i32, target: i32, add: Adding) -> Vec<Cell> {
    if target >= schema {
        return cells;
    }
    let shift = schema.abs_diff(target).min(63);
    let mut out: Vec<Cell> = Vec::with_capacity(cells.len());
    for cell in cells {
        let index = (cell.index.saturating_sub(1) >> shift) + 1;
        match out.last_mut() {
            Some(last) if last.index == index => add(last, cell),
            _ => out.push(Cell { index, ..cell }),
        }
    }
    out
}

/// Drops the leading buckets that end within the zero bucket.
pub(super) fn beyond(cells: &[Cell], schema: i32, threshold: f64) -> &[Cell] {
    if !is_exponential_schema(schema) {
        return cells;
    }
    let skip = cells
        .iter()
        .take_while(|cell| exponential_bound(cell.index, schema) <= threshold)
        .count();
    cells.get(skip..).unwrap_or_default()
}

/// Adds `b` to `a`, bucket by bucket; buckets that only `b` has are inserted.
pub(super) fn merge(a: &[Cell], b: &[Cell], add: Adding) -> Vec<Cell> {
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    loop {
        match (a.peek(), b.peek()) {
            (Some(x), Some(y)) if x.index == y.index => {
                let mut cell = **x;
                add(&mut cell, **y);
                out.push(cell);
                a.next();
                b.next();
            }
            (Some(x), Some(y)) if x.index < y.index => {
                out.push(**x);
                a.next();
            }
            (_, Some(y)) => {
                out.push(**y);
                b.next();
            }
            (Some(x), None) => {
                out.push(**x);
                a.next();
            }
            (None, None) => return out,
        }
    }
}

/// How a bucket is added to another of the same index.
pub(super) type Adding = fn(&mut Cell, Cell);

/// Adds the counts.
pub(super) fn plainly(cell: &mut Cell, other: Cell) {
    cell.value += other.value;
}

/// Adds with compensation.
pub(super) fn with_compensation(cell: &mut Cell, other: Cell) {
    (cell.value, cell.comp) = kahan_inc(other.value, cell.value, cell.comp);
    (cell.value, cell.comp) = kahan_inc(other.comp, cell.value, cell.comp);
}

/// The bounds that both lists hold; both are sorted.
pub(super) fn common_bounds(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut out = Vec::new();
    let (mut i, mut j) = (0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        if x == y {
            out.push(*x);
            i += 1;
            j += 1;
        } else if x < y {
            i += 1;
        } else {
            j += 1;
        }
    }
    out
}

/// Adds custom buckets to `targets`, one for each of `common` and one for +Inf.
pub(super) fn map_to_common(
    cells: &[Cell],
    bounds: &[f64],
    common: &[f64],
    targets: &mut [Cell],
    add: Adding,
) {
    for cell in cells {
        let target = usize::try_from(cell.index)
            .ok()
            .and_then(|at| bounds.get(at))
            .and_then(|bound| common.iter().position(|c| c >= bound))
            .unwrap_or(common.len());
        if let Some(target) = targets.get_mut(target) {
            add(target, *cell);
        }
    }
}

/// Empty targets for [`map_to_common`].
pub(super) fn targets(common: &[f64]) -> Vec<Cell> {
    (0..=common.len() as i64)
        .map(|index| Cell {
            index,
            value: 0.0,
            comp: 0.0,
        })
        .collect()
}
