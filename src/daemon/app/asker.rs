//! How rules ask the engine, and what their templates know.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::daemon::rule_loop::RuleEnvironment;
use crate::http::metrics::Summary;
use crate::http::query_log::{FinishedQuery, QueryOrigin, QueryWatch};
use crate::model::{Labels, SampleValue};
use crate::promql::ast::Expr;
use crate::promql::engine::{Engine, QueryOptions};
use crate::promql::parser::{self, ParseOptions};
use crate::rules::{self, Expansion, Point};
use crate::storage::Storage;
use crate::template::rules::{Expander, QuerySample, SampleText};
use crate::time::Timestamp;

/// Asks the engine on behalf of rules.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) engine: Arc<Engine>,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) syntax: ParseOptions,
    /// `prometheus_engine_query_duration_seconds`.
    pub(super) seconds: Summary,
    pub(super) watch: Arc<dyn QueryWatch>,
}

impl Asker {
    /// What rules work with while these labels and this URL hold.
    pub(super) fn environment(
        self,
        external_labels: Labels,
        external_url: String,
    ) -> RuleEnvironment {
        let expander = self.clone();
        let shown_url = external_url.clone();
        RuleEnvironment {
            query: Arc::new(move |origin, expr, at| {
                // compat: the log shows rules as they are printed.
                self.points(origin, &expr.to_string(), expr, at)
            }),
            expand: Arc::new(move |origin, expansion| {
                expander.expand(origin, expansion, &external_labels, &shown_url)
            }),
            external_url,
        }
    }

    fn points(
        &self,
        origin: &QueryOrigin,
        text: &str,
        expr: &Expr,
        at: Timestamp,
    ) -> Result<Vec<Point>, rules::Error> {
        let _active = self.watch.began(text);
        let started = Instant::now();
        let options = QueryOptions {
            stopwatch: Some(&|| started.elapsed()),
            ..QueryOptions::default()
        };
        let outcome = self
            .engine
            .try_instant(&*self.storage, expr, at.as_ms(), &options);
        let (stats, error) = match &outcome {
            Ok(answer) => (&answer.stats, None),
            Err(failure) => (&*failure.stats, Some(failure.error.to_string())),
        };
        self.seconds.observe(stats.evaluation.as_secs_f64());
        self.watch.ended(&FinishedQuery {
            query: text.to_owned(),
            start_ms: at.as_ms(),
            end_ms: at.as_ms(),
            step_ms: 0,
            error,
            stats: stats.clone(),
            queued: Duration::ZERO,
            origin: origin.clone(),
        });
        match outcome {
            Ok(answer) => rules::query::points(answer.value),
            Err(failure) => Err(rules::Error::Query(failure.error.to_string())),
        }
    }

    fn expand(
        &self,
        origin: &QueryOrigin,
        expansion: &Expansion<'_>,
        external_labels: &Labels,
        external_url: &str,
    ) -> Result<String, String> {
        let query = |text: &str, at: Timestamp| {
            let expr = parser::parse(text, &self.syntax)
                .map_err(|errors| errors.first().map_or_else(String::new, ToString::to_string))?;
            let points = self
                .points(origin, text, &expr, at)
                .map_err(|e| e.to_string())?;
            Ok(points
                .into_iter()
                .map(|point| QuerySample {
                    value: sample_text(&point.value),
                    labels: point.labels,
                })
                .collect())
        };
        let name = format!("__alert_{}", expansion.alert);
        let expander = Expander {
            name: &name,
            external_labels,
            external_url,
            now: expansion.now,
            query: &query,
        };
        expander
            .expand(expansion.text, expansion.labels, &sample_text(expansion.value))
            .map_err(|e| {
                tracing::warn!(alert = expansion.alert, err = %e, "expanding alert template failed");
                e.to_string()
            })
    }
}

fn sample_text(value: &SampleValue) -> SampleText {
    match value {
        SampleValue::Float(v) => SampleText::Float(*v),
        SampleValue::Histogram(h) => SampleText::Histogram(h.to_float().to_string()),
        SampleValue::FloatHistogram(h) => SampleText::Histogram(h.to_string()),
    }
}
