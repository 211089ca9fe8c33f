//! Which counter reset hint does a stored histogram show to its readers?
//!
//! compat: upstream's `Append(Float)Histogram` and `counterResetHint`: within a chunk a counter histogram
//! follows its predecessor without reset. A chunk that began with a reset does not say so, since chunks
//! may come and go before it. Chunks are not cut by size here.

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::histogram::CounterResetHint;
use crate::model::{FloatHistogram, SampleValue, is_stale_nan};

/// Gives `value` the hint that readers see when it follows `previous`, which has got its own that way.
pub fn with_read_hint(previous: Option<&SampleValue>, mut value: SampleValue) -> SampleValue {
    let hint = read_hint(previous, &value);
    match &mut value {
        SampleValue::Float(_) => {}
        SampleValue::Histogram(h) if h.counter_reset_hint != hint => {
            Arc::make_mut(h).counter_reset_hint = hint;
        }
        SampleValue::FloatHistogram(h) if h.counter_reset_hint != hint => {
            Arc::make_mut(h).counter_reset_hint = hint;
        }
        SampleValue::Histogram(_) | SampleValue::FloatHistogram(_) => {}
    }
    value
}

fn read_hint(previous: Option<&SampleValue>, value: &SampleValue) -> CounterResetHint {
    use CounterResetHint::{Gauge, NotReset, Reset, Unknown};
    let Some((h, integers)) = histogram(value) else {
        return Unknown;
    };
    if h.counter_reset_hint == Gauge {
        return Gauge;
    }
    let Some((last, same_kind)) = previous
        .and_then(histogram)
        .map(|(last, of_integers)| (last, of_integers == integers))
    else {
        return Unknown;
    };
    let in_gauges = last.counter_reset_hint == Gauge;
    if is_stale_nan(h.sum) && same_kind {
        return if in_gauges { Gauge } else { NotReset };
    }
    if !same_kind || in_gauges || is_stale_nan(last.sum) {
        return Unknown;
    }
    if h.counter_reset_hint == Reset || h.count < last.count {
        return Unknown;
    }
    if h.schema != last.schema
        || h.zero_threshold != last.zero_threshold
        || h.custom_values != last.custom_values
    {
        return Unknown;
    }
    let mut unhinted = h.into_owned();
    unhinted.counter_reset_hint = Unknown;
    if unhinted.detect_reset(&last) {
        Unknown
    } else {
        NotReset
    }
}

fn histogram(value: &SampleValue) -> Option<(Cow<'_, FloatHistogram>, bool)> {
    match value {
        SampleValue::Float(_) => None,
        SampleValue::Histogram(h) => Some((Cow::Owned(h.to_float()), true)),
        SampleValue::FloatHistogram(h) => Some((Cow::Borrowed(h), false)),
    }
}
