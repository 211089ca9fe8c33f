//! How one page becomes samples of a batch.

use std::sync::atomic::Ordering;

use super::cache::{Known, SeriesCache, Slot};
use super::counters::Counters;
use super::error::Error;
use super::limits::{BUCKET_LIMIT, HistogramLimits, SAMPLE_LIMIT, check_labels};
use super::metadata::FamilyMetadata;
use super::row::Rows;
use super::scrape_loop::Page;
use super::series_labels;
use super::target::Target;
use super::{Features, JobOptions};
use crate::exposition::{Entry, Parser, ParserOptions, Series, detect};
use crate::model::{Exemplar, Labels, METRIC_NAME, Sample, SampleValue};
use crate::storage::{AppendError, Appender, SeriesRef};
use crate::time::{Span, Timestamp};

/// How far ahead of now a sample may claim to be.
const AHEAD_MAX: Span = Span::minutes(10);

/// How far back a counter may have begun for its 0 to be stored: half a block of upstream's.
const START_AGE_MAX: Span = Span::hours(1);

/// What a page is read with.
pub(super) struct Context<'c> {
    pub(super) target: &'c Target,
    pub(super) options: &'c JobOptions,
    pub(super) features: Features,
    pub(super) counters: &'c Counters,
    pub(super) limits: HistogramLimits,
    pub(super) cache: &'c mut SeriesCache,
    pub(super) metadata: &'c mut FamilyMetadata,
    pub(super) at: Timestamp,
    /// When the page before was scraped; none for the first.
    pub(super) previous: Option<Timestamp>,
}

/// What a page brought.
#[derive(Debug, Default)]
pub(super) struct PageOutcome {
    pub(super) scraped: usize,
    pub(super) post_relabeling: usize,
    pub(super) series_added: usize,
    appended: u64,
    limit: Option<&'static str>,
    bucket_limit: bool,
    out_of_order: usize,
    duplicates: usize,
    out_of_bounds: usize,
    exemplars_out_of_order: usize,
    refused: usize,
}

impl PageOutcome {
    /// Counts lines that were taken as a row, with so many samples.
    pub(super) const fn count_row(&mut self, lines: usize, samples: usize) {
        self.scraped += lines;
        self.post_relabeling += samples;
        self.appended += samples as u64;
    }

    /// What is worth a log line, in upstream's words.
    pub(super) fn warnings(&self) -> Vec<(&'static str, usize)> {
        [
            ("Error on ingesting out-of-order samples", self.out_of_order),
            (
                "Error on ingesting samples with different value but same timestamp",
                self.duplicates,
            ),
            (
                "Error on ingesting samples that are too old or are too far into the future",
                self.out_of_bounds,
            ),
            (
                "Error on ingesting out-of-order exemplars",
                self.exemplars_out_of_order,
            ),
            ("The storage has no room for new series", self.refused),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect()
    }
}

/// How one sample fared.
enum Fate {
    Taken(SeriesRef),
    /// Passed over; the page goes on.
    Skipped,
}

/// Reads a page into a batch. On an error the batch must be discarded.
pub(super) fn take_page(
    context: &mut Context<'_>,
    page: Page<'_>,
    batch: &mut dyn Appender,
    outcome: &mut PageOutcome,
) -> Result<(), Error> {
    let options = context.options;
    let (format, _) = detect(page.content_type, options.fallback_scrape_protocol)?;
    let parser_options = ParserOptions {
        type_and_unit_labels: context.features.type_and_unit_labels,
        ignore_native_histograms: !options.scrape_native_histograms,
        convert_classic_histograms: options.convert_classic_histograms_to_nhcb,
        keep_classic_histograms: options.always_scrape_classic_histograms,
        start_timestamps: context.features.reads_start_timestamps(),
    };
    let mut parser = Parser::new(page.body, format, parser_options);
    let mut family = String::new();
    // What is told to the store of metadata hangs on each series.
    let passes_metadata = parser.passes_metadata() && !context.features.metadata;
    let mut rows = Rows::new(passes_metadata);
    let mut takes_rows = !context.features.metadata;
    let result = loop {
        if passes_metadata && parser.metadata_ahead().is_none() {
            context.metadata.end_block(page.body, parser.position());
        }
        takes_rows = takes_rows && rows.take(context, &mut parser, batch, outcome);
        if passes_metadata && parser.metadata_ahead().is_some() && !context.metadata.is_in_block() {
            context.metadata.begin_block(parser.position());
        }
        match parser.next_known(&mut |line| context.cache.expect(line)) {
            Ok(Some(Entry::Sample { series, value })) => {
                outcome.scraped += 1;
                if let Err(why) = context.take_sample(&series, value, &family, batch, outcome) {
                    break Err(why);
                }
                takes_rows = !context.features.metadata;
            }
            Ok(Some(entry)) => context.take_metadata(&entry, &mut family),
            Ok(None) => break Ok(()),
            Err(why) => break Err(why.into()),
        }
    };
    if outcome.limit == Some(SAMPLE_LIMIT) {
        Counters::add(&context.counters.exceeded_sample_limit);
    }
    if outcome.bucket_limit {
        Counters::add(&context.counters.exceeded_bucket_limit);
    }
    match (result, outcome.limit) {
        (Ok(()), Some(limit)) => Err(Error::Limit(limit.to_owned())),
        (Ok(()), None) if outcome.bucket_limit => Err(Error::Limit(BUCKET_LIMIT.to_owned())),
        (result, _) => result,
    }
}

impl Context<'_> {
    /// How many samples the page may have yet.
    pub(super) fn sample_room(&self, outcome: &PageOutcome) -> usize {
        match self.options.sample_limit {
            0 => usize::MAX,
            limit => usize::try_from(limit.saturating_sub(outcome.appended)).unwrap_or(usize::MAX),
        }
    }

    fn take_metadata(&mut self, entry: &Entry<'_>, current: &mut String) {
        let family = match entry {
            Entry::Help { family, text } => {
                self.metadata.set_help(family, text);
                *family
            }
            Entry::Type {
                family,
                metric_type,
            } => {
                self.metadata.set_type(family, *metric_type);
                *family
            }
            Entry::Unit { family, unit } => {
                self.metadata.set_unit(family, unit);
                *family
            }
            Entry::Comment(_) | Entry::Sample { .. } => return,
        };
        family.clone_into(current);
    }

    fn take_sample(
        &mut self,
        series: &Series<'_>,
        value: SampleValue,
        family: &str,
        batch: &mut dyn Appender,
        outcome: &mut PageOutcome,
    ) -> Result<(), Error> {
        let exposed_at = series
            .timestamp_ms
            .filter(|_| self.options.honor_timestamps);
        let found = self.cache.find(series.key);
        let (slot, again) = match found {
            Some((slot, again)) => (Some(slot), again),
            None => (None, false),
        };
        let (hint, mut labels) = match slot.and_then(|slot| self.cache.known(slot)) {
            Some(Known::Dropped) => return Ok(()),
            Some(Known::Stored(name)) => (Some(name), None),
            None => {
                let Some(labels) = self.new_labels(series)? else {
                    self.cache.insert(series.key, Known::Dropped);
                    return Ok(());
                };
                (None, Some(labels))
            }
        };
        outcome.post_relabeling += 1;
        let sample = Sample {
            timestamp_ms: exposed_at.unwrap_or(self.at.as_ms()),
            start_timestamp_ms: if self.features.start_timestamps {
                series.start_timestamp_ms
            } else {
                0
            },
            value,
        };
        let is_histogram = !matches!(sample.value, SampleValue::Float(_));
        let at = sample.timestamp_ms;
        let fate = if again && exposed_at.is_none() {
            outcome.duplicates += 1;
            Counters::add(&self.counters.sample_duplicate);
            Fate::Skipped
        } else {
            let hint = self.append_start(hint, series, &mut labels, &sample, batch)?;
            self.append(hint, series, &mut labels, sample, batch, outcome)?
        };
        let Fate::Taken(name) = fate else {
            return Ok(());
        };
        let is_new = slot.is_none();
        let slot = self.remember(slot, hint, series.key, name, outcome);
        if exposed_at.is_none() || self.options.track_timestamps_staleness {
            self.cache.track(slot);
        }
        if !series.exemplars.is_empty() {
            self.append_exemplars(name, series.exemplars, at, is_histogram, batch, outcome);
        }
        if self.features.metadata && self.metadata.is_wanted(family, is_new) {
            let labels = match labels {
                Some(labels) => Some(labels),
                None => self.new_labels(series)?,
            };
            let metric = labels.as_ref().and_then(Labels::metric_name);
            if let Some(metadata) = self.metadata.of(family, metric.unwrap_or_default()) {
                // Metadata is a courtesy; its loss costs no sample.
                let _ = batch.update_metadata(name, metadata.clone());
            }
        }
        Ok(())
    }

    /// Notes under which name the store knows a series.
    fn remember(
        &mut self,
        slot: Option<Slot>,
        hint: Option<SeriesRef>,
        key: &[u8],
        name: SeriesRef,
        outcome: &mut PageOutcome,
    ) -> Slot {
        if let Some(slot) = slot {
            if hint != Some(name) {
                self.cache.set_series(slot, name);
            }
            return slot;
        }
        if outcome.limit.is_none() && !outcome.bucket_limit {
            outcome.series_added += 1;
        }
        self.cache.insert(key, Known::Stored(name))
    }

    /// The final labels of a series that is not known; `None` when relabeling drops it.
    fn new_labels(&self, series: &Series<'_>) -> Result<Option<Labels>, Error> {
        let exposed = series.labels()?;
        let emptied = if self.options.honor_labels {
            series.empty_labels()
        } else {
            Vec::new()
        };
        let own = &self.target.labels;
        let Some(labels) = series_labels::of_sample(&exposed, &emptied, own, self.options) else {
            return Ok(None);
        };
        let Some(metric) = labels.metric_name() else {
            return Err(Error::NoMetricName);
        };
        let scheme = self.options.validation;
        let valid_names = labels
            .iter()
            .all(|(name, _)| name == METRIC_NAME || scheme.is_valid_label_name(name));
        if !valid_names || !scheme.is_valid_metric_name(metric) {
            return Err(Error::InvalidNames(labels.to_string()));
        }
        if let Err(why) = check_labels(&labels, self.options) {
            Counters::add(&self.counters.exceeded_label_limits);
            return Err(why);
        }
        Ok(Some(labels))
    }

    /// Stores the 0 from which a counter or histogram began to count, at the time when it did. The answer is
    /// what the store calls the series, as far as that is known.
    ///
    /// compat: a start that the series is past already, that lies more than half a block back or not before
    /// the sample is passed over silently, and so is whatever the store refuses.
    fn append_start(
        &self,
        hint: Option<SeriesRef>,
        series: &Series<'_>,
        labels: &mut Option<Labels>,
        sample: &Sample,
        batch: &mut dyn Appender,
    ) -> Result<Option<SeriesRef>, Error> {
        let began = series.start_timestamp_ms;
        let known_at = self.previous.filter(|_| hint.is_some());
        let too_late = known_at.is_some_and(|previous| began <= previous.as_ms());
        let too_old = began < (self.at - START_AGE_MAX).as_ms();
        let wanted = self.features.start_zero_samples && began != 0;
        if !wanted || too_late || too_old || began >= sample.timestamp_ms {
            return Ok(hint);
        }
        let zero = Sample {
            timestamp_ms: began,
            start_timestamp_ms: 0,
            value: sample.value.zero(),
        };
        if let Some(name) = hint
            && !matches!(batch.append_known(name, &zero), Ok(false))
        {
            return Ok(hint);
        }
        if labels.is_none() {
            *labels = self.new_labels(series)?;
        }
        let labels = labels.as_ref();
        let name = labels.and_then(|labels| batch.append(None, labels, zero).ok());
        Ok(name.or(hint))
    }

    /// Appends by the name that the store gave, or by `labels`, which are made when the name is not known
    /// any more.
    fn append(
        &self,
        hint: Option<SeriesRef>,
        series: &Series<'_>,
        labels: &mut Option<Labels>,
        mut sample: Sample,
        batch: &mut dyn Appender,
        outcome: &mut PageOutcome,
    ) -> Result<Fate, Error> {
        let Ok(value) = self.limits.fit(sample.value) else {
            outcome.bucket_limit = true;
            return Ok(Fate::Skipped);
        };
        sample.value = value;
        // compat: a marker for a series that is known never counts.
        if hint.is_none() || !sample.value.is_stale() {
            outcome.appended += 1;
            if self.options.sample_limit > 0 && outcome.appended > self.options.sample_limit {
                outcome.limit = Some(SAMPLE_LIMIT);
                return Ok(Fate::Skipped);
            }
        }
        let result = if sample.timestamp_ms > (self.at + AHEAD_MAX).as_ms() {
            Err(AppendError::OutOfBounds)
        } else {
            let known = hint.map(|name| (name, batch.append_known(name, &sample)));
            match known {
                Some((name, Ok(true))) => Ok(name),
                Some((_, Err(why))) => Err(why),
                Some((_, Ok(false))) | None => {
                    if labels.is_none() {
                        *labels = self.new_labels(series)?;
                    }
                    // compat: relabeling that kept a series keeps it.
                    let Some(labels) = labels else {
                        return Ok(Fate::Skipped);
                    };
                    batch.append(None, labels, sample)
                }
            }
        };
        let (count, counter) = match result {
            Ok(name) => return Ok(Fate::Taken(name)),
            Err(AppendError::OutOfOrder | AppendError::TooOld) => (
                &mut outcome.out_of_order,
                &self.counters.sample_out_of_order,
            ),
            Err(AppendError::DuplicateTimestamp) => {
                (&mut outcome.duplicates, &self.counters.sample_duplicate)
            }
            Err(AppendError::OutOfBounds) => (
                &mut outcome.out_of_bounds,
                &self.counters.sample_out_of_bounds,
            ),
            // A full store sheds new series and goes on with those that it has.
            Err(AppendError::Refused(_)) => (&mut outcome.refused, &self.counters.sample_refused),
            Err(why) => return Err(Error::Append(why)),
        };
        *count += 1;
        Counters::add(counter);
        Ok(Fate::Skipped)
    }

    /// compat: exemplars are told oldest first; those of native histograms need a timestamp; being late
    /// only counts when all of a series are.
    fn append_exemplars(
        &self,
        name: SeriesRef,
        exemplars: &[Exemplar],
        at: i64,
        is_histogram: bool,
        batch: &mut dyn Appender,
        outcome: &mut PageOutcome,
    ) {
        let mut sorted: Vec<Exemplar> = exemplars
            .iter()
            .filter(|e| e.timestamp_ms.is_some() || !is_histogram)
            .cloned()
            .collect();
        for exemplar in &mut sorted {
            exemplar.timestamp_ms.get_or_insert(at);
        }
        sorted.sort_by(|a, b| {
            a.timestamp_ms
                .cmp(&b.timestamp_ms)
                .then(a.value.total_cmp(&b.value))
                .then_with(|| a.labels.cmp(&b.labels))
        });
        let count = sorted.len();
        let late = sorted
            .into_iter()
            .filter(|e| {
                let result = batch.append_exemplar(name, e.clone());
                result == Err(AppendError::OutOfOrderExemplar)
            })
            .count();
        if late > 0 && late == count {
            outcome.exemplars_out_of_order += late;
            self.counters
                .exemplar_out_of_order
                .fetch_add(late as u64, Ordering::Relaxed);
        }
    }
}
