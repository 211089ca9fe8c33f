use std::path::Path;
use std::sync::Arc;

use crate::alerting::matchers::Syntax;
use crate::config::prometheus::{self, Alertmanager, Config, Job, LoadOptions};
use crate::config::{Files, alertmanager as alertmanager_config, web as web_config};
use crate::discovery::{Options, TargetGroup, file};
use crate::model::LabelsBuilder;
use crate::model::http_client::{ClientOptions, SecretSource};
use crate::relabel;
use crate::scrape::Pool;
use crate::template::notify::TemplateSet;
use crate::text::quote::quote;
use crate::text::yaml;
use crate::time::Span;

use super::Finding;
use super::lint::{Page, errors};

/// How a `prometheus.yml` is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConfigCheck {
    /// Whether it is for an agent.
    pub agent: bool,
    /// Whether the files that it names are left alone.
    pub syntax_only: bool,
    /// Jobs that scrape more rarely than this are findings; none checks nothing.
    pub lookback_delta: Option<Span>,
}

/// What is to say on a `prometheus.yml`.
#[derive(Debug, Clone, Default)]
pub struct ConfigReport {
    /// What is wrong or worth knowing.
    pub findings: Vec<Finding>,
    /// The rule files that it names, to be checked next.
    pub rule_files: Vec<String>,
    /// Which names of metrics and labels are valid there.
    pub validation: crate::model::ValidationScheme,
}

/// Checks a `prometheus.yml` and the files that it names, rule files apart.
pub fn config(
    path: &Path,
    files: &dyn Files,
    environment: &dyn Fn(&str) -> Option<String>,
    check: ConfigCheck,
) -> ConfigReport {
    let name = path.display().to_string();
    let options = LoadOptions {
        agent: check.agent,
        ..LoadOptions::default()
    };
    let load = if check.syntax_only {
        prometheus::load_main_file
    } else {
        prometheus::load
    };
    let config = match load(path, files, environment, options) {
        Ok(config) => config,
        Err(error) => {
            return ConfigReport {
                findings: Finding::of_error(&name, &error),
                ..ConfigReport::default()
            };
        }
    };
    let mut report = ConfigReport {
        validation: config.global.validation,
        ..ConfigReport::default()
    };
    Checker {
        name: &name,
        files,
        check,
        report: &mut report,
    }
    .run(&config);
    report
}

struct Checker<'a> {
    name: &'a str,
    files: &'a dyn Files,
    check: ConfigCheck,
    report: &'a mut ConfigReport,
}

impl Checker<'_> {
    fn say(&mut self, page: &'static Page, message: impl Into<String>) {
        self.report
            .findings
            .push(Finding::new(page, self.name, message));
    }

    fn run(&mut self, config: &Config) {
        if !self.check.syntax_only {
            self.rule_files(&config.rule_files);
        }
        for job in &config.jobs {
            self.job(job);
        }
        for alertmanager in &config.alerting.alertmanagers {
            self.alertmanager(alertmanager);
        }
        for warning in &config.warnings {
            self.say(&errors::CONFIG_WARNING, warning.clone());
        }
        for unsupported in &config.unsupported {
            let place = match &unsupported.job {
                Some(job) => format!(" of job {}", quote(job)),
                None => String::new(),
            };
            let text = format!(
                "{}{place} is right, but watchfire cannot run it",
                unsupported.section
            );
            let finding = Finding::new(&errors::UNSUPPORTED, self.name, text);
            self.report
                .findings
                .push(finding.with_hint(unsupported.hint.clone()));
        }
    }

    fn rule_files(&mut self, patterns: &[String]) {
        for pattern in patterns {
            let found = match self.files.glob(pattern) {
                Ok(found) => found,
                Err(reason) => {
                    self.say(&errors::CONFIG, reason);
                    continue;
                }
            };
            if found.is_empty() && !pattern.contains('*') {
                let text = format!("{} does not point to an existing file", quote(pattern));
                self.say(&errors::CONFIG, text);
            }
            let names = found.iter().map(|path| path.display().to_string());
            self.report.rule_files.extend(names);
        }
    }

    fn job(&mut self, job: &Job) {
        let name = &job.options.job_name;
        self.client(&job.options.client);
        if let Some(lookback) = self.check.lookback_delta
            && job.options.scrape_interval >= lookback
        {
            let text = format!(
                "too long scrape interval found, data point will be marked as stale - job: {name}, interval: {}",
                job.options.scrape_interval
            );
            self.say(&errors::SCRAPE_INTERVAL, text);
        }
        let mut pool = Pool::new(Arc::new(job.options.clone()));
        let whose = format!("scrape job {}", quote(name));
        for groups in self.groups(&job.discovery, &whose) {
            for failure in pool.sync(&groups).failures {
                self.say(&errors::CONFIG, failure);
            }
        }
    }

    fn alertmanager(&mut self, alertmanager: &Alertmanager) {
        for groups in self.groups(&alertmanager.discovery, "alertmanager config") {
            for group in &groups {
                for target in &group.targets {
                    let mut labels = LabelsBuilder::from(&group.labels);
                    for (name, value) in target {
                        labels.set(name, value);
                    }
                    if !relabel::apply(&mut labels, &alertmanager.relabel_rules) {
                        continue;
                    }
                    let labels = labels.build();
                    let address = labels.get("__address__").unwrap_or_default();
                    if address.contains('/') {
                        let text = format!("{} is not a valid hostname", quote(address));
                        self.say(&errors::CONFIG, text);
                    }
                }
            }
        }
    }

    /// The groups that are known without asking anyone.
    fn groups(&mut self, discovery: &[Options], whose: &str) -> Vec<Vec<TargetGroup>> {
        let mut known = Vec::new();
        for options in discovery {
            match options {
                Options::Static(groups) => known.push(groups.clone()),
                Options::Http(http) => self.client(&http.client),
                Options::File(options) if !self.check.syntax_only => {
                    for pattern in &options.files {
                        self.target_files(pattern, whose, &mut known);
                    }
                }
                _ => {}
            }
        }
        known
    }

    fn target_files(&mut self, pattern: &str, whose: &str, known: &mut Vec<Vec<TargetGroup>>) {
        let found = self.files.glob(pattern).unwrap_or_default();
        if found.is_empty() {
            let text = format!(
                "file {} for file_sd in {whose} does not exist",
                quote(pattern)
            );
            self.say(&errors::CONFIG_WARNING, text);
        }
        for path in found {
            let read = self.files.read(&path).map_err(|error| error.to_string());
            let groups = read.and_then(|bytes| {
                file::parse(&path.display().to_string(), &bytes).map_err(|error| error.to_string())
            });
            match groups {
                Ok(groups) => known.push(groups),
                Err(reason) => {
                    let text = format!("checking SD file {}: {reason}", quote(pattern));
                    self.say(&errors::CONFIG, text);
                }
            }
        }
    }

    fn client(&mut self, client: &ClientOptions) {
        if self.check.syntax_only {
            return;
        }
        if let Some(authorization) = &client.authorization {
            let what = "authorization credentials or bearer token file";
            self.exists(&authorization.credentials, what);
        }
        self.exists(&client.tls.cert, "client cert file");
        self.exists(&client.tls.key, "client key file");
    }

    fn exists(&mut self, source: &SecretSource, what: &str) {
        let SecretSource::File(path) = source else {
            return;
        };
        if let Err(error) = self.files.read(path) {
            let shown = path.display();
            let reason = match error.kind() {
                std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
                _ => error.to_string(),
            };
            let text = format!(
                "error checking {what} {}: stat {shown}: {reason}",
                quote(&shown.to_string())
            );
            self.say(&errors::CONFIG, text);
        }
    }
}

/// Checks an `alertmanager.yml`.
pub fn alertmanager(name: &str, bytes: &[u8], syntax: Syntax) -> Vec<Finding> {
    let source: Arc<str> = Arc::from(&*String::from_utf8_lossy(bytes));
    let parsed = yaml::utf8(bytes)
        .map_err(|problem| vec![problem])
        .and_then(|text| alertmanager_config::parse(text, syntax).map(|_| ()));
    findings(name, &source, parsed)
}

/// Checks the templates that an `alertmanager.yml` names; patterns without a file are none.
pub fn router_templates(
    name: &str,
    bytes: &[u8],
    syntax: Syntax,
    files: &dyn Files,
) -> Vec<Finding> {
    let folder = Path::new(name).parent().unwrap_or_else(|| Path::new(""));
    let folder = folder.to_string_lossy();
    let Ok(config) =
        alertmanager_config::parse_in(&String::from_utf8_lossy(bytes), syntax, &folder)
    else {
        return Vec::new();
    };
    let mut templates = TemplateSet::new();
    let mut findings = Vec::new();
    for pattern in &config.templates {
        let found = match files.glob(pattern) {
            Ok(found) => found,
            Err(reason) => {
                findings.push(Finding::unreadable(
                    name,
                    format!("templates: {pattern}: {reason}"),
                ));
                continue;
            }
        };
        for path in found {
            let name = path.display().to_string();
            let read = files.read(&path).map_err(|error| error.to_string());
            let added = read.and_then(|bytes| {
                let text = String::from_utf8_lossy(&bytes);
                templates
                    .add(&name, &text)
                    .map_err(|error| error.to_string())
            });
            if let Err(reason) = added {
                findings.push(Finding::new(&errors::TEMPLATE_SYNTAX, &name, reason));
            }
        }
    }
    findings
}

/// Checks a file for `--web.config.file`.
pub fn web(name: &str, bytes: &[u8]) -> Vec<Finding> {
    let source: Arc<str> = Arc::from(&*String::from_utf8_lossy(bytes));
    findings(name, &source, web_config::parse(bytes, "").map(|_| ()))
}

fn findings(
    name: &str,
    source: &Arc<str>,
    outcome: Result<(), Vec<yaml::Problem>>,
) -> Vec<Finding> {
    outcome
        .err()
        .unwrap_or_default()
        .into_iter()
        .map(|problem| Finding::refused(&errors::CONFIG, name, source, problem))
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::config::MemoryFiles;

    use super::*;

    fn check(text: &str, options: ConfigCheck) -> Vec<String> {
        let mut files = MemoryFiles::new();
        files.insert("c/p.yml", text);
        files.insert("c/t.json", "[{\"targets\": [\"a/b\"]}]");
        let report = config(Path::new("c/p.yml"), &files, &|_| None, options);
        let shown = |finding: &Finding| format!("{:?} {finding}", finding.severity);
        report.findings.iter().map(shown).collect()
    }

    #[test]
    fn files_that_a_configuration_names_are_checked() {
        let text = "rule_files: [r.yml]\nscrape_configs:\n- job_name: j\n  scrape_interval: 10m\n  file_sd_configs: [{files: [t.json, gone.yml]}]\n  tls_config: {cert_file: c, key_file: k}\n  relabel_configs: [{action: keep}]\n  consul_sd_configs: [{}]\n";
        let options = ConfigCheck {
            lookback_delta: Some(Span::minutes(5)),
            ..ConfigCheck::default()
        };
        let found = check(text, options);
        for wanted in [
            "Error c/p.yml: \"c/r.yml\" does not point to an existing file",
            "Error c/p.yml: error checking client cert file \"c/c\": stat c/c: no such file or directory",
            "Lint c/p.yml: too long scrape interval found, data point will be marked as stale - job: j, interval: 10m",
            "Warning c/p.yml: file \"c/gone.yml\" for file_sd in scrape job \"j\" does not exist",
            "Info c/p.yml: consul_sd_configs of job \"j\" is right, but watchfire cannot run it",
        ] {
            assert!(
                found.iter().any(|line| line == wanted),
                "{wanted}\n{found:#?}"
            );
        }
        assert!(
            found
                .iter()
                .any(|line| line.contains("is not a valid hostname"))
        );
        let options = ConfigCheck {
            syntax_only: true,
            ..ConfigCheck::default()
        };
        assert_eq!(check(text, options).len(), 1);
    }

    #[test]
    fn alertmanagers_and_web_files_are_checked() {
        assert_eq!(
            web("w.yml", b"tls: {}\n")[0].to_string(),
            "w.yml:1:1: field tls not found in type web.Config"
        );
        assert!(!alertmanager("a.yml", b"route: {}\n", Syntax::default()).is_empty());
    }
}
