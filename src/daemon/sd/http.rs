//! `http_sd_configs`: a server is asked now and then.

use std::time::Instant;

use http::header::{ACCEPT, HeaderValue};

use super::{Finds, Refreshes};
use crate::daemon::Clock;
use crate::daemon::net::{Client, Request};
use crate::discovery::{HttpOptions, TargetGroup, http as payload};

/// The largest answer that is read, in bytes.
const ANSWER_MAX: u64 = 64 << 20;

/// Asks and tells for ever.
pub(super) async fn run(owner: String, options: HttpOptions, finds: Finds, clock: Clock) {
    let client = match Client::new(&options.client) {
        Ok(client) => client,
        Err(why) => {
            tracing::error!(
                job = owner,
                url = options.url,
                "Unable to start HTTP discovery: {why}"
            );
            return;
        }
    };
    let refreshes = Refreshes::new(&finds.metrics, "http", &owner);
    let failures = finds.metrics.counter(
        "prometheus_sd_http_failures_total",
        "Number of HTTP service discovery refresh failures.",
    );
    let mut known = 0;
    loop {
        let began = Instant::now();
        let answer = ask(&client, &options, &clock).await;
        refreshes.seconds.observe(began.elapsed().as_secs_f64());
        match answer {
            Ok(mut groups) => {
                let count = groups.len();
                groups.extend((count..known).map(|index| TargetGroup {
                    source: payload::source(&options.url, index),
                    ..TargetGroup::default()
                }));
                known = count;
                finds.update(groups);
            }
            // compat: what the server said before stays.
            Err(why) => {
                refreshes.failures.inc();
                failures.inc();
                tracing::error!(
                    job = owner,
                    url = options.url,
                    "Unable to refresh target groups: {why}"
                );
            }
        }
        clock.sleep(options.refresh_interval).await;
    }
}

async fn ask(
    client: &Client,
    options: &HttpOptions,
    clock: &Clock,
) -> Result<Vec<TargetGroup>, String> {
    let timeout = clock.real_duration(options.refresh_interval);
    let mut request = Request::get(&options.url, timeout);
    request.body_limit = ANSWER_MAX;
    request.gzip = true;
    request
        .headers
        .insert(ACCEPT, HeaderValue::from_static("application/json"));
    let seconds = options.refresh_interval.as_secs_f64().to_string();
    if let Ok(seconds) = HeaderValue::from_str(&seconds) {
        request
            .headers
            .insert("X-Prometheus-Refresh-Interval-Seconds", seconds);
    }
    let answer = client.send(request).await.map_err(|e| e.to_string())?;
    payload::parse(
        &options.url,
        &answer.status_text(),
        answer.header("content-type"),
        &answer.body,
    )
    .map_err(|e| e.to_string())
}
