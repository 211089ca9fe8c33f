//! Remote write 1.0: all or nothing.

use prost::Message as _;

use super::{Memo, PARTS_MAX, Refusal, Written, append_sample, convert, is_senders_fault};
use crate::codec::prompb::{self, MetricMetadata, TimeSeries, WriteRequest, decode};
use crate::codec::wire::{Field, Fields};
use crate::model::{Exemplar, Labels, Sample};
use crate::storage::{AppendError, Appender, Error, SeriesRef, Storage};

/// Stores a request; nothing of it when one sample is refused.
pub(super) fn write(
    storage: &dyn Storage,
    memo: &Memo,
    bytes: &[u8],
    latest_ms: i64,
) -> Result<Written, Refusal> {
    match quick(storage, memo, bytes, latest_ms) {
        Some(outcome) => outcome,
        None => plain(storage, bytes, latest_ms),
    }
}

/// Decodes the request as a whole.
pub(super) fn plain(
    storage: &dyn Storage,
    bytes: &[u8],
    latest_ms: i64,
) -> Result<Written, Refusal> {
    let request: WriteRequest = decode(bytes, PARTS_MAX).map_err(Refusal::bad)?;
    let mut push = Push::new(storage, latest_ms);
    for series in &request.timeseries {
        push.series(series)?;
    }
    push.finish()
}

/// Takes series in place that were pushed before and have nothing but floats, as nearly all do; others one by one as
/// [`plain`] does. `None`, and nothing stored, when that must judge the request.
fn quick(
    storage: &dyn Storage,
    memo: &Memo,
    bytes: &[u8],
    latest_ms: i64,
) -> Option<Result<Written, Refusal>> {
    let mut push = Push::new(storage, latest_ms);
    let mut parts = 0;
    for field in Fields::new(bytes) {
        match field.ok()? {
            (1, Field::Bytes(message)) => {
                let floats = Floats::of(message);
                parts += floats
                    .as_ref()
                    .map_or_else(|| count(message), Floats::parts);
                if parts > PARTS_MAX {
                    return None;
                }
                // What comes behind a refused sample may be worse than that.
                let is_taken = push.quick(memo, message, floats.as_ref());
                is_taken.ok().filter(|is_taken| *is_taken)?;
            }
            (3, Field::Bytes(message)) => {
                MetricMetadata::decode(message).ok()?;
            }
            (1 | 3, _) => return None,
            _ => {}
        }
    }
    Some(push.finish())
}

/// How many parts a message has, and itself.
fn count(message: &[u8]) -> usize {
    1 + Fields::new(message).count()
}

/// A series of a request that has nothing but labels in front and plain samples behind.
struct Floats<'m> {
    /// The bytes of the labels.
    labels: &'m [u8],
    samples: Vec<prompb::Sample>,
    labels_count: usize,
}

impl<'m> Floats<'m> {
    fn of(message: &'m [u8]) -> Option<Self> {
        let mut fields = Fields::new(message);
        let mut labels_end = 0;
        let mut labels_count = 0;
        let mut samples = Vec::new();
        while let Some(field) = fields.next() {
            match field.ok()? {
                (1, Field::Bytes(_)) if samples.is_empty() => {
                    labels_end = message.len() - fields.rest().len();
                    labels_count += 1;
                }
                (2, Field::Bytes(sample)) => samples.push(float(sample)?),
                _ => return None,
            }
        }
        Some(Self {
            labels: message.get(..labels_end)?,
            samples,
            labels_count,
        })
    }

    const fn parts(&self) -> usize {
        1 + self.labels_count + self.samples.len()
    }
}

fn float(message: &[u8]) -> Option<prompb::Sample> {
    let mut sample = prompb::Sample::default();
    for field in Fields::new(message) {
        match field.ok()? {
            (1, Field::Fixed64(bits)) => sample.value = f64::from_bits(bits),
            (2, Field::Varint(ms)) => sample.timestamp = ms.cast_signed(),
            _ => return None,
        }
    }
    Some(sample)
}

/// A request on its way into the store.
struct Push<'s> {
    batch: Box<dyn Appender + 's>,
    latest_ms: i64,
    written: Written,
    invalid: usize,
}

impl<'s> Push<'s> {
    fn new(storage: &'s dyn Storage, latest_ms: i64) -> Self {
        Self {
            batch: storage.push_appender(),
            latest_ms,
            written: Written::default(),
            invalid: 0,
        }
    }

    fn finish(self) -> Result<Written, Refusal> {
        if self.invalid > 0 {
            tracing::warn!(
                samples = self.invalid,
                "remote write has series with invalid labels"
            );
        }
        self.batch.commit()?;
        Ok(self.written)
    }

    /// Takes a series by the name that the memo has; false when it cannot be decoded.
    fn quick(
        &mut self,
        memo: &Memo,
        message: &[u8],
        floats: Option<&Floats<'_>>,
    ) -> Result<bool, Refusal> {
        let hash = floats.map(|floats| memo.hash(floats.labels));
        let id = hash.and_then(|hash| memo.get(hash));
        if let (Some(floats), Some(id)) = (floats, id)
            && self.run(id, &floats.samples)?
        {
            return Ok(true);
        }
        let Ok(series) = TimeSeries::decode(message) else {
            return Ok(false);
        };
        let name = self.series(&series)?;
        if let (Some(hash), Some(name)) = (hash, name) {
            memo.set(hash, name, self.latest_ms);
        }
        Ok(true)
    }

    /// Takes samples of a known series; false, and nothing taken, when the store does not know it any more, or one of
    /// them must be refused for its time.
    fn run(&mut self, id: SeriesRef, samples: &[prompb::Sample]) -> Result<bool, Refusal> {
        if samples
            .iter()
            .any(|sample| sample.timestamp > self.latest_ms)
        {
            return Ok(false);
        }
        let mut rest = samples.iter();
        let (mut newest_ms, mut last_ms) = (None, None);
        let mut overtaken = 0;
        loop {
            let added = self.batch.append_run(id, &mut || {
                let sample = rest.next()?;
                newest_ms = newest_ms.max(last_ms.replace(sample.timestamp));
                Some((sample.timestamp, sample.value))
            });
            match added {
                Ok(true) => {
                    self.written.samples += samples.len() - overtaken;
                    return Ok(true);
                }
                Ok(false) => return Ok(false),
                Err(why) if newest_ms >= last_ms && is_overtaken(&why) => {
                    overtaken += 1;
                    last_ms = None;
                }
                Err(why) => return Err(refusal(&why)),
            }
        }
    }

    /// Takes a series; the answer is the name that the store gave it.
    fn series(&mut self, series: &TimeSeries) -> Result<Option<SeriesRef>, Refusal> {
        let pairs: Vec<(&str, &str)> = series
            .labels
            .iter()
            .map(|label| (label.name.as_str(), label.value.as_str()))
            .collect();
        // compat: series with bad labels are left out without an error.
        let Ok(labels) = convert::labels(&pairs) else {
            self.invalid += series.samples.len() + series.histograms.len();
            return Ok(None);
        };
        let samples = series.samples.iter();
        let samples = samples.map(|sample| (Sample::float(sample.timestamp, sample.value), true));
        let histograms = series.histograms.iter();
        let histograms = histograms.map(|histogram| (convert::histogram(histogram), false));
        let (mut id, mut newest_ms) = (None, None);
        for (sample, is_float) in samples.chain(histograms) {
            let ms = sample.timestamp_ms;
            if ms > self.latest_ms {
                return Err(Refusal::bad(format_args!(
                    "{}: timestamp is too far in the future",
                    AppendError::OutOfBounds
                )));
            }
            match append_sample(&mut *self.batch, id, &labels, sample) {
                Ok(found) => id = Some(found),
                Err(why) if newest_ms >= Some(ms) && is_overtaken(&why) => continue,
                Err(why) => return Err(refusal(&why)),
            }
            newest_ms = newest_ms.max(Some(ms));
            self.written.samples += usize::from(is_float);
            self.written.histograms += usize::from(!is_float);
        }
        self.exemplars(series, id);
        Ok(id)
    }

    fn exemplars(&mut self, series: &TimeSeries, id: Option<SeriesRef>) {
        for exemplar in &series.exemplars {
            let pairs = exemplar.labels.iter();
            let exemplar = Exemplar {
                labels: Labels::from_pairs(pairs.map(|label| (&label.name, &label.value))),
                value: exemplar.value,
                timestamp_ms: Some(exemplar.timestamp),
            };
            // compat: exemplars that are refused do not refuse the request.
            if let Some(id) = id
                && self.batch.append_exemplar(id, exemplar).is_ok()
            {
                self.written.exemplars += 1;
            }
        }
    }
}

/// Whether a sample came behind others of its series.
///
/// compat: one that others in the same request have overtaken is left out without a word. Histograms before a stale
/// marker are, as that comes with the floats.
const fn is_overtaken(why: &AppendError) -> bool {
    matches!(
        why,
        AppendError::OutOfOrder | AppendError::DuplicateTimestamp
    )
}

fn refusal(why: &AppendError) -> Refusal {
    if is_senders_fault(why) {
        Refusal::bad(why)
    } else {
        Error::Full(why.to_string()).into()
    }
}
