//! `/api/v1/series`, `labels`, `label/NAME/values`, `query_exemplars`, `format_query`,
//! `parse_query`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::selection::{self, expression, selectors, unescape_name};
use crate::http::{ErrorKind, Failure, Params, Reply, State, json, syntax_tree, wrap};
use crate::model::{Labels, Matcher};
use crate::promql::ast::Expr;
use crate::promql::pretty;
use crate::storage::{Error, Querier, SelectHints};

const TRUNCATED: &str = "results truncated due to limit";

/// Runs blocking work on the store, among the queries.
async fn with_querier<T: Send + 'static>(
    state: &State,
    (min, max): (i64, i64),
    work: impl FnOnce(&dyn Querier) -> Result<T, Error> + Send + 'static,
) -> Result<T, Failure> {
    wrap::check_memory(state)?;
    let permit = tokio::time::timeout(
        state.limits.query_timeout,
        Arc::clone(&state.query_permits).acquire_owned(),
    )
    .await;
    let Ok(Ok(permit)) = permit else {
        return Err(Failure::new(
            ErrorKind::Timeout,
            "query timed out in query queue",
        ));
    };
    let storage = Arc::clone(&state.storage);
    let done = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let querier = storage.querier(min, max)?;
        work(&*querier)
    });
    match done.await {
        Ok(outcome) => outcome.map_err(|e| Failure::new(ErrorKind::Execution, e.to_string())),
        Err(e) => Err(Failure::new(ErrorKind::Internal, e.to_string())),
    }
}

/// A list of names or values.
fn texts(list: &[String]) -> Reply {
    let list: Vec<String> = list.iter().map(|text| json::html_free(text)).collect();
    Reply::raw(format!("[{}]", list.join(",")))
}

/// A list, cut to `limit` (0 for all), with the warning that belongs to it.
fn limited<T>(mut list: Vec<T>, limit: usize) -> (Vec<T>, Vec<String>) {
    if limit > 0 && list.len() > limit {
        list.truncate(limit);
        return (list, vec![TRUNCATED.to_owned()]);
    }
    (list, Vec::new())
}

/// One more than wanted tells whether there are more.
const fn one_more(limit: usize) -> usize {
    if limit == 0 { 0 } else { limit + 1 }
}

/// compat: `DELETE` is known to the path and does nothing.
pub(super) async fn drop_series() -> Failure {
    Failure::new(ErrorKind::Internal, "not implemented")
}

pub(super) async fn series(state: State, params: Params) -> Result<Reply, Failure> {
    params.well_formed()?;
    if params.all("match[]").next().is_none() {
        return Err(Failure::bad_data("no match[] parameter provided"));
    }
    let limit = params.limit()?;
    let range = selection::range(&params)?;
    let sets = selectors(&params).map_err(|e| Failure::invalid("match[]", e))?;
    let found = with_querier(&state, range, move |querier| {
        let hints = SelectHints {
            min_ms: range.0,
            max_ms: range.1,
            step_ms: 0,
            function: "series".to_owned(),
            limit: one_more(limit),
            // compat: what one selector finds comes as the store has it.
            sorted: sets.len() > 1,
        };
        let find = |matchers: &Vec<Matcher>| -> Result<Vec<Labels>, Error> {
            let found = querier.select(&hints, matchers)?;
            found.map(|entry| Ok(entry?.labels)).collect()
        };
        if let [matchers] = sets.as_slice() {
            return find(matchers);
        }
        let mut all: BTreeSet<Labels> = BTreeSet::new();
        for matchers in &sets {
            all.extend(find(matchers)?);
        }
        Ok(all.into_iter().collect())
    })
    .await?;
    let (found, warnings) = limited(found, limit);
    let mut out = String::from("[");
    for (at, labels) in found.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        json::push_labels(&mut out, labels);
    }
    out.push(']');
    Ok(Reply::raw(out).with_notes(warnings, Vec::new()))
}

pub(super) async fn label_names(state: State, params: Params) -> Result<Reply, Failure> {
    let limit = params.limit()?;
    let range = selection::range(&params)?;
    let sets = selectors(&params).map_err(Failure::bad_data)?;
    let names = with_querier(&state, range, move |querier| {
        union(&sets, |matchers| {
            querier.label_names(matchers, one_more(limit))
        })
    })
    .await?;
    let (names, warnings) = limited(names, limit);
    Ok(texts(&names).with_notes(warnings, Vec::new()))
}

pub(super) async fn label_values(
    state: State,
    name: String,
    params: Params,
) -> Result<Reply, Failure> {
    let name = unescape_name(&name);
    if name.is_empty() {
        return Err(Failure::bad_data("invalid label name: \"\""));
    }
    let limit = params.limit()?;
    let range = selection::range(&params)?;
    let sets = selectors(&params).map_err(Failure::bad_data)?;
    let values = with_querier(&state, range, move |querier| {
        union(&sets, |matchers| {
            querier.label_values(&name, matchers, one_more(limit))
        })
    })
    .await?;
    let (values, warnings) = limited(values, limit);
    Ok(texts(&values).with_notes(warnings, Vec::new()))
}

/// What any of the matcher sets finds, sorted; without sets what no matcher finds.
fn union(
    sets: &[Vec<Matcher>],
    find: impl Fn(&[Matcher]) -> Result<Vec<String>, Error>,
) -> Result<Vec<String>, Error> {
    if let [] | [_] = sets {
        return find(sets.first().map_or(&[], Vec::as_slice));
    }
    let mut all = BTreeSet::new();
    for matchers in sets {
        all.extend(find(matchers)?);
    }
    Ok(all.into_iter().collect())
}

pub(super) async fn exemplars(state: State, params: Params) -> Result<Reply, Failure> {
    let (start, end) = selection::range(&params)?;
    if end < start {
        return Err(Failure::bad_data(
            "end timestamp must not be before start timestamp",
        ));
    }
    let expr = expression(&state, params.get("query")).map_err(Failure::bad_data)?;
    let mut sets = Vec::new();
    expr.walk(|node| {
        if let Expr::VectorSelector(selector) = node {
            sets.push(selector.matchers.clone());
        } else if let Expr::MatrixSelector(matrix) = node {
            sets.push(matrix.selector.matchers.clone());
        }
    });
    if sets.is_empty() {
        return Ok(Reply::no_content());
    }
    let found = with_querier(&state, (start, end), move |querier| {
        querier.exemplars(&sets)
    })
    .await?;
    let mut out = String::from("[");
    for (at, series) in found.iter().enumerate() {
        out.push_str(if at > 0 {
            ",{\"seriesLabels\":"
        } else {
            "{\"seriesLabels\":"
        });
        json::push_labels(&mut out, &series.labels);
        out.push_str(",\"exemplars\":[");
        for (at, exemplar) in series.exemplars.iter().enumerate() {
            out.push_str(if at > 0 {
                ",{\"labels\":"
            } else {
                "{\"labels\":"
            });
            json::push_labels(&mut out, &exemplar.labels);
            out.push_str(",\"value\":");
            json::push_float(&mut out, exemplar.value);
            out.push_str(",\"timestamp\":");
            json::push_time(&mut out, exemplar.timestamp_ms.unwrap_or_default());
            out.push('}');
        }
        out.push_str("]}");
    }
    out.push(']');
    Ok(Reply::raw(out))
}

pub(super) async fn format_query(state: State, params: Params) -> Result<Reply, Failure> {
    let expr = expression(&state, params.get("query")).map_err(|e| Failure::invalid("query", e))?;
    Ok(Reply::raw(json::html_free(&pretty(&expr))))
}

pub(super) async fn parse_query(state: State, params: Params) -> Result<Reply, Failure> {
    let expr = expression(&state, params.get("query")).map_err(|e| Failure::invalid("query", e))?;
    Ok(Reply::raw(syntax_tree::to_json(&expr)))
}
