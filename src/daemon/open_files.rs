//! How many files and connections the process may have open.

use std::io;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lifts the limit as far as the system allows without privileges: a connection is kept for each target, and the usual
/// 1,024 are for programs that know no better.
///
/// compat: Go's runtime does the same at the start.
pub(super) fn lift() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let lifted = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(why) = setrlimit(Resource::Nofile, lifted) {
        tracing::warn!("the limit of open files stays as it is: {why}");
    }
}

/// Of eight parts of the files that may be open, connections to targets may take so many, and of these may stay idle so
/// many: the rest is for the log, blocks, alerts and who asks.
const TARGET_PARTS: u64 = 7;
const IDLE_PARTS: u64 = 6;

/// Counts connections that are open, so that the daemon keeps files for itself when targets are many.
#[derive(Debug)]
struct Seats {
    files_max: u64,
    taken: AtomicU64,
    is_told: AtomicBool,
}

impl Seats {
    const fn new(files_max: u64) -> Self {
        Self {
            files_max,
            taken: AtomicU64::new(0),
            is_told: AtomicBool::new(false),
        }
    }

    /// Whether less than some parts of the files are taken.
    fn has_room(&self, parts: u64) -> bool {
        let has_room = self.taken.load(Ordering::Relaxed) < self.files_max / 8 * parts;
        if !has_room && !self.is_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                files_max = self.files_max,
                "targets are too many for the limit of open files: not all connections are kept between scrapes \
                 (raise the limit with ulimit -n or LimitNOFILE)"
            );
        }
        has_room
    }
}

/// Those of this process.
static SEATS: LazyLock<Seats> = LazyLock::new(|| {
    let limit = getrlimit(Resource::Nofile);
    Seats::new(limit.current.unwrap_or(u64::MAX))
});

/// Stands for an open connection.
#[derive(Debug)]
pub(super) struct Seat(());

impl Seat {
    /// For a connection that is made whatever there is room for.
    pub(super) fn take() -> Self {
        SEATS.taken.fetch_add(1, Ordering::Relaxed);
        Self(())
    }

    /// For a connection to a target; an error when targets have all that they may have.
    pub(super) fn take_for_target() -> io::Result<Self> {
        if SEATS.has_room(TARGET_PARTS) {
            Ok(Self::take())
        } else {
            Err(Errno::MFILE.into())
        }
    }

    /// Whether the connection may stay open without being used.
    pub(super) fn may_rest(&self) -> bool {
        let Self(()) = self;
        SEATS.has_room(IDLE_PARTS)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        SEATS.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_lift() {
        lift();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }

    #[test]
    fn connections_leave_files_for_the_rest() {
        let seats = Seats::new(80);
        let room = |taken| {
            seats.taken.store(taken, Ordering::Relaxed);
            [seats.has_room(IDLE_PARTS), seats.has_room(TARGET_PARTS)]
        };
        assert_eq!(room(59), [true, true]);
        assert_eq!(room(60), [false, true]);
        assert_eq!(room(69), [false, true]);
        assert_eq!(room(70), [false, false]);
        assert_eq!(room(0), [true, true]);
    }
}
