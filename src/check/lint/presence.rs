use std::collections::BTreeSet;

use crate::check::analysis::metric_name;
use crate::check::{Finding, Severity};
use crate::discovery::Options;
use crate::model::MatchOp;
use crate::promql::ast::{BinaryOp, Expr, VectorSelector};

use super::Page;
use super::path;
use super::subject::{Subject, World};

pub(super) static PAGE: Page = Page::new(
    "W037",
    "up-without-absent",
    Severity::Warning,
    "An alert on `up == 0` of a job that may vanish, and nothing notices when it does.",
)
.pint("alerts/absent")
.why("`up` is 0 while a target is known and does not answer. When the target disappears from discovery (a deleted node, a renamed label, a broken service account) there is no `up` at all, `up == 0` finds nothing, and the alert resolves. An `absent(up{...})` beside it, or in an alert of its own, fires then. Jobs whose targets are all listed in `prometheus.yml` are not reported when that file is checked too.")
.example(
    "expr: up{job=\"apiserver\"} == 0",
    "expr: up{job=\"apiserver\"} == 0 or absent(up{job=\"apiserver\"})",
);

/// An alert on `up` that looks at one job.
#[derive(Debug)]
pub(super) struct Watched {
    job: String,
    finding: Finding,
}

/// What the rules of all files say on targets that vanish.
#[derive(Debug, Default)]
pub(super) struct Presence {
    watched: Vec<Watched>,
    /// Jobs for which some rule asks `absent(up...)`.
    guarded: BTreeSet<String>,
    /// Whether some rule asks it for jobs by a pattern.
    patterns: Vec<crate::model::Matcher>,
}

impl Presence {
    pub(super) fn see(&mut self, subject: &Subject<'_>) {
        for expr in subject.analysis.nodes() {
            // `nodes unless up` asks for the same as `absent(up)`.
            let asked = match expr {
                Expr::Call(call) if matches!(call.func.name, "absent" | "absent_over_time") => {
                    call.args.first()
                }
                Expr::Binary(binary) if binary.op == BinaryOp::Unless => Some(&*binary.rhs),
                _ => None,
            };
            if let Some(asked) = asked {
                asked.walk(|expr| match expr {
                    Expr::VectorSelector(selector) => self.guard(selector),
                    Expr::MatrixSelector(matrix) => self.guard(&matrix.selector),
                    _ => {}
                });
            }
        }
        if subject.is_alert() {
            for binary in path::deciding(subject.analysis.root()) {
                let Some((series, op, number)) = path::against_number(binary) else {
                    continue;
                };
                let down = matches!(
                    (op, number),
                    (BinaryOp::Equal | BinaryOp::LessEqual, 0.0)
                        | (BinaryOp::NotEqual | BinaryOp::Less, 1.0)
                );
                if let Expr::VectorSelector(selector) = path::core(series)
                    && down
                    && metric_name(selector) == Some("up")
                    && let Some(job) = job(selector)
                {
                    let message = format!(
                        "never fires when the job {job} disappears from discovery: there is no `up` then"
                    );
                    let text = subject.text(selector.pos);
                    let finding = subject
                        .on_expr(&PAGE, binary.pos(), message)
                        .with_hint(format!("add `or absent({text})`"));
                    let job = job.to_owned();
                    self.watched.push(Watched { job, finding });
                }
            }
        }
    }

    fn guard(&mut self, selector: &VectorSelector) {
        match job(selector) {
            Some(job) => {
                self.guarded.insert(job.to_owned());
            }
            None => self.patterns.extend(
                selector
                    .matchers
                    .iter()
                    .filter(|m| m.name == "job" && m.op == MatchOp::Regex)
                    .cloned(),
            ),
        }
    }

    pub(super) fn finish(self, world: &World<'_>, out: &mut Vec<Finding>) {
        let Self {
            watched,
            guarded,
            patterns,
        } = self;
        for Watched { job, finding } in watched {
            let known = guarded.contains(&job) || patterns.iter().any(|m| m.matches(&job));
            if !known && !is_static(world, &job) {
                out.push(finding);
            }
        }
    }
}

fn job(selector: &VectorSelector) -> Option<&str> {
    selector
        .matchers
        .iter()
        .find(|m| m.name == "job" && m.op == MatchOp::Equal)
        .map(|m| m.value.as_str())
}

/// Whether the targets of a job are listed in the configuration, so that they cannot vanish.
fn is_static(world: &World<'_>, job: &str) -> bool {
    let Some(config) = world.subjects.config else {
        return false;
    };
    let mut jobs = config
        .jobs
        .iter()
        .filter(|known| known.options.job_name == job);
    jobs.any(|known| {
        !known.discovery.is_empty()
            && known
                .discovery
                .iter()
                .all(|options| matches!(options, Options::Static(_)))
    })
}

#[cfg(test)]
mod tests {
    use crate::check::lint::testing::{alert, assert_finds, assert_silent, count};

    #[test]
    fn jobs_may_vanish() {
        assert_finds(
            "W037",
            &[
                "up{job=\"a\"} == 0",
                "sum(up{job=\"a\"}) < 1",
                "min by (x) (up{job=\"a\", y=\"1\"}) != 1",
            ],
        );
        assert_silent(
            "W037",
            &[
                "up == 0",
                "up{job=\"a\"} == 0 or absent(up{job=\"a\"})",
                "up{job=\"a\"} == 0 or n unless on (x) up{job=\"a\"}",
                "up{job=\"a\"} == 1",
                "a{job=\"a\"} == 0",
            ],
        );
        let rules = format!(
            "{}{}",
            alert("up{job=\"a\"} == 0", ""),
            alert("absent(up{job=~\"a|b\"} == 1)", "    for: 5m\n").replace("alert: A", "alert: B")
        );
        assert_eq!(count("W037", &rules), 0);
    }
}
