//! The log is read by a thread of its own while another still reads catalog and blocks: how far ahead?
//!
//! As far as the records take some megabytes. What is read, and in which order, is as without the thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::Replayed;
use super::record::Record;
use super::replay::replay;
use crate::disk::{self, Disk};
use crate::model::{Labels, Sample};
use crate::tsdb::batch::{Batch, SeriesId};
use crate::tsdb::error::Error;
use crate::tsdb::recovery::{Progress, Recovery};

/// Records are handed over when together they take about so many bytes.
const PARCEL_BYTES: usize = 1 << 20;

/// So many parcels wait at most.
const PARCELS: usize = 8;

/// What a label set is taken to need.
const LABELS_BYTES: usize = 512;

type Parcel = Vec<(u64, Record)>;

/// A log that is being read.
#[derive(Debug)]
pub(crate) struct Ahead {
    parcels: Option<Receiver<Parcel>>,
    reader: Option<JoinHandle<Result<(Replayed, Recovery), Error>>>,
}

impl Ahead {
    /// Begins to read every good record after number `after`.
    pub(crate) fn start(
        disk: &Arc<dyn Disk>,
        after: u64,
        progress: Option<Arc<Progress>>,
    ) -> Result<Self, Error> {
        let (sender, parcels) = sync_channel(PARCELS);
        let disk = Arc::clone(disk);
        let read = move || read(&disk, after, &progress.unwrap_or_default(), &sender);
        let reader = thread::Builder::new()
            .name("log-reader".to_owned())
            .spawn(read)
            .map_err(|e| {
                disk::Error::failed("start a thread to read", super::DIR, e.to_string())
            })?;
        Ok(Self {
            parcels: Some(parcels),
            reader: Some(reader),
        })
    }

    /// Hands every record to `apply`, in order; notes what was found as [`replay`] does.
    pub(crate) fn finish(
        mut self,
        recovery: &mut Recovery,
        mut apply: impl FnMut(u64, Record),
    ) -> Result<Replayed, Error> {
        for parcel in self.parcels.take().into_iter().flatten() {
            for (sequence, record) in parcel {
                apply(sequence, record);
            }
        }
        let (replayed, found) = self.join().unwrap_or(Err(Error::Closed))?;
        recovery.records += found.records;
        recovery.torn_bytes += found.torn_bytes;
        recovery.damages.extend(found.damages);
        Ok(replayed)
    }

    /// Waits for the reader, whose panic is ours.
    fn join(&mut self) -> Option<Result<(Replayed, Recovery), Error>> {
        let joined = self.reader.take()?.join();
        Some(joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }
}

/// Who does not open the store after all leaves no thread behind.
impl Drop for Ahead {
    fn drop(&mut self) {
        drop(self.parcels.take());
        if let Some(reader) = self.reader.take() {
            // The opening has failed already.
            let _ = reader.join();
        }
    }
}

fn read(
    disk: &Arc<dyn Disk>,
    after: u64,
    progress: &Progress,
    sender: &SyncSender<Parcel>,
) -> Result<(Replayed, Recovery), Error> {
    let mut recovery = Recovery::default();
    let (mut parcel, mut bytes) = (Vec::new(), 0);
    let mut wanted = true;
    let replayed = replay(disk, after, &mut recovery, progress, |sequence, record| {
        bytes += size(&record);
        parcel.push((sequence, record));
        if bytes >= PARCEL_BYTES {
            bytes = 0;
            let full = std::mem::take(&mut parcel);
            wanted = wanted && sender.send(full).is_ok();
        }
    })?;
    if wanted {
        // Nobody there: the opening has failed, and what was read is of no account.
        let _ = sender.send(parcel);
    }
    Ok((replayed, recovery))
}

/// About how many bytes a record takes.
fn size(record: &Record) -> usize {
    let held = match record {
        Record::Batch(batch) => of_batch(batch),
        Record::Delete { ids, .. } => size_of_val(ids.as_slice()),
    };
    held + size_of::<(u64, Record)>()
}

fn of_batch(batch: &Batch) -> usize {
    let described = batch.series.len() + batch.exemplars.len() + batch.metadata.len();
    size_of_val(batch.row.as_slice())
        + batch.samples.len() * size_of::<(SeriesId, Sample)>()
        + described * (LABELS_BYTES + size_of::<(SeriesId, Labels)>())
}
