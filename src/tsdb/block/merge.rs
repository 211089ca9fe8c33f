use std::collections::VecDeque;
use std::sync::Arc;

use super::page::Page;
use super::run::{Run, merge};
use super::write::Writer;
use super::{Block, path};
use crate::codec;
use crate::tsdb::batch::SeriesId;
use crate::tsdb::error::Error;

/// Walks the series of a block in the order of their numbers.
struct Cursor {
    block: Arc<Block>,
    next_page: usize,
    series: VecDeque<(SeriesId, Vec<Run>)>,
}

impl Cursor {
    /// Makes sure that the next series is at hand, if there is one. Damaged pages are passed over.
    fn fill(&mut self) -> Result<(), Error> {
        while self.series.is_empty() && self.next_page < self.block.pages() {
            let number = self.next_page;
            self.next_page += 1;
            let payload = match self.block.page(number) {
                Ok(Some(payload)) => payload,
                Ok(None) | Err(Error::Corrupt { .. }) => continue,
                Err(e) => return Err(e),
            };
            let mut read: Result<Vec<_>, codec::Error> = Ok(Vec::new());
            Page::parse(&payload)
                .and_then(|page| {
                    page.walk(|id, places| {
                        let runs: Result<Vec<Run>, _> =
                            places.iter().map(super::page::Place::read).collect();
                        match (runs, &mut read) {
                            (Ok(runs), Ok(list)) => list.push((id, runs)),
                            (Err(e), _) => read = Err(e),
                            (_, Err(_)) => {}
                        }
                        read.is_ok()
                    })
                })
                .and(read)
                .map(|list| self.series.extend(list))
                .map_err(|e| {
                    Error::corrupt(&path(self.block.number), self.block.offset(number), &e)
                })?;
        }
        Ok(())
    }
}

/// Writes what several blocks hold into one, which `writer` begins. Blocks come oldest first: of samples of
/// the same time the later one's is kept. Samples that `deleted` names (series, the block's newest record,
/// time) are left out. `go_on` is asked now and then whether to continue. False, and no file, when nothing is left.
pub(crate) fn merge_blocks(
    blocks: &[Arc<Block>],
    mut writer: Writer,
    deleted: impl Fn(SeriesId) -> Result<Vec<(i64, i64, u64)>, Error>,
    go_on: impl Fn() -> bool,
) -> Result<bool, Error> {
    let mut cursors: Vec<Cursor> = blocks
        .iter()
        .map(|block| Cursor {
            block: Arc::clone(block),
            next_page: 0,
            series: VecDeque::new(),
        })
        .collect();
    for count in 0u64.. {
        if count % 1024 == 0 && !go_on() {
            return Err(Error::Closed);
        }
        let mut next: Option<SeriesId> = None;
        for cursor in &mut cursors {
            cursor.fill()?;
            if let Some((id, _)) = cursor.series.front() {
                next = Some(next.map_or(*id, |next| next.min(*id)));
            }
        }
        let Some(id) = next else {
            break;
        };
        let (mut runs, mut origins) = (Vec::new(), Vec::new());
        for cursor in &mut cursors {
            if cursor.series.front().is_some_and(|(front, _)| *front == id)
                && let Some((_, of_block)) = cursor.series.pop_front()
            {
                origins.extend(of_block.iter().map(|_| cursor.block.through()));
                runs.extend(of_block);
            }
        }
        let deleted = deleted(id)?;
        let is_deleted = |run: usize, ms: i64| {
            let through = origins.get(run).copied().unwrap_or(0);
            deleted
                .iter()
                .any(|(from, to, at)| through < *at && (*from..=*to).contains(&ms))
        };
        let merged = merge(runs, is_deleted).map_err(|e| Error::corrupt("block", 0, &e))?;
        writer.add(id, &merged)?;
    }
    if writer.is_empty() {
        writer.abandon()?;
        return Ok(false);
    }
    writer.finish()?;
    Ok(true)
}
