use std::collections::BTreeSet;

use crate::alerting::matchers::Matchers;
use crate::check::analysis::metric_name;
use crate::check::{Finding, Severity};
use crate::discovery::Options;
use crate::model::MatchOp;
use crate::promql::ast::{BinaryOp, Expr, PosRange, VectorSelector};

use super::Page;
use super::path;
use super::subject::{Site, Subject, World};

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

pub(super) static UNINHIBITED: Page = Page::new(
    "W083",
    "inhibition-missing",
    Severity::Info,
    "When a machine goes down its alert and those of what runs on it fire together, and none inhibits the others.",
)
.why("One machine fails, and somebody is called for the machine, for etcd and for the API server: the cause drowns among its consequences. An inhibition rule lets the alert of the machine mute the others. Alerts on `up == 0` of the machines' jobs (kubelet, node exporter) and of what runs on the machines of a control plane are looked at; when the router's configuration is checked too, its rules count.")
.example(
    "- alert: NodeDown\n  expr: up{job=\"kubelet\"} == 0\n- alert: EtcdDown\n  expr: up{job=\"etcd\"} == 0",
    "# alertmanager.yml\ninhibit_rules:\n- source_matchers: [alertname=\"NodeDown\"]\n  target_matchers: [alertname=\"EtcdDown\"]\n  equal: [node]",
);

/// Jobs that are machines.
const MACHINES: [&str; 5] = ["kubelet", "node", "nodes", "node-exporter", "node_exporter"];

/// Jobs that run on the machines of a control plane.
const ON_MACHINES: [&str; 8] = [
    "etcd",
    "kube-etcd",
    "apiserver",
    "kube-apiserver",
    "kube-scheduler",
    "kube-controller-manager",
    "kube-proxy",
    "kubernetes-apiservers",
];

/// An alert on `up` that looks at one job.
#[derive(Debug)]
pub(super) struct Watched<'a> {
    job: &'a str,
    site: Site<'a>,
    at: PosRange,
    selector: &'a str,
}

/// What the rules of all files say on targets that vanish.
#[derive(Debug, Default)]
pub(super) struct Presence<'a> {
    watched: Vec<Watched<'a>>,
    /// Jobs for which some rule asks `absent(up...)`.
    guarded: BTreeSet<String>,
    /// Whether some rule asks it for jobs by a pattern.
    patterns: Vec<crate::model::Matcher>,
}

impl<'a> Presence<'a> {
    pub(super) fn see(&mut self, subject: &Subject<'a>) {
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
                    self.watched.push(Watched {
                        job,
                        site: subject.site(),
                        at: binary.pos(),
                        selector: subject.text(selector.pos),
                    });
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
        uninhibited(world, &watched, out);
        for watched in watched {
            let job = watched.job;
            let known = guarded.contains(job) || patterns.iter().any(|m| m.matches(job));
            if known || is_static(world, job) {
                continue;
            }
            let message = format!(
                "never fires when the job {job} disappears from discovery: there is no `up` then"
            );
            let finding = watched.site.on_expr(&PAGE, watched.at, message);
            out.push(finding.with_hint(format!("add `or absent({})`", watched.selector)));
        }
    }
}

/// Alerts on machines, and on what runs on them, that no rule of the router keeps apart.
fn uninhibited(world: &World<'_>, watched: &[Watched<'_>], out: &mut Vec<Finding>) {
    let of = |jobs: &[&str]| -> Vec<Site<'_>> {
        let named = watched.iter().filter(|watched| jobs.contains(&watched.job));
        named.map(|watched| watched.site).collect()
    };
    for machine in of(&MACHINES) {
        let others: Vec<&str> = of(&ON_MACHINES)
            .into_iter()
            .filter(|other| !inhibits(world, machine, *other))
            .map(|other| other.rule_name())
            .collect();
        let Some(first) = others.first() else {
            continue;
        };
        let message = format!(
            "when a machine goes down, {} and {} fire together: nothing inhibits the consequences",
            machine.rule_name(),
            others.join(", ")
        );
        let finding = machine.on_rule(&UNINHIBITED, message);
        out.push(finding.with_hint(format!(
            "add to alertmanager.yml: `inhibit_rules: [{{source_matchers: [alertname=\"{}\"], target_matchers: [alertname=~\"{}\"], equal: [...]}}]`, `equal` with a label that names the machine on both",
            machine.rule_name(),
            if others.len() > 1 { others.join("|") } else { (*first).to_owned() },
        )));
    }
}

/// Whether a rule of the router lets one alert mute the other, as far as their rules tell.
fn inhibits(world: &World<'_>, source: Site<'_>, target: Site<'_>) -> bool {
    let may_match = |matchers: &Matchers, site: Site<'_>| {
        matchers
            .0
            .iter()
            .all(|matcher| match matcher.name.as_str() {
                "alertname" => matcher.matches(site.rule_name()),
                name => site.label(name).is_none_or(|value| matcher.matches(value)),
            })
    };
    world.subjects.routing.is_some_and(|routing| {
        routing.config.inhibit_rules.iter().any(|rule| {
            rule.sources
                .iter()
                .any(|from| may_match(&from.matchers, source))
                && may_match(&rule.target_matchers, target)
        })
    })
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
    use crate::check::lint::testing::{
        alert, assert_finds, assert_silent, count, file, findings_with,
    };
    use crate::config::lint::LintOptions;

    #[test]
    fn machines_mute_what_runs_on_them() {
        let rule = |name: &str, job: &str| {
            alert(&format!("up{{job=\"{job}\"}} == 0"), "")
                .replace("alert: A", &format!("alert: {name}"))
        };
        let text = |other: &str| {
            file(&format!(
                "{}{}",
                rule("NodeDown", "kubelet"),
                rule("EtcdDown", other)
            ))
        };
        let found = |text: &str, routing: Option<&str>| -> usize {
            let found = findings_with(&[text], routing, &LintOptions::default());
            found.iter().filter(|f| f.id() == "W083").count()
        };
        assert_eq!(found(&text("etcd"), None), 1);
        assert_eq!(found(&text("shop"), None), 0);
        let routing = "route: {receiver: a}\nreceivers: [{name: a}]\ninhibit_rules:\n- {source_matchers: [alertname=\"NodeDown\"], target_matchers: [alertname=~\"Etcd.*\"], equal: [node]}\n";
        assert_eq!(found(&text("etcd"), Some(routing)), 0);
        let other = routing.replace("Etcd", "Other");
        assert_eq!(found(&text("etcd"), Some(&other)), 1);
    }

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
