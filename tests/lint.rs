//! How precise is the lint? Planted faults must be found, and well-known rules must be left alone.
#![allow(clippy::unwrap_used, reason = "a broken setup must stop the test")]
#![allow(clippy::disallowed_methods, reason = "the rules lie on the real disk")]
#![allow(clippy::print_stdout, reason = "the figures are the result")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fastrand::Rng;
use watchfire::check::fix::{FileKind, findings_of_rules, repair};
use watchfire::check::lint::{Subjects, run};
use watchfire::check::{Finding, RuleFile};
use watchfire::config::lint::LintOptions;
use watchfire::rules::file::FileOptions;

fn shared(path: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared")
        .join(path);
    let found = beside.exists().then_some(beside);
    if found.is_none() {
        println!("skipped: ../shared/{path} is not there");
    }
    found
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path
            .extension()
            .is_some_and(|end| end == "yml" || end == "yaml")
        {
            found.push(path);
        }
    }
}

fn lint(name: &str, text: &str) -> Vec<Finding> {
    let (file, errors) = RuleFile::parse(name, text.as_bytes(), &FileOptions::default());
    assert!(errors.is_empty(), "{}\n{text}", errors[0]);
    lint_file(&file.unwrap())
}

fn lint_file(file: &RuleFile) -> Vec<Finding> {
    let subjects = Subjects {
        rules: std::slice::from_ref(file),
        ..Subjects::default()
    };
    run(subjects, &LintOptions::default())
}

/// The counts of findings in the best-known rules, reviewed by hand (`manual::lint` has the verdicts);
/// `WATCHFIRE_LINT_SHOW=W012` shows those of a check, `all` every one.
#[test]
fn well_known_rules() {
    let Some(folder) = shared("conformance/rules-wild") else {
        return;
    };
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    let shown = std::env::var("WATCHFIRE_LINT_SHOW").unwrap_or_default();
    let (mut counts, mut rules) = (BTreeMap::new(), 0);
    for path in &paths {
        let name = path.strip_prefix(&folder).unwrap().display().to_string();
        let bytes = std::fs::read(path).unwrap();
        let (Some(file), _) = RuleFile::parse(&name, &bytes, &FileOptions::default()) else {
            continue;
        };
        rules += file.rule_count();
        for finding in lint_file(&file) {
            let check = format!("{} {}", finding.page.id, finding.page.name);
            *counts.entry(check).or_insert(0) += 1;
            if shown
                .split(',')
                .any(|id| id == finding.page.id || id == "all")
            {
                let rule = finding.rule.as_ref().map_or("", |rule| rule.name.as_str());
                println!("{} {rule}: {finding}", finding.page.id);
            }
        }
    }
    println!("{} files, {rules} rules", paths.len());
    for (check, count) in &counts {
        println!("{check}: {count}");
    }
    // A check that begins to fire everywhere is broken: it would be the one that nobody reads.
    let noisy = counts.iter().find(|(_, count)| **count * 10 > rules);
    assert!(noisy.is_none(), "{noisy:?}");
}

/// The notes' rules, as printed: every one is refused with its fix, and the repaired file has the traps.
#[test]
fn the_course_notes() {
    let Some(path) = shared("fixtures/course-alerts.yaml") else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    let options = FileOptions::default();
    let (_, errors) = RuleFile::parse("course.yaml", text.as_bytes(), &options);
    assert_eq!(errors.len(), 8);
    for error in &errors {
        assert_eq!(error.page.id, "E002");
        assert_eq!(
            error.fix.as_ref().unwrap().title,
            "move `severity` under `labels:`"
        );
    }
    let find = |text: &str| findings_of_rules("course.yaml", text, &options, false);
    let repaired = repair(&text, FileKind::Rules(&options), &find);
    assert!(repaired.refused.is_empty());
    assert_eq!(
        repaired.text.matches('#').count(),
        text.matches('#').count(),
        "comments stay"
    );
    let findings = lint("course.yaml", &repaired.text);
    let of = |rule: &str| -> BTreeSet<&str> {
        let named = findings
            .iter()
            .filter(|f| f.rule.as_ref().is_some_and(|r| r.name == rule));
        named.map(|f| f.page.name).collect()
    };
    for (rule, traps) in [
        (
            "APIServerDown",
            &["up-without-absent", "no-annotations"][..],
        ),
        ("etcdDown", &["up-without-absent", "no-annotations"]),
        (
            "NodeDown",
            &["up-without-absent", "no-annotations", "inhibition-missing"],
        ),
        ("PodCrashLooping", &["never-true", "no-annotations"]),
        ("HighErrorRate", &["ratio-of-everything"]),
        (
            "HighCPU",
            &[
                "average-of-everything",
                "cores-as-fraction",
                "no-annotations",
            ],
        ),
        ("HighMemory", &["division-by-zero", "no-annotations"]),
        ("DiskFillingUp", &["all-filesystems", "prediction-alone"]),
    ] {
        assert_eq!(of(rule), traps.iter().copied().collect(), "{rule}");
    }
}

/// Words to make rules of.
struct Maker {
    rng: Rng,
    number: usize,
}

impl Maker {
    fn pick<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[self.rng.usize(..words.len())]
    }

    fn counter(&mut self) -> String {
        let what = self.pick(&[
            "http_requests",
            "grpc_calls",
            "queue_messages",
            "disk_reads",
            "logins",
        ]);
        format!(
            "{}_{what}_total",
            self.pick(&["shop", "api", "mail", "search"])
        )
    }

    fn gauge(&mut self) -> String {
        let what = self.pick(&[
            "queue_length",
            "temperature",
            "sessions_open",
            "lag_seconds",
        ]);
        format!("{}_{what}", self.pick(&["shop", "api", "mail", "search"]))
    }

    fn label(&mut self) -> &'static str {
        self.pick(&["service", "instance", "zone", "shard", "tenant"])
    }

    fn window(&mut self) -> &'static str {
        self.pick(&["2m", "5m", "10m", "1h"])
    }

    fn rule(&mut self, expr: &str, annotation: &str, labels: &str) -> String {
        self.number += 1;
        let hold = self.pick(&["5m", "10m", "1h"]);
        let severity = self.pick(&["critical", "warning", "info"]);
        let expr = expr.replace('\'', "''");
        let annotation = annotation.replace('\'', "''");
        format!(
            "  - alert: Alert{}\n    expr: '{expr}'\n    for: {hold}\n    labels:\n      severity: {severity}\n{labels}    annotations:\n      summary: '{annotation}'\n",
            self.number
        )
    }

    /// A well-known metric with a letter missing or two exchanged.
    fn slip(&mut self) -> String {
        let name = self.pick(&[
            "node_filesystem_readonly",
            "kube_persistentvolumeclaim_status_phase",
            "container_memory_working_set_bytes",
            "process_resident_memory_bytes",
            "prometheus_notifications_queue_length",
            "kube_deployment_status_observed_generation",
        ]);
        let mut letters: Vec<char> = name.chars().collect();
        let word = name.split('_').max_by_key(|word| word.len()).unwrap();
        let at = name.find(word).unwrap() + self.rng.usize(1..word.len() - 1);
        // Two that are alike change nothing when they are exchanged.
        if self.rng.bool() || letters[at] == letters[at - 1] {
            letters.remove(at);
        } else {
            letters.swap(at - 1, at);
        }
        letters.into_iter().collect()
    }

    /// An expression without a fault, and a label that its results have.
    fn clean(&mut self) -> (String, &'static str) {
        let (counter, gauge) = (self.counter(), self.gauge());
        let (label, window) = (self.label(), self.window());
        let number = self.rng.u32(2..500);
        let expr = match self.rng.u8(..14) {
            0 => format!("sum by ({label}) (rate({counter}[{window}])) > {number}"),
            1 => format!(
                "sum by ({label}) (rate({counter}{{code=~\"5..\"}}[{window}])) / sum by ({label}) (rate({counter}[{window}])) > 0.{number}"
            ),
            2 => format!("{gauge} > {number}"),
            3 => format!("avg by ({label}) ({gauge}) < {number}"),
            4 => format!("increase({counter}[{window}]) == 0"),
            5 => format!(
                "histogram_quantile(0.9, sum by ({label}, le) (rate(shop_latency_seconds_bucket[{window}]))) > {number}"
            ),
            6 => format!("{gauge} / on ({label}) group_left () sum by ({label}) (api_limit) > 0.5"),
            7 => format!("max_over_time({gauge}[{window}]) > {number} and on ({label}) up == 1"),
            8 => format!(
                "100 * sum by ({label}) (rate({counter}{{code=\"500\"}}[{window}])) / sum by ({label}) (rate({counter}[{window}])) > {}",
                number % 90 + 1
            ),
            9 => format!("count by ({label}) (up == 0) > {}", number % 5),
            10 => format!("predict_linear({gauge}[6h], 3600) > {number} and {gauge} > 1"),
            11 => format!("deriv({gauge}[{window}]) > 0.{number}"),
            12 => format!(
                "{gauge} > {number} unless on ({label}) {gauge}{{mode=\"maintenance\"}} > 0"
            ),
            _ => format!(
                "changes({gauge}[1h]) > {number} or resets({counter}[1h]) > {}",
                number % 7 + 1
            ),
        };
        (expr, label)
    }

    fn clean_rule(&mut self) -> String {
        let (expr, label) = self.clean();
        let text = self.pick(&[
            "{{ $labels.LABEL }} is at {{ $value }}",
            "look at {{ $labels.LABEL }}: {{ $value | humanize }}",
            "it is bad",
        ]);
        self.rule(&expr, &text.replace("LABEL", label), "")
    }

    /// An expression with the fault that a check is to find, when that is where it looks.
    fn faulty_expr(&mut self, check: &str) -> String {
        let (counter, gauge) = (self.counter(), self.gauge());
        let (label, window) = (self.label(), self.window());
        let number = self.rng.u32(2..500);
        match check {
            "W010" => format!("sum by ({label}) (rate({counter}[{window}]))"),
            "W011" => format!("sum by ({label}) (rate({counter}[{window}])) >= 0"),
            "W012" => match self.rng.u8(..6) {
                0 => format!("count by ({label}) ({gauge}) == 0"),
                1 => format!("up == {number}"),
                2 => format!(
                    "sum by ({label}) (rate({counter}{{code=\"500\"}}[{window}])) / sum by ({label}) (rate({counter}[{window}])) > {number}"
                ),
                3 => format!("sum by ({label}) (increase({counter}[{window}])) < 0"),
                4 => format!("rate(kube_pod_container_status_restarts_total[15m]) > 0.{number}"),
                _ => format!(
                    "1 - avg by ({label}) (rate(node_cpu_seconds_total{{mode=\"idle\"}}[{window}])) > {number}"
                ),
            },
            "W013" => format!(
                "container_memory_working_set_bytes / container_spec_memory_limit_bytes > 0.{number}"
            ),
            "W014" => format!("rate(node_memory_MemFree_bytes[{window}]) > {number}"),
            "W015" => format!("rate(sum by ({label}) ({counter})[{window}:]) > {number}"),
            "W016" => format!("rate({counter}[{}s]) > {number}", self.rng.u32(5..29)),
            "W017" => format!("{counter} > {number}"),
            "W018" => format!("sum by ({label}) ({gauge}) / sum by (region) (api_limit) > 0.5"),
            "W019" => format!("max by (region) (sum by ({label}) ({gauge})) > {number}"),
            "W020" => format!("{gauge}{{{label}=~\"one\"}} > {number}"),
            "W021" => format!("topk({number}, rate({counter}[{window}])) > {number}"),
            "W024" => format!(
                "histogram_quantile(0.9, sum by ({label}) (rate(shop_latency_seconds_bucket[{window}]))) > {number}"
            ),
            "W025" => format!(
                "histogram_quantile(95, sum by ({label}, le) (rate(shop_latency_seconds_bucket[{window}]))) > {number}"
            ),
            "W026" => format!(
                "avg by ({label}) (rate({counter}[{window}]) / rate(mail_bytes_total[{window}])) > {number}"
            ),
            "W028" => format!("delta({counter}[{window}]) > {number}"),
            "W029" => format!("{gauge}{{{label}=\"a\", {label}=\"b\"}} > {number}"),
            "W037" => format!("up{{job=\"job{number}\"}} == 0"),
            "W038" => format!("avg(rate({counter}[{window}])) > {number}"),
            "W023" => format!("absent({gauge}{{{label}=\"a\"}})"),
            "W027" => format!("{gauge} > 2 * {gauge} offset {}d", self.rng.u32(16..90)),
            "W039" => format!(
                "sum(rate({counter}{{code=\"500\"}}[{window}])) / sum(rate({counter}[{window}])) > 0.{number}"
            ),
            "W040" => format!(
                "sum by ({label}) (rate(container_cpu_usage_seconds_total[{window}])) > 0.{}",
                self.rng.u32(5..10)
            ),
            "W041" => format!("node_filesystem_avail_bytes < {number}"),
            "W045" => format!(
                "sum by ({label}) ({gauge}{{job=\"a\"}}) / sum by ({label}) (api_limit{{job=\"b\"}}) > {number}"
            ),
            "W046" => match self.rng.u8(..3) {
                0 => format!(
                    "shop_disk_used_bytes / shop_disk_size_bytes > {}",
                    number % 90 + 2
                ),
                1 => format!("time() - {gauge}_milliseconds > {number}"),
                _ => format!("{gauge}_bytes - {gauge}_seconds > {number}"),
            },
            "W047" => format!("predict_linear({gauge}[6h], {number}) < 0"),
            "W062" => format!("job:later{}:rate > {number}", self.number),
            "W063" => format!("job:erors:rate{} > {number}", self.pick(&["5m", "1h"])),
            "W069" => format!("{} > {number}", self.slip()),
            _ => self.clean().0,
        }
    }

    /// A rule with the fault that a check is to find.
    fn faulty(&mut self, check: &str) -> String {
        let expr = self.faulty_expr(check);
        let (gauge, label) = (self.gauge(), self.label());
        let number = self.rng.u32(2..500);
        match check {
            "W033" => self.rule(
                &format!("sum by ({label}) ({gauge}) > {number}"),
                "{{ $labels.pod }} is bad",
                "",
            ),
            "W034" => self.rule(&expr, "{{ $value | toUpper }}", ""),
            "W035" => self.rule(&expr, "bad", "      usage: '{{ $value }}'\n"),
            "W036" => self.rule(&expr, "{{ query \"up{\" | len }}", ""),
            // Without `for`, which every other rule has.
            "W023" | "W045" => {
                let rule = self.rule(&expr, "bad", "");
                let hold = rule.find("    for: ").unwrap();
                let end = rule[hold..].find('\n').unwrap();
                format!("{}{}", &rule[..hold], &rule[hold + end + 1..])
            }
            "W030" => {
                let rule = self.rule(&expr, "bad", "");
                rule[..rule.find("    annotations").unwrap()].to_owned()
            }
            "W044" => {
                let rule = self.rule(&expr, "bad", "");
                let url = self.pick(&["htps://a.example", "https:/a.example", "http://"]);
                format!("{rule}      runbook_url: '{url}'\n")
            }
            "W062" => {
                let later = format!("job:later{}:rate", self.number);
                let rule = self.rule(&expr, "bad", "");
                format!("{rule}  - record: {later}\n    expr: sum by ({label}) ({gauge})\n")
            }
            "W060" => self
                .rule(&expr, "bad", "")
                .replace("      severity", "      serverity"),
            "W065" => self.rule(
                &format!("sum by ({label}) ({gauge}) > {number}"),
                "bad",
                &format!("      {label}: all\n"),
            ),
            "W067" => {
                self.number += 1;
                let name = format!("Alert{}", self.number);
                format!("  - record: {name}\n    expr: sum by ({label}) ({name})\n")
            }
            "W068" => self
                .rule(&expr, "bad", "")
                .replace("critical", "critcal")
                .replace("warning", "warnin")
                .replace("severity: info", "severity: criticl"),
            _ => self.rule(&expr, "bad", ""),
        }
    }
}

const PLANTED: [&str; 40] = [
    "W010", "W011", "W012", "W013", "W014", "W015", "W016", "W017", "W018", "W019", "W020", "W021",
    "W023", "W024", "W025", "W026", "W027", "W028", "W029", "W030", "W033", "W034", "W035", "W036",
    "W037", "W038", "W039", "W040", "W041", "W044", "W045", "W046", "W047", "W060", "W062", "W063",
    "W065", "W067", "W068", "W069",
];

/// 200 rules with one planted fault each among 200 clean ones.
#[test]
fn planted_faults_are_found_and_nothing_else() {
    let mut maker = Maker {
        rng: Rng::with_seed(6),
        number: 0,
    };
    let mut text = String::from(
        "groups:\n- name: g\n  rules:\n  - {record: 'job:errors:rate5m', expr: sum by (job) (a)}\n  - {record: 'job:errors:rate1h', expr: sum by (job) (b)}\n",
    );
    let mut planted: BTreeMap<String, &str> = BTreeMap::new();
    for at in 0..200 {
        let check = PLANTED[at % PLANTED.len()];
        text.push_str(&maker.faulty(check));
        planted.insert(format!("Alert{}", maker.number), check);
        text.push_str(&maker.clean_rule());
    }
    let (mut found, mut wrong) = (BTreeMap::new(), BTreeMap::new());
    let mut hit: BTreeSet<(String, &str)> = BTreeSet::new();
    for finding in lint("generated.yml", &text) {
        let rule = finding.rule.as_ref().unwrap().name.clone();
        let id = finding.page.id;
        if planted.get(&rule) == Some(&id) {
            hit.insert((rule, id));
        } else {
            *wrong.entry(id).or_insert(0) += 1;
            println!("not planted: {finding}");
        }
    }
    for (_, id) in &hit {
        *found.entry(*id).or_insert(0) += 1;
    }
    println!("check  planted found wrong precision recall");
    let each = 200 / PLANTED.len();
    for id in PLANTED {
        let (found, wrong) = (
            found.get(id).copied().unwrap_or(0),
            wrong.get(id).copied().unwrap_or(0),
        );
        let precision = f64::from(found) / f64::from((found + wrong).max(1));
        let recall = f64::from(found) / each as f64;
        println!("{id}   {each:7} {found:5} {wrong:5} {precision:9.2} {recall:6.2}");
    }
    let missed: Vec<_> = planted
        .iter()
        .filter(|(rule, id)| !hit.contains(&((*rule).clone(), **id)))
        .collect();
    println!(
        "found {} of 200, {} findings not planted",
        hit.len(),
        wrong.values().sum::<i32>()
    );
    assert!(missed.is_empty(), "{missed:?}");
    assert!(wrong.is_empty(), "{wrong:?}");
}
