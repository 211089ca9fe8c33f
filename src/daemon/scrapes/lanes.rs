//! Threads for scrapes, each with an event loop of its own.
//!
//! A scrape is many small steps: a timer, a request, pieces of an answer, a page, a write. On a loop that threads
//! share, each step may wake another thread, which costs more than taking a small page. Here a target stays on
//! one thread from its timer to the log. What would keep that thread from its other targets (a large page, a
//! slow disk) goes to a thread for blocking work instead.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A page of more bytes is not taken on a lane.
const PAGE_BYTES_MAX: usize = 1 << 20;

/// A page that takes longer is a reason not to take pages on lanes for a while.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long that is.
const PAUSE: Duration = Duration::from_secs(5);

/// The threads, which start when they are needed and end when this is dropped.
#[derive(Debug)]
pub struct Lanes {
    /// `None` where the system gave no thread.
    handles: Vec<OnceLock<Option<Handle>>>,
    stop: watch::Sender<bool>,
    began: Instant,
    /// No page is taken on a lane before; milliseconds since `began`.
    slow_until_ms: AtomicI64,
}

impl Lanes {
    /// At most `count` threads, at least one.
    pub fn new(count: usize) -> Self {
        Self {
            handles: (0..count.max(1)).map(|_| OnceLock::new()).collect(),
            stop: watch::Sender::new(false),
            began: Instant::now(),
            slow_until_ms: AtomicI64::new(0),
        }
    }

    /// Runs a task on the lane of `key`. Must be called within a runtime, which takes it where there is no lane.
    pub(super) fn spawn<F>(&self, key: u64, task: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let number = key % self.handles.len() as u64;
        let lane = self.handles.get(number as usize);
        let handle = lane.and_then(|lane| lane.get_or_init(|| self.start(number)).as_ref());
        match handle {
            Some(handle) => handle.spawn(task),
            None => tokio::spawn(task),
        }
    }

    fn start(&self, number: u64) -> Option<Handle> {
        let started = Builder::new_current_thread().enable_all().build();
        let runtime = started.inspect_err(|e| tracing::warn!("no event loop for scrapes: {e}"));
        let runtime = runtime.ok()?;
        let handle = runtime.handle().clone();
        let mut stop = self.stop.subscribe();
        let run = move || {
            runtime.block_on(async move {
                // An error says that nobody is there any more to stop it.
                let _ = stop.wait_for(|stop| *stop).await;
            });
        };
        let thread = std::thread::Builder::new().name(format!("scrape-{number}"));
        let spawned = thread.spawn(run);
        let spawned = spawned.inspect_err(|e| tracing::warn!("no thread for scrapes: {e}"));
        spawned.is_ok().then_some(handle)
    }

    /// Whether a page of so many bytes may be taken on the lane itself.
    pub(in crate::daemon) fn takes(&self, bytes: usize) -> bool {
        bytes <= PAGE_BYTES_MAX && self.now_ms() >= self.slow_until_ms.load(Ordering::Relaxed)
    }

    /// Notes how long a page took that was taken on a lane.
    pub(in crate::daemon) fn took(&self, duration: Duration) {
        if duration > PATIENCE {
            let until = self.now_ms().saturating_add(PAUSE.as_millis() as i64);
            self.slow_until_ms.store(until, Ordering::Relaxed);
        }
    }

    fn now_ms(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_stays_on_the_thread_of_its_lane() {
        let lanes = Lanes::new(2);
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        for key in [0, 1, 2] {
            let tell = tell.clone();
            let task = async move {
                let before = std::thread::current().id();
                tokio::task::yield_now().await;
                let after = std::thread::current().id();
                tell.send((before, after)).unwrap();
            };
            lanes.spawn(key, task).await.unwrap();
        }
        let mut threads = Vec::new();
        for _ in 0..3 {
            let (before, after) = told.recv().await.unwrap();
            assert_eq!(before, after);
            threads.push(before);
        }
        assert_eq!(threads[0], threads[2]);
        assert_ne!(threads[0], threads[1]);
    }

    #[test]
    fn slow_and_large_pages_go_elsewhere() {
        let lanes = Lanes::new(1);
        assert!(lanes.takes(PAGE_BYTES_MAX));
        assert!(!lanes.takes(PAGE_BYTES_MAX + 1));
        lanes.took(PATIENCE);
        assert!(lanes.takes(1));
        lanes.took(PATIENCE * 2);
        assert!(!lanes.takes(1));
    }
}
