use std::borrow::Cow;

use super::ahead::Ahead;
use super::content_type::Format;
use super::error::Error;
use super::lines::{Form, Line};
use super::nhcb::Nhcb;
use super::openmetrics::OpenMetricsReader;
use super::protobuf::ProtobufReader;
use super::series::{Family, Series, Source, text, unescape_some};
use super::text::{Known, TextReader};
use crate::model::{Exemplar, MetricType, SampleValue};

/// How pages are read. Everything is off by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ParserOptions {
    /// Adds `__type__` and `__unit__` to series.
    pub type_and_unit_labels: bool,
    /// Reads native histograms of protobuf pages as classic ones.
    pub ignore_native_histograms: bool,
    /// Turns classic histograms into native ones with custom buckets.
    pub convert_classic_histograms: bool,
    /// Tells classic histograms too where they also are, or become, native ones.
    pub keep_classic_histograms: bool,
    /// Reads start timestamps; OpenMetrics `_created` series are then no samples.
    pub start_timestamps: bool,
}

/// One thing that a page says.
#[derive(Debug, Clone)]
pub enum Entry<'p> {
    /// A family's help text, unescaped.
    Help {
        /// The family.
        family: &'p str,
        /// The text.
        text: Cow<'p, str>,
    },
    /// A family's type.
    Type {
        /// The family.
        family: &'p str,
        /// The type.
        metric_type: MetricType,
    },
    /// A family's unit.
    Unit {
        /// The family.
        family: &'p str,
        /// The unit; may be empty.
        unit: &'p str,
    },
    /// A comment, with its `#`.
    Comment(&'p [u8]),
    /// A sample.
    Sample {
        /// The series.
        series: Series<'p>,
        /// The value: a float, or a native histogram.
        value: SampleValue,
    },
}

/// An entry that a reader holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Help,
    Type,
    Unit,
    Comment,
    Sample,
    Histogram,
    /// A histogram that was collected from the series before.
    Converted,
}

#[derive(Debug)]
enum Reader<'a> {
    Text(TextReader<'a>),
    OpenMetrics(Box<OpenMetricsReader<'a>>),
    Protobuf(Box<ProtobufReader<'a>>),
}

/// Reads a page entry by entry. Hostile bytes cost an error, never a panic and never more memory than a
/// small multiple of the page.
#[derive(Debug)]
pub struct Parser<'a> {
    body: &'a [u8],
    reader: Reader<'a>,
    /// The current line of a text page.
    line: Line,
    family: Family,
    exemplars: Vec<Exemplar>,
    nhcb: Option<Box<Nhcb>>,
    finished: bool,
}

impl<'a> Parser<'a> {
    /// Begins to read a page.
    pub fn new(body: &'a [u8], format: Format, options: ParserOptions) -> Self {
        let reader = match format {
            Format::PrometheusText => Reader::Text(TextReader::new(body)),
            Format::OpenMetrics => Reader::OpenMetrics(Box::new(OpenMetricsReader::new(
                body,
                options.start_timestamps,
            ))),
            Format::Protobuf => Reader::Protobuf(Box::new(ProtobufReader::new(body, options))),
        };
        let converts = options.convert_classic_histograms && format != Format::Protobuf;
        Self {
            body,
            reader,
            line: Line::Sample,
            family: Family {
                type_and_unit_labels: options.type_and_unit_labels,
                ..Family::default()
            },
            exemplars: Vec::new(),
            nhcb: converts.then(|| Box::new(Nhcb::new(options.keep_classic_histograms))),
            finished: false,
        }
    }

    /// The next entry; `None` at the end. After an error there is nothing more to read.
    #[expect(
        clippy::should_implement_trait,
        reason = "entries borrow from the parser, which an iterator's cannot"
    )]
    pub fn next(&mut self) -> Result<Option<Entry<'_>>, Error> {
        self.next_known(&mut |_| None)
    }

    /// [`Self::next`] for a caller who remembers what pages of the target had: `known` is shown a line from where it
    /// names its series, and may answer how many bytes of it are a [`Series::key`] that it has seen before. Then
    /// these bytes are not looked at. Asked at most once for each line.
    pub fn next_known(
        &mut self,
        known: &mut dyn FnMut(&[u8]) -> Option<usize>,
    ) -> Result<Option<Entry<'_>>, Error> {
        if self.finished {
            return Ok(None);
        }
        let event = match self.nhcb.take() {
            None => self.read(known),
            Some(mut nhcb) => {
                let event = self.read_converting(&mut nhcb);
                self.nhcb = Some(nhcb);
                event
            }
        };
        match event {
            Ok(Some(event)) => self.entry(event).map(Some),
            Ok(None) => {
                self.finished = true;
                Ok(None)
            }
            Err(e) => {
                self.finished = true;
                Err(e)
            }
        }
    }

    /// A look ahead from here, where lines of the page need nothing from those before them; whoever has seen what comes
    /// on pages before may [`Self::go_to`] a place behind it.
    pub fn ahead(&self) -> Option<Ahead<'a>> {
        let is_plain = match &self.reader {
            Reader::Text(_) => true,
            Reader::OpenMetrics(r) => !r.start_timestamps,
            Reader::Protobuf(_) => false,
        };
        let is_plain = is_plain && !self.finished && self.nhcb.is_none();
        is_plain.then(|| Ahead::new(self.body, self.position()))
    }

    /// Goes on at a place ahead.
    pub const fn go_to(&mut self, ahead: &Ahead<'a>) {
        match &mut self.reader {
            Reader::Text(r) => r.cursor.at = ahead.at,
            Reader::OpenMetrics(r) => r.cursor.at = ahead.at,
            Reader::Protobuf(_) => {}
        }
        if let Some(metric_type) = ahead.metric_type {
            self.family.metric_type = metric_type;
        }
    }

    /// How much of a text page was read; 0 of others.
    pub const fn position(&self) -> usize {
        match &self.reader {
            Reader::Text(r) => r.cursor.at,
            Reader::OpenMetrics(r) => r.cursor.at,
            Reader::Protobuf(_) => 0,
        }
    }

    /// The rest of a text page, if it goes on with a comment or a metadata line.
    pub fn metadata_ahead(&self) -> Option<&'a [u8]> {
        let rest = self.body.get(self.position()..)?;
        let is_text = !matches!(self.reader, Reader::Protobuf(_));
        (is_text && rest.first() == Some(&b'#')).then_some(rest)
    }

    /// Whether all that matters of metadata lines is what they declare, and those that the caller has seen before may be
    /// passed over.
    pub fn passes_metadata(&self) -> bool {
        self.ahead().is_some() && !self.family.type_and_unit_labels
    }

    fn read(&mut self, known: &mut Known<'_>) -> Result<Option<Event>, Error> {
        let line = match &mut self.reader {
            Reader::Protobuf(r) => return r.next(),
            Reader::Text(r) => r.next(known)?,
            Reader::OpenMetrics(r) => {
                let line = r.next(known)?;
                self.exemplars.clear();
                self.exemplars.extend(r.exemplar.take());
                line
            }
        };
        let Some(line) = line else {
            return Ok(None);
        };
        let event = match &line {
            Line::Help { .. } => Event::Help,
            Line::Type { metric_type, .. } => {
                self.family.metric_type = *metric_type;
                Event::Type
            }
            Line::Unit { unit, .. } => {
                text(self.body, unit)?.clone_into(&mut self.family.unit);
                Event::Unit
            }
            Line::Comment(_) => Event::Comment,
            Line::Sample => Event::Sample,
        };
        self.line = line;
        Ok(Some(event))
    }

    fn read_converting(&mut self, nhcb: &mut Nhcb) -> Result<Option<Event>, Error> {
        nhcb.converted = None;
        if let Some(event) = nhcb.pending.take()
            && !self.swallows(nhcb, event)?
        {
            return Ok(Some(event));
        }
        loop {
            // Which series belong together, their labels tell.
            let Some(event) = self.read(&mut |_| None)? else {
                return Ok(nhcb.finish().then_some(Event::Converted));
            };
            let ended = match event {
                Event::Sample => nhcb.ends_before(&self.series(event))?,
                _ => nhcb.finish(),
            };
            if let Line::Type {
                family,
                metric_type,
            } = &self.line
                && event == Event::Type
            {
                text(self.body, family)?.clone_into(&mut nhcb.family);
                nhcb.metric_type = *metric_type;
            }
            if ended {
                nhcb.pending = Some(event);
                return Ok(Some(Event::Converted));
            }
            if !self.swallows(nhcb, event)? {
                return Ok(Some(event));
            }
        }
    }

    /// Whether an entry is part of a histogram that is told as a whole instead.
    fn swallows(&self, nhcb: &mut Nhcb, event: Event) -> Result<bool, Error> {
        if event != Event::Sample {
            return Ok(false);
        }
        let taken = nhcb.collect(&self.series(event), self.float())?;
        Ok(taken && !nhcb.keep_classic)
    }

    const fn float(&self) -> f64 {
        match &self.reader {
            Reader::Text(r) => r.value,
            Reader::OpenMetrics(r) => r.value,
            Reader::Protobuf(_) => 0.0,
        }
    }

    fn series(&self, event: Event) -> Series<'_> {
        if let (Event::Converted, Some(c)) =
            (event, self.nhcb.as_ref().and_then(|n| n.converted.as_ref()))
        {
            return Series {
                key: &c.key,
                timestamp_ms: c.timestamp_ms,
                start_timestamp_ms: c.start_timestamp_ms,
                exemplars: &c.exemplars,
                source: Source::Built(&c.labels),
            };
        }
        let (key, parts, timestamp_ms, start_timestamp_ms, form) = match &self.reader {
            Reader::Text(r) => (&r.key, &r.parts, r.timestamp_ms, 0, Form::Classic),
            Reader::OpenMetrics(r) => (
                &r.key,
                &r.parts,
                r.timestamp_ms,
                r.start_timestamp_ms,
                Form::OpenMetrics,
            ),
            Reader::Protobuf(r) => {
                return Series {
                    key: &r.key,
                    timestamp_ms: r.timestamp_ms(),
                    start_timestamp_ms: r.start_timestamp_ms(),
                    exemplars: &r.exemplars,
                    source: Source::Key(&r.key),
                };
            }
        };
        Series {
            key: self.body.get(key.clone()).unwrap_or_default(),
            timestamp_ms,
            start_timestamp_ms,
            exemplars: &self.exemplars,
            source: match parts {
                Some(parts) => Source::Text {
                    body: self.body,
                    parts,
                    family: &self.family,
                },
                None => Source::Unread {
                    body: self.body,
                    at: key.start,
                    form,
                    family: &self.family,
                },
            },
        }
    }

    fn entry(&self, event: Event) -> Result<Entry<'_>, Error> {
        match event {
            Event::Sample | Event::Histogram | Event::Converted => Ok(Entry::Sample {
                series: self.series(event),
                value: self.value(event),
            }),
            _ => match &self.reader {
                Reader::Protobuf(r) => Ok(r.meta(event)),
                Reader::Text(_) | Reader::OpenMetrics(_) => self.meta(),
            },
        }
    }

    fn value(&self, event: Event) -> SampleValue {
        match (&self.reader, &self.nhcb) {
            (Reader::Protobuf(r), _) => r.value.clone(),
            (_, Some(nhcb)) if event == Event::Converted => match &nhcb.converted {
                Some(converted) => converted.value.clone(),
                None => SampleValue::Float(0.0),
            },
            _ => SampleValue::Float(self.float()),
        }
    }

    /// A metadata line of a text page.
    fn meta(&self) -> Result<Entry<'_>, Error> {
        Ok(match &self.line {
            Line::Help { family, text: help } => Entry::Help {
                family: text(self.body, family)?,
                // compat: quotes are escaped in OpenMetrics alone.
                text: unescape_some(
                    text(self.body, help)?,
                    matches!(self.reader, Reader::OpenMetrics(_)),
                ),
            },
            Line::Type {
                family,
                metric_type,
            } => Entry::Type {
                family: text(self.body, family)?,
                metric_type: *metric_type,
            },
            Line::Unit { family, unit } => Entry::Unit {
                family: text(self.body, family)?,
                unit: text(self.body, unit)?,
            },
            Line::Comment(range) => {
                Entry::Comment(self.body.get(range.clone()).unwrap_or_default())
            }
            Line::Sample => Entry::Comment(&[]),
        })
    }
}

impl ProtobufReader<'_> {
    fn meta(&self, event: Event) -> Entry<'_> {
        let (name, help, unit) = self
            .family
            .as_ref()
            .map_or(("", "", ""), |f| (f.name, f.help, f.unit));
        match event {
            Event::Help => Entry::Help {
                family: name,
                text: Cow::Borrowed(help),
            },
            Event::Unit => Entry::Unit { family: name, unit },
            _ => Entry::Type {
                family: name,
                metric_type: self.metric_type(),
            },
        }
    }
}
