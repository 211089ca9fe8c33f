//! Bucket layouts of native histograms: checked, and with as few spans and empty buckets as upstream keeps.

use crate::model::histogram::BucketSpan;

/// Why a layout is refused; upstream's words.
pub(super) fn check_layout(spans: &[BucketSpan], buckets: usize, side: &str) -> Result<(), String> {
    let mut wanted: u64 = 0;
    for (i, span) in spans.iter().enumerate() {
        if i > 0 && span.offset < 0 {
            return Err(format!(
                "{side} side: span number {} with offset {}: histogram has a span whose offset is negative",
                i + 1,
                span.offset
            ));
        }
        wanted += u64::from(span.length);
    }
    if wanted != buckets as u64 {
        return Err(format!(
            "{side} side: spans need {wanted} buckets, have {buckets} buckets: histogram spans \
             specify different number of buckets than provided"
        ));
    }
    Ok(())
}

/// Drops empty buckets at both ends and gaps of more than `max_empty` of them in between, joining spans
/// that are no farther apart than that.
///
/// The layout must have passed [`check_layout`].
pub(super) fn compact<T: Copy + Default + PartialEq>(
    spans: &[BucketSpan],
    buckets: &[T],
    max_empty: i64,
) -> (Vec<BucketSpan>, Vec<T>) {
    let mut new_spans: Vec<BucketSpan> = Vec::new();
    let mut new_buckets: Vec<T> = Vec::new();
    let mut values = buckets.iter();
    let mut index: i64 = 0;
    // Where the next bucket of the current new span would lie.
    let mut next: i64 = 0;
    for span in spans {
        index += i64::from(span.offset);
        for value in values.by_ref().take(span.length as usize) {
            let empty = *value == T::default();
            if !empty {
                let gap = index - next;
                match new_spans.last_mut() {
                    Some(last) if gap <= max_empty => {
                        for _ in 0..gap {
                            new_buckets.push(T::default());
                        }
                        last.length += gap as u32 + 1;
                    }
                    _ => new_spans.push(BucketSpan {
                        offset: gap.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32,
                        length: 1,
                    }),
                }
                new_buckets.push(*value);
                next = index + 1;
            }
            index += 1;
        }
    }
    (new_spans, new_buckets)
}

/// Absolute counts from differences.
pub(super) fn absolute(deltas: &[i64]) -> Vec<i64> {
    let mut sum: i64 = 0;
    deltas
        .iter()
        .map(|delta| {
            sum = sum.wrapping_add(*delta);
            sum
        })
        .collect()
}

/// Differences from absolute counts.
pub(super) fn deltas(counts: &[i64]) -> Vec<i64> {
    let mut last: i64 = 0;
    counts
        .iter()
        .map(|count| {
            let delta = count.wrapping_sub(last);
            last = *count;
            delta
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn span(offset: i32, length: u32) -> BucketSpan {
        BucketSpan { offset, length }
    }

    #[test]
    fn empty_buckets_at_the_ends_and_wide_gaps_go() {
        let spans = [span(-2, 4), span(3, 2)];
        assert_eq!(
            compact(&spans, &[0, 1, 0, 2, 0, 5], 0),
            (vec![span(-1, 1), span(1, 1), span(4, 1)], vec![1, 2, 5])
        );
        assert_eq!(
            compact(&spans, &[0, 1, 0, 2, 0, 5], 2),
            (vec![span(-1, 3), span(4, 1)], vec![1, 0, 2, 5])
        );
        assert_eq!(compact::<i64>(&[span(0, 2)], &[0, 0], 2), (vec![], vec![]));
    }

    #[test]
    fn layouts_must_fit_their_buckets() {
        assert!(check_layout(&[span(-5, 2), span(0, 1)], 3, "positive").is_ok());
        assert!(check_layout(&[span(0, u32::MAX), span(0, u32::MAX)], 3, "positive").is_err());
        assert!(check_layout(&[span(0, 1), span(-1, 1)], 2, "negative").is_err());
    }
}
