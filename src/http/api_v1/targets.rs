//! `/api/v1/targets`, `scrape_pools`, `targets/metadata`, `targets/relabel_steps`, `metadata`, `alertmanagers`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use url::Url;

use super::selection::selector;
use crate::http::state::{PoolView, TargetView};
use crate::http::{Failure, Params, Reply, State, json};
use crate::model::{Labels, Metadata};
use crate::relabel::Rule;
use crate::text::quote::quote;
use crate::time::WallTime;

pub(super) async fn scrape_pools(state: State, _: Params) -> Result<Reply, Failure> {
    let mut names: Vec<String> = (state.targets)().into_iter().map(|p| p.name).collect();
    names.sort();
    Ok(Reply::json(&json!({ "scrapePools": names })))
}

pub(super) async fn targets(state: State, params: Params) -> Result<Reply, Failure> {
    let which = params.get("state").to_lowercase();
    let pool = params.get("scrapePool");
    let show_active = matches!(which.as_str(), "" | "any" | "active");
    let show_dropped = matches!(which.as_str(), "" | "any" | "dropped");
    let mut pools = (state.targets)();
    pools.retain(|p| pool.is_empty() || p.name == pool);
    pools.sort_by(|a, b| a.name.cmp(&b.name));
    for pool in &mut pools {
        pool.active.sort_by(|a, b| a.labels.cmp(&b.labels));
    }
    let active = pools.iter().filter(|_| show_active).flat_map(|pool| {
        let shown = |t| target(&state, &pool.name, t);
        pool.active.iter().map(shown)
    });
    let dropped = pools.iter().filter(|_| show_dropped).flat_map(|pool| {
        let shown =
            |labels| json!({ "discoveredLabels": json::labels(labels), "scrapePool": pool.name });
        pool.dropped.iter().map(shown)
    });
    let counts = if show_dropped {
        Value::Object(pools.iter().map(dropped_count).collect())
    } else {
        Value::Null
    };
    Ok(Reply::json(&AllTargets {
        active_targets: active,
        dropped_targets: dropped,
        dropped_target_counts: counts,
    }))
}

/// What `/api/v1/targets` shows. Each target becomes JSON when it is its turn: a tree of twenty thousand would take more
/// memory than the targets do.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AllTargets<A, D>
where
    A: Iterator<Item = Value> + Clone,
    D: Iterator<Item = Value> + Clone,
{
    #[serde(serialize_with = "each")]
    active_targets: A,
    #[serde(serialize_with = "each")]
    dropped_targets: D,
    dropped_target_counts: Value,
}

fn each<S: Serializer>(
    values: &(impl Iterator<Item = Value> + Clone),
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.clone())
}

fn dropped_count(pool: &PoolView) -> (String, Value) {
    (pool.name.clone(), Value::from(pool.dropped_count))
}

fn target(state: &State, pool: &str, target: &TargetView) -> Value {
    json!({
        "discoveredLabels": json::labels(&target.discovered_labels),
        "labels": json::labels(&target.labels),
        "scrapePool": pool,
        "scrapeUrl": target.url,
        "globalUrl": global_url(&state.external_url, state.listen_port, &target.url),
        "lastError": target.last_error,
        "lastScrape": target.last_scrape.unwrap_or(WallTime::ZERO).to_string(),
        "lastScrapeDuration": target.last_duration.as_secs_f64(),
        "health": target.health,
        "scrapeInterval": target.interval,
        "scrapeTimeout": target.timeout,
    })
}

/// The target's address as others reach it: loopback becomes the host of our external URL.
fn global_url(external_url: &str, listen_port: u16, url: &str) -> String {
    let (Ok(mut target), Ok(own)) = (Url::parse(url), Url::parse(external_url)) else {
        return url.to_owned();
    };
    if !matches!(target.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")) {
        return url.to_owned();
    }
    if target.port_or_known_default() == Some(listen_port) {
        // This is us: scheme and port as seen from outside hold as well.
        let _ = target.set_scheme(own.scheme());
        let _ = target.set_port(own.port());
    }
    let _ = target.set_host(own.host_str());
    target.to_string()
}

pub(super) async fn metadata_by_target(state: State, params: Params) -> Result<Reply, Failure> {
    let limit = params
        .integer("limit")
        .map_err(|_| Failure::bad_data("limit must be a number"))?;
    let limit = limit.filter(|n| *n >= 0).map_or(usize::MAX, |n| n as usize);
    let matchers = match params.get("match_target") {
        "" => Vec::new(),
        text => selector(text).map_err(|e| Failure::invalid("match_target", e))?,
    };
    let metric = params.get("metric");
    let list: Vec<Value> = (state.target_metadata)()
        .into_iter()
        .filter(|entry| metric.is_empty() || entry.metric == metric)
        .filter(|entry| {
            matchers
                .iter()
                .all(|m| m.matches(entry.target.get(&m.name).unwrap_or_default()))
        })
        .take(limit)
        .map(|entry| {
            let mut shown = Map::new();
            shown.insert("target".to_owned(), json::labels(&entry.target));
            // compat: the name is left out where the caller gave it.
            if metric.is_empty() {
                shown.insert("metric".to_owned(), Value::String(entry.metric));
            }
            shown.insert("type".to_owned(), kind(&entry.metadata));
            shown.insert(
                "help".to_owned(),
                Value::String(entry.metadata.help.clone()),
            );
            shown.insert(
                "unit".to_owned(),
                Value::String(entry.metadata.unit.clone()),
            );
            Value::Object(shown)
        })
        .collect();
    Ok(Reply::json(&list))
}

pub(super) async fn relabel_steps(state: State, params: Params) -> Result<Reply, Failure> {
    let pool = params.get("scrapePool");
    if pool.is_empty() {
        return Err(Failure::bad_data("no scrapePool parameter provided"));
    }
    let text = params.get("labels");
    if text.is_empty() {
        return Err(Failure::bad_data("no labels parameter provided"));
    }
    let pairs: BTreeMap<String, String> = serde_json::from_str(text)
        .map_err(|e| Failure::bad_data(format!("error parsing labels: {e}")))?;
    let labels = Labels::from_pairs(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())));
    let steps = (state.relabel_steps)(pool, &labels).ok_or_else(|| {
        Failure::bad_data(format!(
            "error retrieving scrape config: scrape pool {} not found",
            quote(pool)
        ))
    })?;
    let steps: Vec<Value> = steps
        .iter()
        .map(|(rule, step)| {
            json!({ "rule": shown_rule(rule), "output": json::labels(&step.output), "keep": step.kept })
        })
        .collect();
    Ok(Reply::json(&json!({ "steps": steps })))
}

/// compat: what is empty or zero is left out.
fn shown_rule(rule: &Rule) -> Value {
    let mut shown = Map::new();
    if !rule.source_labels.is_empty() {
        shown.insert("sourceLabels".to_owned(), json!(rule.source_labels));
    }
    let mut text = |name: &str, value: &str| {
        if !value.is_empty() {
            shown.insert(name.to_owned(), Value::from(value));
        }
    };
    text("separator", &rule.separator);
    text("regex", rule.regex.pattern());
    text("targetLabel", &rule.target_label);
    text("replacement", &rule.replacement);
    text("action", rule.action.as_str());
    if rule.modulus > 0 {
        shown.insert("modulus".to_owned(), Value::from(rule.modulus));
    }
    Value::Object(shown)
}

fn kind(metadata: &Metadata) -> Value {
    Value::String(metadata.metric_type.as_str().to_owned())
}

pub(super) async fn metadata(state: State, params: Params) -> Result<Reply, Failure> {
    let count = |name: &str| -> Result<usize, Failure> {
        let n = params
            .integer(name)
            .map_err(|_| Failure::bad_data(format!("{name} must be a number")))?;
        Ok(n.filter(|n| *n >= 0).map_or(usize::MAX, |n| n as usize))
    };
    let limit = count("limit")?;
    let per_metric = match count("limit_per_metric")? {
        0 => usize::MAX,
        n => n,
    };
    let metric = params.get("metric");
    let mut by_metric: BTreeMap<String, BTreeSet<(String, String, String)>> = BTreeMap::new();
    for entry in (state.target_metadata)() {
        if !metric.is_empty() && entry.metric != metric {
            continue;
        }
        if !by_metric.contains_key(&entry.metric) && by_metric.len() >= limit {
            continue;
        }
        let seen = by_metric.entry(entry.metric).or_default();
        if seen.len() < per_metric {
            seen.insert((
                entry.metadata.metric_type.as_str().to_owned(),
                entry.metadata.unit,
                entry.metadata.help,
            ));
        }
    }
    let shown: Map<String, Value> = by_metric
        .into_iter()
        .map(|(name, entries)| {
            let entries = entries
                .into_iter()
                .map(|(kind, unit, help)| json!({ "type": kind, "unit": unit, "help": help }))
                .collect();
            (name, Value::Array(entries))
        })
        .collect();
    Ok(Reply::json(&shown))
}

pub(super) async fn alertmanagers(state: State, _: Params) -> Result<Reply, Failure> {
    let (active, dropped) = (state.alertmanagers)();
    let list = |urls: Vec<String>| -> Vec<Value> {
        urls.into_iter().map(|url| json!({ "url": url })).collect()
    };
    Ok(Reply::json(&json!({
        "activeAlertmanagers": list(active),
        "droppedAlertmanagers": list(dropped),
    })))
}
