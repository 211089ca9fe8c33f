//! `/api/v1/status/...`.

use serde_json::{Map, Value, json};

use crate::http::state::BuildInfo;
use crate::http::{Failure, Params, Reply, State};
use crate::time::WallTime;
use crate::tsdb::{NamedCount, Pressure};

/// The six fields that `/version` and `status/buildinfo` show. No `features`: Grafana would take us for Mimir.
pub(crate) fn build_info(build: &BuildInfo) -> Value {
    json!({
        "version": build.version,
        "revision": build.revision,
        "branch": build.branch,
        "buildUser": build.build_user,
        "buildDate": build.build_date,
        "goVersion": build.go_version,
    })
}

pub(super) async fn build(state: State, _: Params) -> Result<Reply, Failure> {
    Ok(Reply::json(&build_info(&state.build)))
}

pub(super) async fn config(state: State, _: Params) -> Result<Reply, Failure> {
    Ok(Reply::json(&json!({ "yaml": (state.config)() })))
}

pub(super) async fn flags(state: State, _: Params) -> Result<Reply, Failure> {
    let flags: Map<String, Value> = state
        .flags
        .iter()
        .map(|(name, value)| (name.clone(), Value::String(value.clone())))
        .collect();
    Ok(Reply::json(&flags))
}

pub(super) async fn runtime(state: State, _: Params) -> Result<Reply, Failure> {
    let runtime = (state.runtime)();
    let text = |t: Option<WallTime>| t.unwrap_or(WallTime::ZERO).to_string();
    Ok(Reply::json(&json!({
        "startTime": text(runtime.start_time),
        "CWD": runtime.cwd,
        "hostname": runtime.hostname,
        "serverTime": (state.now)().to_string(),
        "reloadConfigSuccess": runtime.reload_success,
        "lastConfigTime": text(runtime.last_config_time),
        "corruptionCount": 0,
        "goroutineCount": runtime.threads,
        "GOMAXPROCS": runtime.threads,
        "GOMEMLIMIT": runtime.memory_limit,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": runtime.storage_retention,
    })))
}

/// The log is read before the first request is answered, so there is never anything left to replay.
pub(super) async fn wal_replay(_: State, _: Params) -> Result<Reply, Failure> {
    Ok(Reply::json(&json!({ "min": 0, "max": 0, "current": 0 })))
}

pub(super) async fn tsdb(state: State, params: Params) -> Result<Reply, Failure> {
    let limit = match params.get("limit") {
        "" => 10,
        text => text
            .parse::<usize>()
            .ok()
            .filter(|n| *n > 0)
            .ok_or_else(|| Failure::bad_data("limit must be a positive number"))?,
    };
    if limit > 10_000 {
        return Err(Failure::bad_data("limit must not exceed 10000"));
    }
    let view = std::sync::Arc::clone(&state.stats);
    let stats = tokio::task::spawn_blocking(move || view(limit))
        .await
        .map_err(|e| Failure::new(crate::http::ErrorKind::Internal, e.to_string()))?;
    let list = |counts: &[NamedCount]| -> Vec<Value> {
        counts
            .iter()
            .map(|c| json!({ "name": c.name, "value": c.count }))
            .collect()
    };
    Ok(Reply::json(&json!({
        "headStats": {
            "numSeries": stats.series,
            "numLabelPairs": stats.label_pairs,
            "chunkCount": stats.chunks,
            "minTime": stats.min_ms.unwrap_or(i64::MAX),
            "maxTime": stats.max_ms.unwrap_or(i64::MIN),
        },
        "seriesCountByMetricName": list(&stats.series_by_metric),
        "labelValueCountByLabelName": list(&stats.values_by_label),
        "memoryInBytesByLabelName": list(&stats.bytes_by_label),
        "seriesCountByLabelValuePair": list(&stats.series_by_pair),
    })))
}

/// `GET /api/watchfire/v1/status/memory`: the budget, what is shed, and who grows.
pub(super) async fn memory(state: State, params: Params) -> Result<Reply, Failure> {
    let limit = match params.get("limit") {
        "" => 10,
        text => text
            .parse::<usize>()
            .ok()
            .filter(|n| (1..=10_000).contains(n))
            .ok_or_else(|| Failure::bad_data("limit must be a number from 1 to 10000"))?,
    };
    let view = std::sync::Arc::clone(&state.memory);
    let view = tokio::task::spawn_blocking(move || view(limit))
        .await
        .map_err(|e| Failure::new(crate::http::ErrorKind::Internal, e.to_string()))?;
    let sheds = match view.pressure {
        Pressure::None => "nothing",
        Pressure::Caches => "caches",
        Pressure::Queries => "queries",
        Pressure::Series => "new series of the targets that grow most",
        Pressure::AllSeries => "all new series",
    };
    let growth: Vec<Value> = view
        .growth
        .iter()
        .map(|growth| {
            json!({
                "job": growth.origin.job,
                "instance": growth.origin.instance,
                "newSeries": growth.series,
                "refusedSeries": growth.refused,
                "metric": growth.metric,
                "label": growth.label,
            })
        })
        .collect();
    let jobs: Vec<Value> = view
        .jobs
        .iter()
        .map(|used| {
            json!({
                "job": used.job,
                "series": used.series,
                "sampleBytes": used.sample_bytes,
            })
        })
        .collect();
    Ok(Reply::json(&json!({
        "limitBytes": view.limit,
        "usedBytes": view.used,
        "sheds": sheds,
        "refusedSeries": view.refused,
        "series": view.series,
        "archivedSeries": view.archived_series,
        "sampleBytes": view.sample_bytes,
        "blockBytes": view.block_bytes,
        "growth": growth,
        "jobs": jobs,
    })))
}
