use super::cells::{Cell, cells, compensated, reduce, spans};
use super::{BucketSpan, FloatHistogram, HistogramError, is_custom_schema};
use crate::model::histogram::cells::plainly;

impl FloatHistogram {
    /// Removes empty buckets and joins adjacent spans.
    pub fn compact(&mut self) {
        let side = |spans_in: &mut Vec<BucketSpan>, buckets: &mut Vec<f64>| {
            let kept: Vec<Cell> = cells(spans_in, buckets)
                .filter(|cell| cell.value != 0.0)
                .collect();
            (*spans_in, *buckets, _) = spans(&kept);
        };
        side(&mut self.positive_spans, &mut self.positive_buckets);
        side(&mut self.negative_spans, &mut self.negative_buckets);
    }

    /// As [`compact`](Self::compact) for a sum and its compensation, which keep the same layout.
    pub(super) fn compact_with(&mut self, comp: &mut Self) {
        let mut kept = compensated(
            &self.positive_spans,
            &self.positive_buckets,
            &comp.positive_buckets,
        );
        kept.retain(|cell| cell.value != 0.0 || cell.comp != 0.0);
        (
            self.positive_spans,
            self.positive_buckets,
            comp.positive_buckets,
        ) = spans(&kept);
        comp.positive_spans.clone_from(&self.positive_spans);
        let mut kept = compensated(
            &self.negative_spans,
            &self.negative_buckets,
            &comp.negative_buckets,
        );
        kept.retain(|cell| cell.value != 0.0 || cell.comp != 0.0);
        (
            self.negative_spans,
            self.negative_buckets,
            comp.negative_buckets,
        ) = spans(&kept);
        comp.negative_spans.clone_from(&self.negative_spans);
    }

    /// Merges buckets into those of the lower resolution `target`.
    ///
    /// # Errors
    /// When the buckets are custom or `target` is not lower.
    pub fn reduce_resolution(&mut self, target: i32) -> Result<(), HistogramError> {
        if self.uses_custom_buckets() || is_custom_schema(target) || target >= self.schema {
            return Err(HistogramError::CannotReduce {
                from: self.schema,
                to: target,
            });
        }
        let positive = cells(&self.positive_spans, &self.positive_buckets).collect();
        let negative = cells(&self.negative_spans, &self.negative_buckets).collect();
        (self.positive_spans, self.positive_buckets, _) =
            spans(&reduce(positive, self.schema, target, plainly));
        (self.negative_spans, self.negative_buckets, _) =
            spans(&reduce(negative, self.schema, target, plainly));
        self.schema = target;
        Ok(())
    }
}
