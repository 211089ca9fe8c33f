//! Why a rule's expression finds nothing, asked from a server part by part.

use serde_json::Value;

use super::rule::{items, text};
use crate::alerting::Matcher;
use crate::cli::Error;
use crate::cli::amtool::Server;
use crate::model::Labels;
use crate::promql::explain::{Ask, Line, Sample, why_nothing};
use crate::promql::parser::{ParseOptions, parse};
use crate::time::WallTime;

/// The explanation, indented below the sentence about the rule. What cannot be asked is said, not an error: the
/// rest of the answer stands without it.
pub(super) fn lines(
    server: &Server,
    rule: &Value,
    matchers: &[Matcher],
    at: Option<WallTime>,
) -> Vec<String> {
    let Ok(expr) = parse(text(&rule["query"]), &ParseOptions::all()) else {
        return Vec::new();
    };
    // Labels that the rule itself adds are not among those of its expression.
    let asked: Vec<&Matcher> = matchers
        .iter()
        .filter(|m| m.name != "alertname" && rule["labels"][m.name.as_str()].is_null())
        .collect();
    let wanted = |labels: &Labels| {
        asked.iter().all(|m| {
            let value = labels.get(&m.name);
            value.is_none_or(|value| m.matches(value))
        })
    };
    match why_nothing(&expr, &wanted, &mut Questions { server, at }) {
        Ok(lines) => lines.iter().map(indented).collect(),
        Err(error) => vec![format!("    its parts could not be asked for: {error}")],
    }
}

fn indented(line: &Line) -> String {
    format!("    {}{}", "  ".repeat(line.depth), line.text)
}

struct Questions<'a> {
    server: &'a Server,
    at: Option<WallTime>,
}

impl Ask for Questions<'_> {
    type Error = Error;

    fn query(&mut self, query: &str) -> Result<Vec<Sample>, Error> {
        let mut params = vec![("query", query.to_owned())];
        params.extend(self.at.map(|at| ("time", at.to_string())));
        let answer = self.server.get("/api/v1/query", &params)?;
        let data = &answer["data"];
        if data["resultType"] == "scalar" {
            let labels = Labels::empty();
            let value = number(&data["result"]);
            return Ok(vec![Sample { labels, value }]);
        }
        Ok(items(&data["result"]).map(sample).collect())
    }

    fn metric_names(&mut self) -> Result<Vec<String>, Error> {
        let answer = self.server.get("/api/v1/label/__name__/values", &[])?;
        Ok(items(&answer["data"])
            .map(|name| text(name).to_owned())
            .collect())
    }
}

fn sample(sample: &Value) -> Sample {
    let labels = sample["metric"].as_object().into_iter().flatten();
    Sample {
        labels: Labels::from_pairs(labels.map(|(name, value)| (name.as_str(), text(value)))),
        value: number(&sample["value"]),
    }
}

/// The number in `[time, "number"]`.
fn number(point: &Value) -> Option<f64> {
    point[1].as_str().and_then(|value| value.parse().ok())
}
