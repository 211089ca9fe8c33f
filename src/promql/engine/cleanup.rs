//! The delayed removal of names.

use std::collections::HashMap;

use super::context::{Matrix, Series, without_metadata};
use crate::model::Labels;
use crate::promql::Error;

/// Drops the names that functions asked to drop and joins series that became equal.
pub(crate) fn drop_names(mut matrix: Matrix) -> Result<Matrix, Error> {
    for series in &mut matrix {
        if series.drop_name {
            series.labels = without_metadata(&series.labels);
        }
    }
    merge_same_labelset(matrix)
}

/// Joins series with the same labels.
///
/// # Errors
/// When two of them have a sample at the same time.
pub(crate) fn merge_same_labelset(matrix: Matrix) -> Result<Matrix, Error> {
    let mut known: HashMap<Labels, usize> = HashMap::with_capacity(matrix.len());
    let mut merged: Matrix = Vec::with_capacity(matrix.len());
    let mut joined = false;
    for series in matrix {
        let free = merged.len();
        let at = *known.entry(series.labels.clone()).or_insert(free);
        match merged.get_mut(at) {
            Some(first) => {
                first.floats.extend(series.floats);
                first.histograms.extend(series.histograms);
                joined = true;
            }
            None => merged.push(series),
        }
    }
    if joined {
        for series in &mut merged {
            sort(series)?;
        }
    }
    Ok(merged)
}

fn sort(series: &mut Series) -> Result<(), Error> {
    series.floats.sort_by_key(|(t, _)| *t);
    series.histograms.sort_by_key(|(t, _)| *t);
    let repeated = series.floats.windows(2).any(|pair| pair[0].0 == pair[1].0)
        || series
            .histograms
            .windows(2)
            .any(|pair| pair[0].0 == pair[1].0);
    if repeated {
        Err(Error::same_labelset())
    } else {
        Ok(())
    }
}
