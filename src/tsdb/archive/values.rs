//! A page with values of one label name, and which series have each.

use std::ops::Range;

use crate::codec::{Error, Reader, put_bytes, put_str, put_varint, put_zigzag};

/// A page ends when it has about so many bytes.
const PAGE_BYTES: usize = 8 << 10;

/// A list of series with more bytes than this stands apart.
pub(super) const LIST_BYTES_MAX: usize = 512;

/// Where a list of series is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In the page.
    Here(Range<usize>),
    /// In a frame of its own, at an offset, of so many bytes.
    Apart(u64, u64),
}

/// A page under construction.
#[derive(Debug, Default)]
pub(super) struct Builder {
    name: String,
    first: String,
    count: u64,
    values: Vec<u8>,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
}

impl Builder {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            first_ms: i64::MAX,
            last_ms: i64::MIN,
            ..Self::default()
        }
    }

    /// The name, and the first value.
    pub(super) fn key(&self) -> (&str, &str) {
        (&self.name, &self.first)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a value that is greater than all before it; true when the page is full. `list` are the list's bytes, or
    /// where it stands apart.
    pub(super) fn add(
        &mut self,
        value: &str,
        (first_ms, last_ms): (i64, i64),
        list: Result<&[u8], (u64, u64)>,
    ) -> bool {
        if self.is_empty() {
            value.clone_into(&mut self.first);
        }
        self.count += 1;
        self.first_ms = self.first_ms.min(first_ms);
        self.last_ms = self.last_ms.max(last_ms);
        let out = &mut self.values;
        put_str(out, value);
        put_zigzag(out, first_ms);
        put_zigzag(out, last_ms.wrapping_sub(first_ms));
        match list {
            Ok(bytes) => {
                put_varint(out, 0);
                put_bytes(out, bytes);
            }
            Err((offset, bytes)) => {
                put_varint(out, bytes);
                put_varint(out, offset);
            }
        }
        out.len() >= PAGE_BYTES
    }

    /// Appends the payload and begins a further page of the same name.
    pub(super) fn take(&mut self, out: &mut Vec<u8>) {
        put_str(out, &self.name);
        put_varint(out, self.count);
        out.append(&mut self.values);
        self.count = 0;
    }
}

/// A value in a page.
#[derive(Debug)]
pub(super) struct Value {
    text: Range<usize>,
    /// The first and the last time of its series.
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) place: Place,
}

/// A page that was read.
#[derive(Debug)]
pub(super) struct Page {
    payload: Vec<u8>,
    name: Range<usize>,
    pub(super) values: Vec<Value>,
}

impl Page {
    pub(super) fn parse(payload: Vec<u8>) -> Result<Self, Error> {
        let mut reader = Reader::new(&payload);
        let reader = &mut reader;
        let range = |length: usize, reader: &Reader<'_>| {
            let end = payload.len() - reader.rest().len();
            end - length..end
        };
        let name = reader.str()?.len();
        let name = range(name, reader);
        let mut values = Vec::new();
        for _ in 0..reader.count(5)? {
            let text = reader.str()?.len();
            let text = range(text, reader);
            let first_ms = reader.zigzag()?;
            let last_ms = first_ms.wrapping_add(reader.zigzag()?);
            let place = match reader.varint()? {
                0 => {
                    let list = reader.bytes()?.len();
                    Place::Here(range(list, reader))
                }
                bytes => Place::Apart(reader.varint()?, bytes),
            };
            values.push(Value {
                text,
                first_ms,
                last_ms,
                place,
            });
        }
        Ok(Self {
            payload,
            name,
            values,
        })
    }

    pub(super) fn name(&self) -> &str {
        self.text_at(&self.name)
    }

    /// The text of a value.
    pub(super) fn text(&self, value: &Value) -> &str {
        self.text_at(&value.text)
    }

    fn text_at(&self, range: &Range<usize>) -> &str {
        let bytes = self.bytes(range);
        // It was read as text before.
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    pub(super) fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.payload.get(range.clone()).unwrap_or_default()
    }

    /// Where a value is.
    pub(super) fn find(&self, value: &str) -> Option<&Value> {
        let at = self.values.binary_search_by(|v| self.text(v).cmp(value));
        self.values.get(at.ok()?)
    }
}
