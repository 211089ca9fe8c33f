use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::schema::{Out, Record, join, to_yaml};
use crate::config::{Error, FileProblem, Files};
use crate::discovery;
use crate::text::quote::quote;
use crate::text::yaml::{self, Decoder, Dialect, Document, Problem};

use super::sections::RUNTIME;
use super::{Alerting, Global, Job, Storage, alerting, global, other, scrape};

/// What the command line says on how the file is read. The default is that of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadOptions {
    /// Whether it is for an agent, which takes neither rules nor alerting nor remote read.
    pub agent: bool,
    /// Whether a feature flag makes protobuf the first choice of scrapes.
    pub proto_first: bool,
    /// Whether a feature flag makes `extra_scrape_metrics` the default.
    pub extra_scrape_metrics: bool,
}

/// A checked `prometheus.yml`.
#[derive(Debug, Clone)]
pub struct Config {
    /// `global`
    pub global: Global,
    /// `rule_files`: patterns, relative ones joined to the configuration's folder.
    pub rule_files: Vec<String>,
    /// `scrape_config_files`: patterns, joined likewise; what they match is in `jobs` already.
    pub scrape_config_files: Vec<String>,
    /// The files that were read besides the main one.
    pub included_files: Vec<PathBuf>,
    /// `scrape_configs`, those of `scrape_config_files` last.
    pub jobs: Vec<Job>,
    /// `alerting`
    pub alerting: Alerting,
    /// `storage`
    pub storage: Storage,
    /// What was understood and found right but cannot be acted on.
    pub unsupported: Vec<Unsupported>,
    /// Things to tell the user that are no mistakes, such as empty environment variables.
    pub warnings: Vec<String>,
    yaml: String,
}

/// Something that we cannot run, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The section, such as `remote_write`.
    pub section: String,
    /// The job it belongs to, if any.
    pub job: Option<String>,
    /// The way out.
    pub hint: String,
}

impl Config {
    /// The configuration with all defaults, secrets hidden, as `/api/v1/status/config` shows it.
    pub fn to_yaml(&self) -> &str {
        &self.yaml
    }
}

/// Reads and checks a configuration and the scrape configurations that it includes. Rule files are not
/// looked at.
pub fn load(
    path: &Path,
    files: &dyn Files,
    environment: &dyn Fn(&str) -> Option<String>,
    options: LoadOptions,
) -> Result<Config, Error> {
    let (parts, mut config) = load_parts(path, files, environment, options)?;
    let mut entries = parts.jobs.clone();
    include(&parts, files, &mut entries, &mut config.included_files)?;
    config.jobs = entries.iter().map(scrape::Entry::job).collect();
    config.unsupported = unsupported(&parts, &config.jobs, &config.alerting);
    Ok(config)
}

/// As [`load`], but leaves the files alone that `scrape_config_files` name.
pub fn load_main_file(
    path: &Path,
    files: &dyn Files,
    environment: &dyn Fn(&str) -> Option<String>,
    options: LoadOptions,
) -> Result<Config, Error> {
    load_parts(path, files, environment, options).map(|(_, config)| config)
}

fn load_parts(
    path: &Path,
    files: &dyn Files,
    environment: &dyn Fn(&str) -> Option<String>,
    options: LoadOptions,
) -> Result<(Parts, Config), Error> {
    let name = path.display().to_string();
    let text = read(path, files)?;
    let (document, source) = parse(&name, &text)?;
    let decoder = Decoder::new(Dialect::V2);
    let mut parts = Parts::read(&decoder, &document, options);
    let invalid = |problems| Error::Invalid(FileProblem::all(&name, &source, problems));
    let problems = decoder.into_problems();
    if !problems.is_empty() {
        return Err(invalid(problems));
    }
    let mut warnings = Vec::new();
    global::expand_external_labels(&mut parts.global, environment, &mut warnings);
    let warnings = warnings
        .into_iter()
        .map(|name| format!("empty environment variable {}", quote(&name)))
        .collect();
    let folder = path.parent().map(|folder| folder.display().to_string());
    parts.set_directory(folder.as_deref().unwrap_or_default());
    let yaml = parts.to_yaml();
    let jobs: Vec<Job> = parts.jobs.iter().map(scrape::Entry::job).collect();
    let alerting = parts.alerting.options();
    let config = Config {
        global: global::options(&parts.global),
        unsupported: unsupported(&parts, &jobs, &alerting),
        rule_files: parts.rule_files.clone(),
        scrape_config_files: parts.scrape_config_files.clone(),
        included_files: Vec::new(),
        jobs,
        alerting,
        storage: other::storage_options(&parts.storage),
        warnings,
        yaml,
    };
    Ok((parts, config))
}

fn read(path: &Path, files: &dyn Files) -> Result<Vec<u8>, Error> {
    files.read(path).map_err(|error| Error::Read {
        path: path.display().to_string(),
        reason: format!("open {}: {error}", path.display()),
    })
}

fn parse(name: &str, bytes: &[u8]) -> Result<(Document, Arc<str>), Error> {
    let lossy = String::from_utf8_lossy(bytes);
    let source: Arc<str> = Arc::from(&*lossy);
    let document = yaml::utf8(bytes).and_then(yaml::parse_first);
    match document {
        Ok(document) => Ok((document, source)),
        Err(problem) => Err(Error::Invalid(FileProblem::all(
            name,
            &source,
            vec![problem],
        ))),
    }
}

/// The sections as they were read.
struct Parts {
    global: Record,
    runtime: Record,
    alerting: alerting::Entry,
    rule_files: Vec<String>,
    scrape_config_files: Vec<String>,
    jobs: Vec<scrape::Entry>,
    storage: Record,
    tracing: Option<Record>,
    remote_write: Vec<Record>,
    remote_read: Vec<Record>,
    otlp: Record,
    otlp_given: bool,
}

impl Parts {
    fn read(decoder: &Decoder, document: &Document, options: LoadOptions) -> Self {
        let mut fields = decoder.fields(&document.root, "config.plain");
        let global = global::read(decoder, fields.node("global"), options);
        let validation = global::validation_of(&global);
        let runtime = match fields.node("runtime") {
            Some(node) if !node.is_null() => Record::read(decoder, node, &RUNTIME),
            _ => Record::default_of(&RUNTIME),
        };
        let alerting = alerting::read(decoder, fields.node("alerting"), validation);
        let rule_files = fields.strings("rule_files");
        let scrape_config_files = fields.strings("scrape_config_files");
        for (field, patterns, what) in [
            ("rule_files", &rule_files, "rule"),
            ("scrape_config_files", &scrape_config_files, "scrape config"),
        ] {
            for pattern in patterns {
                if !super::is_glob_of_upstream(pattern) {
                    fields.fail_at(
                        field,
                        format!("invalid {what} file path {}", quote(pattern)),
                    );
                }
            }
        }
        let mut jobs: Vec<scrape::Entry> = Vec::new();
        for node in fields.sequence("scrape_configs", "[]*config.ScrapeConfig") {
            let Some(entry) = scrape::read(decoder, node, &global) else {
                continue;
            };
            let name = entry.record.text("job_name");
            if jobs
                .iter()
                .any(|other| other.record.text("job_name") == name)
            {
                let text = format!(
                    "found multiple scrape configs with job name {}",
                    quote(name)
                );
                entry.record.fail(decoder, "job_name", text);
            }
            jobs.push(entry);
        }
        let storage = other::read_storage(decoder, fields.node("storage"));
        let tracing = other::read_tracing(decoder, fields.node("tracing"));
        let remote_write = other::read_remote_write(&mut fields, validation);
        let remote_read = other::read_remote_read(&mut fields);
        let otlp_node = fields.node("otlp");
        let parts = Self {
            otlp: other::read_otlp(decoder, otlp_node, validation),
            otlp_given: otlp_node.is_some(),
            global,
            runtime,
            alerting,
            rule_files,
            scrape_config_files,
            jobs,
            storage,
            tracing,
            remote_write,
            remote_read,
        };
        if options.agent {
            for (given, field) in [
                (parts.alerting.is_given(), "alerting"),
                (!parts.rule_files.is_empty(), "rule_files"),
                (!parts.remote_read.is_empty(), "remote_read"),
            ] {
                if given {
                    let text = format!("field {field} is not allowed in agent mode");
                    decoder.fail(fields.key_span(field), text);
                }
            }
        }
        fields.finish();
        parts
    }

    fn set_directory(&mut self, folder: &str) {
        self.global.set_directory(folder);
        self.alerting.set_directory(folder);
        self.rule_files
            .iter_mut()
            .for_each(|file| join(folder, file));
        self.scrape_config_files
            .iter_mut()
            .for_each(|file| join(folder, file));
        self.jobs
            .iter_mut()
            .for_each(|job| job.set_directory(folder));
        for record in self
            .tracing
            .iter_mut()
            .chain(&mut self.remote_write)
            .chain(&mut self.remote_read)
        {
            record.set_directory(folder);
        }
    }

    fn to_yaml(&self) -> String {
        let texts = |items: &[String]| Out::List(items.iter().cloned().map(Out::Text).collect());
        let records =
            |items: &[Record]| Out::List(items.iter().map(|r| Out::Map(r.to_out())).collect());
        let jobs = self.jobs.iter().map(scrape::Entry::to_out).collect();
        let tracing = self
            .tracing
            .as_ref()
            .map(Record::to_out)
            .unwrap_or_default();
        let sections = [
            ("global", Out::Map(self.global.to_out())),
            ("runtime", Out::Map(self.runtime.to_out())),
            ("alerting", Out::Map(self.alerting.to_out())),
            ("rule_files", texts(&self.rule_files)),
            ("scrape_config_files", texts(&self.scrape_config_files)),
            ("scrape_configs", Out::List(jobs)),
            ("storage", Out::Map(self.storage.to_out())),
            ("tracing", Out::Map(tracing)),
            ("remote_write", records(&self.remote_write)),
            ("remote_read", records(&self.remote_read)),
            ("otlp", Out::Map(self.otlp.to_out())),
        ];
        let shown = sections.into_iter().filter(|(_, out)| match out {
            Out::Map(entries) => !entries.is_empty(),
            Out::List(items) => !items.is_empty(),
            _ => true,
        });
        let shown: Vec<_> = shown.map(|(name, out)| (name.to_owned(), out)).collect();
        to_yaml(&shown)
    }
}

/// Reads what `scrape_config_files` match.
fn include(
    parts: &Parts,
    files: &dyn Files,
    entries: &mut Vec<scrape::Entry>,
    included: &mut Vec<PathBuf>,
) -> Result<(), Error> {
    let mut names: BTreeMap<String, String> = entries
        .iter()
        .map(|entry| {
            let name = entry.record.text("job_name").to_owned();
            (name, "main config file".to_owned())
        })
        .collect();
    for pattern in &parts.scrape_config_files {
        let paths = files.glob(pattern).map_err(|reason| Error::Read {
            path: pattern.clone(),
            reason: format!(
                "error retrieving scrape config files for {}: {reason}",
                quote(pattern)
            ),
        })?;
        for path in paths {
            let name = path.display().to_string();
            let (document, source) = parse(&name, &read(&path, files)?)?;
            let decoder = Decoder::new(Dialect::V2);
            let mut fields = decoder.fields(&document.root, "config.ScrapeConfigs");
            let nodes = fields.sequence("scrape_configs", "[]*config.ScrapeConfig");
            let folder = path.parent().map(|folder| folder.display().to_string());
            for node in nodes {
                let Some(mut entry) = scrape::read(&decoder, node, &parts.global) else {
                    continue;
                };
                let job = entry.record.text("job_name").to_owned();
                if let Some(first) = names.get(&job) {
                    let text = format!(
                        "found multiple scrape configs with job name {}, first found in {first}",
                        quote(&job)
                    );
                    entry.record.fail(&decoder, "job_name", text);
                }
                names.insert(job, quote(&name));
                entry.set_directory(folder.as_deref().unwrap_or_default());
                entries.push(entry);
            }
            fields.finish();
            let problems: Vec<Problem> = decoder.into_problems();
            if !problems.is_empty() {
                return Err(Error::Invalid(FileProblem::all(&name, &source, problems)));
            }
            included.push(path);
        }
    }
    Ok(())
}

fn unsupported(parts: &Parts, jobs: &[Job], alerting: &Alerting) -> Vec<Unsupported> {
    let mut found = Vec::new();
    let mut say = |section: &str, job: Option<&str>, hint: &str| {
        found.push(Unsupported {
            section: section.to_owned(),
            job: job.map(str::to_owned),
            hint: hint.to_owned(),
        });
    };
    let through_http = "let a small program ask the service and serve the answer to `http_sd_configs`, or write it to a file for `file_sd_configs`";
    let mut discovery_of = |options: &[discovery::Options], job: Option<&str>| {
        for option in options {
            if let discovery::Options::Unsupported { kind } = option {
                say(kind, job, through_http);
            }
        }
    };
    for job in jobs {
        discovery_of(&job.discovery, Some(&job.options.job_name));
    }
    for alertmanager in &alerting.alertmanagers {
        discovery_of(&alertmanager.discovery, None);
    }
    if alerting.alertmanagers.iter().any(|a| a.sigv4) {
        say(
            "sigv4",
            None,
            "use `basic_auth`, `authorization` or `oauth2`, or a signing proxy",
        );
    }
    if !parts.remote_write.is_empty() {
        say(
            "remote_write",
            None,
            "scrape `/federate`, or keep a Prometheus beside this one that writes on",
        );
    }
    if !parts.remote_read.is_empty() {
        say("remote_read", None, "query the other storage directly");
    }
    if parts.tracing.is_some() {
        say("tracing", None, "remove the section: no traces are sent");
    }
    if parts.otlp_given {
        say(
            "otlp",
            None,
            "let an OpenTelemetry collector expose a Prometheus endpoint and scrape it",
        );
    }
    found
}
