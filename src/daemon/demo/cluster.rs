//! The pretend cluster: what each exporter shows after so many minutes of the demo's time.

use std::fmt::Write as _;

/// When the API server stops answering, and when it answers again, in minutes.
const API_SERVER_DOWN: std::ops::Range<f64> = 12.0..28.0;

/// When the cart's container begins to crash for good, in minutes.
const CRASHES_FROM: f64 = 4.0;

/// The kubelet's waits between restarts, in minutes: 10 s, doubled up to 5 min.
const BACK_OFF: [f64; 6] = [0.17, 0.33, 0.67, 1.33, 2.67, 5.0];

/// An exporter of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exporter {
    /// The API server's own metrics.
    ApiServer,
    /// kube-state-metrics.
    KubeState,
    /// A node exporter.
    Node,
    /// A service that takes requests.
    Shop,
}

impl Exporter {
    pub(super) const ALL: [Self; 4] = [Self::ApiServer, Self::KubeState, Self::Node, Self::Shop];

    /// The job under which it is scraped.
    pub(super) const fn job(self) -> &'static str {
        match self {
            Self::ApiServer => "apiserver",
            Self::KubeState => "kube-state-metrics",
            Self::Node => "node",
            Self::Shop => "shop",
        }
    }

    /// The address that its series carry.
    pub(super) const fn instance(self) -> &'static str {
        match self {
            Self::ApiServer => "10.0.0.1:6443",
            Self::KubeState => "10.0.0.4:8080",
            Self::Node => "node-1:9100",
            Self::Shop => "10.0.0.9:8080",
        }
    }

    /// The page after `minutes`, or nothing while the exporter is down.
    pub(super) fn page(self, minutes: f64) -> Option<String> {
        match self {
            Self::ApiServer => api_server(minutes),
            Self::KubeState => Some(kube_state(minutes)),
            Self::Node => Some(node(minutes)),
            Self::Shop => Some(shop(minutes)),
        }
    }
}

fn api_server(minutes: f64) -> Option<String> {
    if API_SERVER_DOWN.contains(&minutes) {
        return None;
    }
    let requests = (minutes * 4200.0).floor();
    Some(format!(
        "# HELP apiserver_request_total Requests to the API server.\n# TYPE apiserver_request_total counter\n\
         apiserver_request_total{{verb=\"GET\",code=\"200\"}} {requests}\napiserver_request_total{{verb=\"PATCH\",code=\"200\"}} {}\n",
        (requests / 7.0).floor()
    ))
}

/// How often the container has restarted after `minutes`.
fn restarts(minutes: f64) -> u32 {
    let mut at = CRASHES_FROM;
    let mut count = 0;
    while at <= minutes {
        at += BACK_OFF[usize::min(count as usize, BACK_OFF.len() - 1)];
        count += 1;
    }
    count
}

fn kube_state(minutes: f64) -> String {
    let mut page = String::from(
        "# HELP kube_pod_container_status_restarts_total Restarts of a container.\n# TYPE kube_pod_container_status_restarts_total counter\n",
    );
    for (pod, container, count) in [
        ("cart-7f9c", "cart", restarts(minutes)),
        ("web-5d8b", "web", 1),
        ("db-0", "postgres", 0),
    ] {
        let _ = writeln!(
            page,
            "kube_pod_container_status_restarts_total{{namespace=\"shop\",pod=\"{pod}\",container=\"{container}\"}} {count}"
        );
    }
    page
}

fn node(minutes: f64) -> String {
    let free = (40.0e9 - minutes * 2.6e8).max(0.0).floor();
    format!(
        "# HELP node_filesystem_free_bytes Free space.\n# TYPE node_filesystem_free_bytes gauge\n\
         node_filesystem_free_bytes{{device=\"/dev/sda1\",mountpoint=\"/var\",fstype=\"ext4\"}} {free}\n\
         node_filesystem_free_bytes{{device=\"tmpfs\",mountpoint=\"/run\",fstype=\"tmpfs\"}} 800000000\n\
         # HELP node_load1 Load.\n# TYPE node_load1 gauge\nnode_load1 {:.2}\n",
        0.4 + (minutes / 3.0).sin().abs()
    )
}

fn shop(minutes: f64) -> String {
    let good = (minutes * 900.0).floor();
    let bad = (minutes * 4.0).floor();
    format!(
        "# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\n\
         http_requests_total{{status=\"200\"}} {good}\nhttp_requests_total{{status=\"503\"}} {bad}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_server_is_away_for_a_while() {
        assert!(Exporter::ApiServer.page(1.0).is_some());
        assert!(Exporter::ApiServer.page(15.0).is_none());
        assert!(Exporter::ApiServer.page(30.0).is_some());
    }

    #[test]
    fn the_cart_restarts_with_the_kubelets_back_off() {
        assert_eq!((restarts(3.9), restarts(4.0), restarts(4.2)), (0, 1, 2));
        let steady = restarts(60.0) - restarts(45.0);
        assert_eq!(
            steady, 3,
            "three restarts in fifteen minutes once the wait is five minutes"
        );
    }
}
