//! Remote write 2.0: what can be taken is taken, and the sender is told.

use super::convert::BadLabels;
use super::{PARTS_MAX, Refusal, Written, append_sample, convert, is_senders_fault};
use crate::codec::prompb::decode;
use crate::codec::prompb::v2::{Request, TimeSeries};
use crate::model::{Exemplar, Labels, Sample};
use crate::storage::{AppendError, Appender, Error, SeriesRef, Storage};

/// Stores what can be stored of a request.
pub(super) fn write(
    storage: &dyn Storage,
    bytes: &[u8],
    latest_ms: i64,
) -> Result<Written, Refusal> {
    let request: Request = decode(bytes, PARTS_MAX).map_err(Refusal::bad)?;
    let mut writer = Writer {
        batch: storage.push_appender(),
        symbols: &request.symbols,
        latest_ms,
        written: Written::default(),
        complaints: Vec::new(),
    };
    for series in &request.timeseries {
        writer.append(series)?;
    }
    let Writer {
        batch,
        written,
        complaints,
        ..
    } = writer;
    batch.commit()?;
    if complaints.is_empty() {
        return Ok(written);
    }
    let mut refusal = Refusal::bad(complaints.join("\n"));
    refusal.written = written;
    Err(refusal)
}

struct Writer<'a> {
    batch: Box<dyn Appender + 'a>,
    symbols: &'a [String],
    latest_ms: i64,
    written: Written,
    complaints: Vec<String>,
}

impl Writer<'_> {
    /// The error is of the server; the sender's faults are noted.
    fn append(&mut self, series: &TimeSeries) -> Result<(), Refusal> {
        let Some(pairs) = self.pairs(&series.labels_refs) else {
            self.complaints.push(format!(
                "parsing labels for series {:?}: invalid labelRefs",
                series.labels_refs
            ));
            return Ok(());
        };
        let shown = Labels::from_pairs(pairs.iter().copied());
        let labels = match convert::labels(&pairs) {
            Ok(labels) => labels,
            Err(BadLabels::Invalid) => {
                self.complaints
                    .push(format!("invalid metric name or labels, got {shown}"));
                return Ok(());
            }
            Err(BadLabels::Duplicate(name)) => {
                self.complaints.push(format!(
                    "invalid labels for series, labels {shown}, duplicated label {name}"
                ));
                return Ok(());
            }
        };
        if series.samples.is_empty() && series.histograms.is_empty() {
            self.complaints.push(format!(
                "TimeSeries must contain at least one sample or histogram for series {shown}"
            ));
            return Ok(());
        }
        let mut id = None;
        for sample in &series.samples {
            let sample = Sample {
                start_timestamp_ms: first_set(sample.start_timestamp, series.created_timestamp),
                ..Sample::float(sample.timestamp, sample.value)
            };
            if self.append_sample(&mut id, &labels, sample)? {
                self.written.samples += 1;
            }
        }
        for histogram in &series.histograms {
            let mut sample = convert::histogram(histogram);
            sample.start_timestamp_ms =
                first_set(sample.start_timestamp_ms, series.created_timestamp);
            if self.append_sample(&mut id, &labels, sample)? {
                self.written.histograms += 1;
            }
        }
        if let Some(id) = id {
            self.append_rest(id, series, &labels);
        }
        Ok(())
    }

    fn append_sample(
        &mut self,
        id: &mut Option<SeriesRef>,
        labels: &Labels,
        sample: Sample,
    ) -> Result<bool, Refusal> {
        if sample.timestamp_ms > self.latest_ms {
            self.complaints.push(format!(
                "{}: timestamp is too far in the future for series {labels}",
                AppendError::OutOfBounds
            ));
            return Ok(false);
        }
        match append_sample(&mut *self.batch, *id, labels, sample) {
            Ok(found) => {
                *id = Some(found);
                Ok(true)
            }
            Err(e) if is_senders_fault(&e) => {
                self.complaints.push(format!("{e} for series {labels}"));
                Ok(false)
            }
            Err(e) => Err(Error::Full(e.to_string()).into()),
        }
    }

    /// Exemplars and metadata.
    fn append_rest(&mut self, id: SeriesRef, series: &TimeSeries, labels: &Labels) {
        for exemplar in &series.exemplars {
            let Some(pairs) = self.pairs(&exemplar.labels_refs) else {
                self.complaints.push(format!(
                    "parsing exemplar for series {labels}: invalid labelRefs"
                ));
                continue;
            };
            let exemplar = Exemplar {
                labels: Labels::from_pairs(pairs),
                value: exemplar.value,
                timestamp_ms: Some(exemplar.timestamp),
            };
            match self.batch.append_exemplar(id, exemplar) {
                Ok(()) => self.written.exemplars += 1,
                Err(e @ AppendError::OutOfOrderExemplar) => {
                    self.complaints.push(format!("{e} for series {labels}"));
                }
                // compat: the rest is not told.
                Err(_) => {}
            }
        }
        if let Some(metadata) = &series.metadata {
            let text = |at: u32| self.symbols.get(at as usize).map_or("", String::as_str);
            let metadata = convert::metadata(
                metadata.r#type,
                text(metadata.help_ref),
                text(metadata.unit_ref),
            );
            // Metadata is a courtesy: a store that does not keep it is no reason to complain.
            let _ = self.batch.update_metadata(id, metadata);
        }
    }

    /// Names and values; `None` when a number has no text or stands alone.
    fn pairs(&self, numbers: &[u32]) -> Option<Vec<(&str, &str)>> {
        let text = |at: &u32| self.symbols.get(*at as usize).map(String::as_str);
        let (pairs, rest) = numbers.as_chunks::<2>();
        if !rest.is_empty() {
            return None;
        }
        pairs
            .iter()
            .map(|[name, value]| Some((text(name)?, text(value)?)))
            .collect()
    }
}

const fn first_set(a: i64, b: i64) -> i64 {
    if a == 0 { b } else { a }
}
