//! Connections that are open and not used.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::connect::Connection;
use crate::daemon::open_files::Seat;

/// Idle connections that a pool keeps, over all hosts.
const IDLE_MAX: usize = 16;
/// How long an idle connection is kept; a little under the five minutes of upstream's scrapes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(290);

/// Where a connection leads: it serves all requests that go there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    /// Scheme, host, port and proxy.
    pub(super) to: Arc<str>,
    /// Of the TLS configuration, which changes with the files that it is read from.
    pub(super) generation: u64,
}

/// The idle connections of a client.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    way: Way,
    connection: Connection,
    since: Instant,
    seat: Seat,
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Idle")
            .field("way", &self.way)
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// A connection that was well just now.
    pub(super) async fn take(&self, way: &Way) -> Option<(Connection, Seat)> {
        loop {
            let idle = self.next(way)?;
            if let Connection::Http2(h2) = &idle.connection {
                // One connection serves many requests at once.
                self.put(way.clone(), Connection::Http2(h2.clone()), Seat::take());
            }
            if let Some(connection) = idle.connection.wake().await {
                return Some((connection, idle.seat));
            }
        }
    }

    fn next(&self, way: &Way) -> Option<Idle> {
        let mut pool = self.idle.lock();
        if pool.is_empty() {
            return None;
        }
        let now = Instant::now();
        pool.retain(|idle| {
            !idle.connection.is_closed() && now.duration_since(idle.since) < IDLE_TIMEOUT
        });
        let at = pool.iter().position(|idle| idle.way == *way)?;
        Some(pool.swap_remove(at))
    }

    pub(super) fn put(&self, way: Way, connection: Connection, seat: Seat) {
        let mut pool = self.idle.lock();
        let is_there = pool.iter().any(|idle| idle.way == way);
        if matches!(connection, Connection::Http2(_)) && is_there {
            return;
        }
        if pool.len() >= IDLE_MAX {
            pool.remove(0);
        }
        // Nearly all pools serve one target and keep one connection.
        let len = pool.len();
        pool.reserve_exact(len.max(1));
        pool.push(Idle {
            way,
            connection,
            since: Instant::now(),
            seat,
        });
    }
}
