//! How several archives become one. Everything is read in order and written at once, so that memory does not depend
//! on how many series there are.

use std::collections::VecDeque;
use std::sync::Arc;

use super::write::{Writer, joined};
use super::{Archive, Entry, HASH_BYTES, HASHES, split_hash, temporary, values};
use crate::disk::Disk;
use crate::tsdb::batch::SeriesId;
use crate::tsdb::error::Error;
use crate::tsdb::head::List;

/// Writes what several archives hold, oldest first, into one: of each series what the newest says. Series
/// without samples since `left_ms` are left out. Fails when one is damaged. `go_on` is asked now and then whether to continue. False, and no
/// file, when nothing is left.
pub(crate) fn merge(
    disk: &Arc<dyn Disk>,
    number: u64,
    archives: &[Arc<Archive>],
    left_ms: i64,
    go_on: impl Fn() -> bool,
) -> Result<bool, Error> {
    let mut writer = Writer::create(disk, number)?;
    merge_series(&mut writer, archives, left_ms, &go_on)?;
    let kept = Kept(writer.all().runs().collect());
    if kept.0.is_empty() {
        disk.remove(&temporary(number))?;
        return Ok(false);
    }
    merge_values(&mut writer, archives, &kept, &go_on)?;
    merge_hashes(&mut writer, archives, &kept)?;
    writer.finish()?;
    Ok(true)
}

/// Numbers that were kept, in stretches.
struct Kept(Vec<(SeriesId, u32)>);

impl Kept {
    fn contains(&self, id: SeriesId) -> bool {
        let after = self.0.partition_point(|(start, _)| *start <= id);
        let run = after.checked_sub(1).and_then(|at| self.0.get(at));
        run.is_some_and(|(start, length)| id - start < *length)
    }
}

/// Walks the pages of one kind of an archive.
struct Cursor<'a, T> {
    archive: &'a Archive,
    next_page: usize,
    waiting: VecDeque<T>,
}

fn cursors<T>(archives: &[Arc<Archive>]) -> Vec<Cursor<'_, T>> {
    let cursors = archives.iter().map(|archive| Cursor {
        archive,
        next_page: 0,
        waiting: VecDeque::new(),
    });
    cursors.collect()
}

impl Cursor<'_, Entry> {
    /// Makes sure that the next series is at hand, if there is one.
    fn fill(&mut self) -> Result<(), Error> {
        let pages = self.archive.directory.pages.len();
        while self.waiting.is_empty() && self.next_page < pages {
            let page = self.archive.series_page(self.next_page)?;
            // What older ones say of lost series would count from then on.
            let page = page.ok_or_else(|| self.archive.lost(0))?;
            self.waiting
                .extend(page.ids().filter_map(|id| page.entry(id)));
            self.next_page += 1;
        }
        Ok(())
    }
}

impl Cursor<'_, (u64, SeriesId)> {
    /// Makes sure that the next hash is at hand, if there is one.
    fn fill(&mut self) -> Result<(), Error> {
        while self.waiting.is_empty()
            && let Some((_, offset)) = self.archive.directory.hashes.get(self.next_page)
        {
            self.next_page += 1;
            let payload = self.archive.payload(*offset, HASHES)?.unwrap_or_default();
            let (entries, _) = payload.as_chunks::<HASH_BYTES>();
            self.waiting
                .extend(entries.iter().map(|entry| split_hash(*entry)));
        }
        Ok(())
    }
}

fn merge_series(
    writer: &mut Writer,
    archives: &[Arc<Archive>],
    left_ms: i64,
    go_on: &impl Fn() -> bool,
) -> Result<(), Error> {
    let mut cursors = cursors::<Entry>(archives);
    for count in 0u64.. {
        if count.is_multiple_of(4096) && !go_on() {
            return Err(Error::Closed);
        }
        let mut next: Option<SeriesId> = None;
        for cursor in &mut cursors {
            cursor.fill()?;
            if let Some(entry) = cursor.waiting.front() {
                next = Some(next.map_or(entry.id, |next| next.min(entry.id)));
            }
        }
        let Some(id) = next else {
            return Ok(());
        };
        let mut newest = None;
        for cursor in &mut cursors {
            if cursor.waiting.front().is_some_and(|entry| entry.id == id) {
                newest = cursor.waiting.pop_front();
            }
        }
        if let Some(mut entry) = newest.filter(|entry| entry.last_ms >= left_ms) {
            entry.tombstones.retain(|t| t.max_ms >= left_ms);
            writer.add(entry)?;
        }
    }
    Ok(())
}

/// The series that have a value, and their first and last time.
struct OfValue {
    list: List,
    span: (i64, i64),
}

/// Walks the values of an archive by name and value.
struct Values<'a> {
    archive: &'a Archive,
    next_page: usize,
    page: Option<values::Page>,
    at: usize,
}

impl Values<'_> {
    /// Makes sure that the next value is at hand, if there is one.
    fn fill(&mut self) -> Result<(), Error> {
        while self
            .page
            .as_ref()
            .is_none_or(|page| self.at >= page.values.len())
            && self.next_page < self.archive.directory.values.len()
        {
            self.page = Some(self.archive.values_page(self.next_page)?);
            self.next_page += 1;
            self.at = 0;
        }
        Ok(())
    }

    fn front(&self) -> Option<(&str, &str)> {
        let page = self.page.as_ref()?;
        Some((page.name(), page.text(page.values.get(self.at)?)))
    }

    /// The series of the next value and their first and last time; goes on.
    fn take(&mut self) -> Result<Option<OfValue>, Error> {
        let Some(page) = &self.page else {
            return Ok(None);
        };
        let Some(value) = page.values.get(self.at) else {
            return Ok(None);
        };
        self.at += 1;
        let list = self.archive.list_of(page, value)?;
        let span = (value.first_ms, value.last_ms);
        Ok(Some(OfValue { list, span }))
    }
}

fn merge_values(
    writer: &mut Writer,
    archives: &[Arc<Archive>],
    kept: &Kept,
    go_on: &impl Fn() -> bool,
) -> Result<(), Error> {
    let mut cursors: Vec<Values<'_>> = archives
        .iter()
        .map(|archive| Values {
            archive,
            next_page: 0,
            page: None,
            at: 0,
        })
        .collect();
    for count in 0u64.. {
        if count.is_multiple_of(4096) && !go_on() {
            return Err(Error::Closed);
        }
        for cursor in &mut cursors {
            cursor.fill()?;
        }
        let next = cursors.iter().filter_map(Values::front).min();
        let Some((name, value)) = next.map(|(name, value)| (name.to_owned(), value.to_owned()))
        else {
            return Ok(());
        };
        let (mut union, mut span) = (List::default(), None);
        for cursor in &mut cursors {
            if cursor.front() == Some((name.as_str(), value.as_str()))
                && let Some(of_value) = cursor.take()?
            {
                union = joined_lists(&union, &of_value.list, kept);
                span = Some(joined(span, of_value.span));
            }
        }
        if union.len() > 0
            && let Some(span) = span
        {
            writer.value(&name, &value, span, &union)?;
        }
    }
    Ok(())
}

/// What is in either list and was kept.
fn joined_lists(a: &List, b: &List, kept: &Kept) -> List {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let sorted = std::iter::from_fn(|| match (a.peek(), b.peek()) {
        (Some(x), Some(y)) if x == y => {
            a.next();
            b.next()
        }
        (Some(x), Some(y)) if y < x => b.next(),
        (Some(_), _) => a.next(),
        (None, _) => b.next(),
    });
    sorted.filter(|id| kept.contains(*id)).collect()
}

fn merge_hashes(writer: &mut Writer, archives: &[Arc<Archive>], kept: &Kept) -> Result<(), Error> {
    let mut cursors = cursors::<(u64, SeriesId)>(archives);
    let mut last = None;
    loop {
        for cursor in &mut cursors {
            cursor.fill()?;
        }
        let least = cursors
            .iter_mut()
            .filter(|cursor| !cursor.waiting.is_empty())
            .min_by_key(|cursor| cursor.waiting.front().copied());
        let next = least.and_then(|cursor| cursor.waiting.pop_front());
        let Some((hash, id)) = next else {
            return Ok(());
        };
        if last.replace((hash, id)) != Some((hash, id)) && kept.contains(id) {
            writer.hash(hash, id)?;
        }
    }
}
