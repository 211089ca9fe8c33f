//! Remote write 1.0: all or nothing.

use super::{PARTS_MAX, Refusal, Written, append_sample, convert, is_senders_fault};
use crate::codec::prompb::{TimeSeries, WriteRequest, decode};
use crate::model::{Exemplar, Labels, Sample};
use crate::storage::{AppendError, Appender, Error, SeriesRef, Storage};

/// Stores a request; nothing of it when one sample is refused.
pub(super) fn write(
    storage: &dyn Storage,
    bytes: &[u8],
    latest_ms: i64,
) -> Result<Written, Refusal> {
    let request: WriteRequest = decode(bytes, PARTS_MAX).map_err(Refusal::bad)?;
    let mut batch = storage.push_appender();
    let mut written = Written::default();
    let mut invalid = 0;
    for series in &request.timeseries {
        let pairs: Vec<(&str, &str)> = series
            .labels
            .iter()
            .map(|label| (label.name.as_str(), label.value.as_str()))
            .collect();
        // compat: series with bad labels are left out without an error.
        let Ok(labels) = convert::labels(&pairs) else {
            invalid += series.samples.len() + series.histograms.len();
            continue;
        };
        append(&mut *batch, series, &labels, latest_ms, &mut written)?;
    }
    if invalid > 0 {
        tracing::warn!(
            samples = invalid,
            "remote write has series with invalid labels"
        );
    }
    batch.commit()?;
    Ok(written)
}

fn append(
    batch: &mut dyn Appender,
    series: &TimeSeries,
    labels: &Labels,
    latest_ms: i64,
    written: &mut Written,
) -> Result<(), Refusal> {
    let mut id: Option<SeriesRef> = None;
    let mut newest: Option<i64> = None;
    let samples = series
        .samples
        .iter()
        .map(|sample| (Sample::float(sample.timestamp, sample.value), true));
    let histograms = series
        .histograms
        .iter()
        .map(|histogram| (convert::histogram(histogram), false));
    for (sample, is_float) in samples.chain(histograms) {
        let ms = sample.timestamp_ms;
        if ms > latest_ms {
            return Err(Refusal::bad(format_args!(
                "{}: timestamp is too far in the future",
                AppendError::OutOfBounds
            )));
        }
        match append_sample(batch, id, labels, sample) {
            Ok(found) => id = Some(found),
            // compat: a sample that others of its series in the same request have overtaken is left out
            // without a word. Histograms before a stale marker are, as that comes with the floats.
            Err(AppendError::OutOfOrder | AppendError::DuplicateTimestamp)
                if newest.is_some_and(|newest| ms <= newest) =>
            {
                continue;
            }
            Err(e) if is_senders_fault(&e) => return Err(Refusal::bad(e)),
            Err(e) => return Err(Error::Full(e.to_string()).into()),
        }
        newest = newest.max(Some(ms));
        if is_float {
            written.samples += 1;
        } else {
            written.histograms += 1;
        }
    }
    for exemplar in &series.exemplars {
        let pairs = exemplar.labels.iter();
        let exemplar = Exemplar {
            labels: Labels::from_pairs(pairs.map(|label| (&label.name, &label.value))),
            value: exemplar.value,
            timestamp_ms: Some(exemplar.timestamp),
        };
        // compat: exemplars that are refused do not refuse the request.
        if let Some(id) = id
            && batch.append_exemplar(id, exemplar).is_ok()
        {
            written.exemplars += 1;
        }
    }
    Ok(())
}
