use super::cells::{Cell, beyond, cells, common_bounds, map_to_common, plainly, reduce, targets};
use super::{CounterResetHint, FloatHistogram};

impl FloatHistogram {
    /// Whether a counter was reset between `previous` and this histogram: by its hint if it says so, else
    /// when a count fell, a populated bucket vanished or the resolution rose.
    pub fn detect_reset(&self, previous: &Self) -> bool {
        match self.counter_reset_hint {
            CounterResetHint::Reset => return true,
            CounterResetHint::NotReset => return false,
            CounterResetHint::Unknown | CounterResetHint::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        if self.uses_custom_buckets() {
            if !previous.uses_custom_buckets() {
                return true;
            }
            if self.custom_values != previous.custom_values {
                return self.reset_within_common_bounds(previous);
            }
        }
        if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
            return true;
        }
        if self.uses_custom_buckets() != previous.uses_custom_buckets() {
            return true;
        }
        let (previous_zero, threshold) = previous.zero_count_within(self.zero_threshold);
        if threshold != self.zero_threshold || self.zero_count < previous_zero {
            return true;
        }
        let fell = |now: Vec<Cell>, before: Vec<Cell>| {
            let before = reduce(before, previous.schema, self.schema, plainly);
            let mut now = beyond(&now, self.schema, threshold).iter().peekable();
            beyond(&before, self.schema, threshold).iter().any(|old| {
                while now.next_if(|cell| cell.index < old.index).is_some() {}
                match now.peek() {
                    Some(new) if new.index == old.index => new.value < old.value,
                    _ => old.value != 0.0,
                }
            })
        };
        fell(
            cells(&self.positive_spans, &self.positive_buckets).collect(),
            cells(&previous.positive_spans, &previous.positive_buckets).collect(),
        ) || fell(
            cells(&self.negative_spans, &self.negative_buckets).collect(),
            cells(&previous.negative_spans, &previous.negative_buckets).collect(),
        )
    }

    fn reset_within_common_bounds(&self, previous: &Self) -> bool {
        let common = common_bounds(&self.custom_values, &previous.custom_values);
        let sums = |h: &Self| {
            let own: Vec<Cell> = cells(&h.positive_spans, &h.positive_buckets).collect();
            let mut sums = targets(&common);
            map_to_common(&own, &h.custom_values, &common, &mut sums, plainly);
            sums
        };
        sums(self)
            .iter()
            .zip(sums(previous))
            .any(|(now, before)| now.value < before.value)
    }
}
