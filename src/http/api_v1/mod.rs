//! Prometheus's HTTP API v1 under `/api/v1`.

mod admin;
mod features;
mod notifications;
mod query;
mod rules;
mod selection;
mod series;
mod status;
mod targets;

use axum::Router;

use super::State;
use super::wrap::{get, get_or_post, get_with_name};

pub(crate) use notifications::notices;
pub(super) use status::build_info;

/// What [`super::router`] mounts.
pub fn routes() -> Router<State> {
    Router::new()
        .route("/api/v1/query", get_or_post(query::instant))
        .route("/api/v1/query_range", get_or_post(query::range))
        .route("/api/v1/query_exemplars", get_or_post(series::exemplars))
        .route("/api/v1/format_query", get_or_post(series::format_query))
        .route("/api/v1/parse_query", get_or_post(series::parse_query))
        .route(
            "/api/v1/series",
            get_or_post(series::series).delete(series::drop_series),
        )
        .route("/api/v1/labels", get_or_post(series::label_names))
        .route(
            "/api/v1/label/{name}/values",
            get_with_name(series::label_values),
        )
        .route("/api/v1/targets", get(targets::targets))
        .route("/api/v1/scrape_pools", get(targets::scrape_pools))
        .route("/api/v1/targets/metadata", get(targets::metadata_by_target))
        .route("/api/v1/targets/relabel_steps", get(targets::relabel_steps))
        .route("/api/v1/metadata", get(targets::metadata))
        .route("/api/v1/alertmanagers", get(targets::alertmanagers))
        .route("/api/v1/rules", get(rules::rules))
        .route("/api/v1/alerts", get(rules::alerts))
        .merge(notifications::routes())
        .route("/api/v1/features", get(features::features))
        .route("/api/v1/status/config", get(status::config))
        .route("/api/v1/status/flags", get(status::flags))
        .route("/api/v1/status/runtimeinfo", get(status::runtime))
        .route("/api/v1/status/buildinfo", get(status::build))
        .route("/api/v1/status/tsdb", get(status::tsdb))
        .route("/api/watchfire/v1/status/memory", get(status::memory))
        .route("/api/v1/status/walreplay", get(status::wal_replay))
        .route("/api/v1/admin/tsdb/delete_series", admin::delete_series())
        .route(
            "/api/v1/admin/tsdb/clean_tombstones",
            admin::clean_tombstones(),
        )
        .route("/api/v1/admin/tsdb/snapshot", admin::snapshot())
}
