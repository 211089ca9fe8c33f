//! Which counter reset hints a reader of the reference store sees.

use std::collections::BTreeMap;

use crate::model::{Sample, SampleValue};
use crate::storage::read_hints::with_read_hint;

/// The samples with the hints that upstream's chunks give them.
pub(super) fn with_read_hints(samples: &BTreeMap<i64, Sample>) -> Vec<Sample> {
    let mut previous: Option<SampleValue> = None;
    samples
        .values()
        .map(|sample| {
            let value = with_read_hint(previous.as_ref(), sample.value.clone());
            previous = Some(value.clone());
            Sample {
                value,
                ..sample.clone()
            }
        })
        .collect()
}
