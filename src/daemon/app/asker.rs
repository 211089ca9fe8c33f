//! How rules ask the engine, and what their templates know.

use std::sync::Arc;
use std::time::Instant;

use crate::daemon::rule_loop::RuleEnvironment;
use crate::http::metrics::Summary;
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
            query: Arc::new(move |expr: &Expr, at: Timestamp| self.points(expr, at)),
            expand: Arc::new(move |expansion: &Expansion<'_>| {
                expander.expand(expansion, &external_labels, &shown_url)
            }),
            external_url,
        }
    }

    fn points(&self, expr: &Expr, at: Timestamp) -> Result<Vec<Point>, rules::Error> {
        let started = Instant::now();
        let outcome = rules::query::instant(
            &self.engine,
            &*self.storage,
            expr,
            at,
            &QueryOptions::default(),
        );
        self.seconds.observe(started.elapsed().as_secs_f64());
        outcome
    }

    fn expand(
        &self,
        expansion: &Expansion<'_>,
        external_labels: &Labels,
        external_url: &str,
    ) -> Result<String, String> {
        let query = |text: &str, at: Timestamp| {
            let expr = parser::parse(text, &self.syntax)
                .map_err(|errors| errors.first().map_or_else(String::new, ToString::to_string))?;
            let points = self.points(&expr, at).map_err(|e| e.to_string())?;
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
