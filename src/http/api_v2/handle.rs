use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::alerting;
use crate::alerting::matchers::Syntax;
use crate::model::Alert;
use crate::template::notify::TemplateSet;
use crate::time::WallTime;

/// The router, shared by the API, the rules and the loop that sends. Clones are the same router.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

struct Shared {
    router: Mutex<alerting::Router>,
    info: ArcSwap<RouterInfo>,
    news: Notify,
    started: WallTime,
    syntax: Syntax,
}

/// What the API shows of the configuration.
#[derive(Debug, Clone, Default)]
pub struct RouterInfo {
    /// The configuration without secrets.
    pub original: String,
    /// The receivers in order.
    pub receivers: Vec<ReceiverInfo>,
    /// The templates, for the labels of routes.
    pub templates: TemplateSet,
    /// The address that notifications link to.
    pub external_url: String,
}

/// A receiver as the API shows it.
#[derive(Debug, Clone, Default)]
pub struct ReceiverInfo {
    /// Its name.
    pub name: String,
    /// Its labels without the name.
    pub labels: Vec<(String, String)>,
}

impl Handle {
    /// Shares a router that was started at `started`.
    pub fn new(router: alerting::Router, info: RouterInfo, started: WallTime) -> Self {
        Self(Arc::new(Shared {
            syntax: router.syntax(),
            router: Mutex::new(router),
            info: ArcSwap::from_pointee(info),
            news: Notify::new(),
            started,
        }))
    }

    /// Looks at the router or changes it. Blocks while others do, and while the journal is written: call
    /// it from a thread that may block.
    pub fn with<T>(&self, act: impl FnOnce(&mut alerting::Router) -> T) -> T {
        act(&mut self.0.router.lock())
    }

    /// As [`Self::with`], on a thread for blocking work; `None` when the program is going down.
    pub async fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut alerting::Router) -> T + Send + 'static,
    ) -> Option<T> {
        let handle = self.clone();
        tokio::task::spawn_blocking(move || handle.with(act))
            .await
            .ok()
    }

    /// Takes alerts; tells the loop if something is due earlier because of them. Returns when they are durable; refusals one by one.
    pub async fn take(&self, now: WallTime, alerts: Vec<Alert>) -> Vec<alerting::Error> {
        let taken = self
            .act(move |router| {
                let before = router.next_wakeup();
                let refused = router.on_alerts(now, alerts);
                let after = router.next_wakeup();
                (
                    refused,
                    after.is_some() && (before.is_none() || after < before),
                )
            })
            .await;
        let (refused, earlier) = taken.unwrap_or_default();
        if earlier {
            self.wake();
        }
        refused
    }

    /// Tells the loop that something may be due earlier than it thinks.
    pub fn wake(&self) {
        self.0.news.notify_one();
    }

    /// Waits for [`Self::wake`]; for the loop alone.
    pub async fn news(&self) {
        self.0.news.notified().await;
    }

    /// Shows another configuration from now on.
    pub fn set_info(&self, info: RouterInfo) {
        self.0.info.store(Arc::new(info));
    }

    /// The configuration that is shown.
    pub fn info(&self) -> Arc<RouterInfo> {
        self.0.info.load_full()
    }

    /// Which syntax of matchers is understood.
    pub fn syntax(&self) -> Syntax {
        self.0.syntax
    }

    /// When the router was started.
    pub fn started(&self) -> WallTime {
        self.0.started
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
