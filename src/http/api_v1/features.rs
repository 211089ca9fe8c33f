//! `/api/v1/features`: what this server can do, under upstream's names, so that clients need not guess.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::http::{Failure, Params, Reply, State};
use crate::promql::signatures;

/// Mechanisms of 3.14; those that run.
const DISCOVERY: &[(&str, bool)] = &[
    ("aws", false),
    ("azure", false),
    ("consul", false),
    ("digitalocean", false),
    ("dns", true),
    ("docker", false),
    ("dockerswarm", false),
    ("ec2", false),
    ("ecs", false),
    ("eureka", false),
    ("file", true),
    ("gce", false),
    ("hetzner", false),
    ("http", true),
    ("ionos", false),
    ("kubernetes", false),
    ("kuma", false),
    ("lightsail", false),
    ("linode", false),
    ("marathon", false),
    ("msk", false),
    ("nerve", false),
    ("nomad", false),
    ("openstack", false),
    ("ovhcloud", false),
    ("puppetdb", false),
    ("scaleway", false),
    ("serverset", false),
    ("stackit", false),
    ("static", true),
    ("triton", false),
    ("uyuni", false),
    ("vultr", false),
];

/// What templates of rules may call.
const TEMPLATING: &[&str] = &[
    "args",
    "externalURL",
    "first",
    "graphLink",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "label",
    "match",
    "now",
    "parseDuration",
    "pathPrefix",
    "query",
    "reReplaceAll",
    "safeHtml",
    "sortByLabel",
    "stripDomain",
    "stripPort",
    "strvalue",
    "tableLink",
    "title",
    "toDuration",
    "toLower",
    "toTime",
    "toUpper",
    "urlQueryEscape",
    "value",
];

const OPERATORS: &[&str] = &[
    "!=",
    "!~",
    "%",
    "*",
    "+",
    "-",
    "/",
    "<",
    "<=",
    "==",
    "=~",
    ">",
    ">=",
    "@",
    "^",
    "and",
    "atan2",
    "avg",
    "bottomk",
    "count",
    "count_values",
    "group",
    "max",
    "min",
    "or",
    "quantile",
    "stddev",
    "stdvar",
    "sum",
    "topk",
    "unless",
];

pub(super) async fn features(state: State, _: Params) -> Result<Reply, Failure> {
    let feature = |name: &str| state.features.contains(name);
    let syntax = state.syntax;
    let functions: BTreeMap<&str, bool> = signatures::all()
        .map(|sig| (sig.name, syntax.experimental_functions || !sig.experimental))
        .collect();
    let mut operators: BTreeMap<&str, bool> = OPERATORS.iter().map(|name| (*name, true)).collect();
    for name in ["limit_ratio", "limitk"] {
        operators.insert(name, syntax.experimental_functions);
    }
    let templating: BTreeMap<&str, bool> = TEMPLATING.iter().map(|name| (*name, true)).collect();
    let discovery: BTreeMap<&str, bool> = DISCOVERY.iter().copied().collect();
    Ok(Reply::json(&json!({
        "api": {
            "admin": state.admin.is_some(),
            "exclude_alerts": true,
            "label_values_match": true,
            "lifecycle": state.reload.is_some(),
            "openapi_3.1": false,
            "openapi_3.2": false,
            "otlp_write_receiver": false,
            "query_stats": true,
            "query_warnings": true,
            "remote_write_receiver": state.accept_remote_write,
            "time_range_labels": true,
            "time_range_series": true,
        },
        "otlp_receiver": { "delta_conversion": false, "native_delta_ingestion": false },
        "prometheus": {
            "agent_mode": false,
            "auto_reload_config": feature("auto-reload-config"),
            "server_mode": true,
            "stringlabels": false,
        },
        "promql": promql(&state),
        "promql_functions": functions,
        "promql_operators": operators,
        "rules": {
            "concurrent_rule_eval": false,
            "keep_firing_for": true,
            "query_offset": true,
        },
        "scrape": {
            "extra_scrape_metrics": true,
            "start_timestamp_zero_ingestion": feature("created-timestamp-zero-ingestion"),
            "type_and_unit_labels": feature("type-and-unit-labels"),
        },
        "service_discovery_providers": discovery,
        "templating_functions": templating,
        "tsdb": {
            "delayed_compaction": false,
            "exemplar_storage": feature("exemplar-storage"),
            "isolation": true,
            "native_histograms": true,
            "use_uncached_io": false,
        },
        "ui": { "ui_v2": false, "ui_v3": false },
    })))
}

fn promql(state: &State) -> Value {
    let feature = |name: &str| state.features.contains(name);
    let syntax = state.syntax;
    let mut all: BTreeMap<&str, bool> = [
        "at_modifier",
        "bool",
        "by",
        "group_left",
        "group_right",
        "ignoring",
        "negative_offset",
        "offset",
        "on",
        "per_query_lookback_delta",
        "subqueries",
        "without",
    ]
    .into_iter()
    .map(|name| (name, true))
    .collect();
    for (name, on) in [
        ("anchored", syntax.extended_range_selectors),
        ("smoothed", syntax.extended_range_selectors),
        (
            "delayed_name_removal",
            feature("promql-delayed-name-removal"),
        ),
        ("duration_expr", syntax.duration_expressions),
        ("fill", syntax.fill_modifiers),
        ("fill_left", syntax.fill_modifiers),
        ("fill_right", syntax.fill_modifiers),
        ("per_step_stats", false),
        ("type_and_unit_labels", feature("type-and-unit-labels")),
    ] {
        all.insert(name, on);
    }
    json!(all)
}
