//! Reads every configuration file, and says what is wrong before anything changes.

use std::path::{Path, PathBuf};

use super::files::RealFiles;
use super::path_of;
use crate::config::Files as _;
use crate::config::prometheus::{self, Config, LoadOptions};
use crate::config::watchfire::{self, WatchfireOptions};
use crate::daemon::{ConfigSource, Error, Options, notify_loop};
use crate::rules::file::FileOptions;
use crate::rules::{self, Group};

/// The name under which a built-in configuration is read.
const BUILT_IN: &str = "watchfire-built-in.yml";

/// All that a (re)load read, found right.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) config: Option<Config>,
    pub(super) groups: Vec<Group>,
    pub(super) router: notify_loop::Loaded,
    /// What `watchfire.yml` says of memory.
    pub(super) memory_limit: Option<u64>,
    /// The files that were read, to notice changes.
    pub(super) files: Vec<PathBuf>,
}

impl Loaded {
    /// Tells the log what is no mistake and still worth knowing.
    pub(super) fn say_warnings(&self) {
        for warning in self.config.iter().flat_map(|c| &c.warnings) {
            tracing::warn!("{warning}");
        }
        self.router.say_warnings();
    }
}

/// Reads and checks everything.
pub(super) fn load(options: &Options) -> Result<Loaded, Error> {
    let mut files: Vec<PathBuf> = path_of(&options.config).into_iter().collect();
    let config = match &options.config {
        ConfigSource::None => None,
        ConfigSource::File(path) => Some(read(path, &RealFiles::default(), options)?),
        ConfigSource::Text(text) => {
            let overlay = Some((PathBuf::from(BUILT_IN), text.clone()));
            Some(read(Path::new(BUILT_IN), &RealFiles { overlay }, options)?)
        }
    };
    let mut groups = Vec::new();
    if let Some(config) = &config {
        files.extend(config.included_files.iter().cloned());
        groups = rule_groups(config, options, &mut files)?;
    }
    let router = match &options.router {
        ConfigSource::None => Ok(notify_loop::Loaded::log_only()),
        ConfigSource::File(path) => notify_loop::Loaded::from_file(path, options.syntax()),
        ConfigSource::Text(text) => notify_loop::Loaded::from_text(text),
    };
    let router = router.map_err(|e| Error::Config(e.to_string()))?;
    let mut memory_limit = None;
    let router = match &options.watchfire {
        Some(path) => {
            let own = own(path, &router)?;
            memory_limit = own.memory_limit;
            router.with_watchfire(&own)
        }
        None => router,
    };
    files.extend(path_of(&options.router));
    files.extend(options.watchfire.clone());
    files.extend(router.templates.iter().map(|(name, _)| PathBuf::from(name)));
    Ok(Loaded {
        config,
        groups,
        router,
        memory_limit,
        files,
    })
}

/// Reads `watchfire.yml`.
fn own(path: &Path, router: &notify_loop::Loaded) -> Result<WatchfireOptions, Error> {
    let receivers = router.receivers();
    watchfire::load(path, &RealFiles::default(), &receivers).map_err(|e| {
        let hint = e.problems().iter().find_map(|p| p.problem.hint.as_deref());
        let hint = hint.map(|hint| format!("\nhint: {hint}"));
        Error::Config(format!(
            "couldn't load configuration: {e}{}",
            hint.unwrap_or_default()
        ))
    })
}

fn read(path: &Path, files: &RealFiles, options: &Options) -> Result<Config, Error> {
    let environment = |name: &str| std::env::var(name).ok();
    let feature = |name: &str| options.features.contains(name);
    let load_options = LoadOptions {
        agent: false,
        // compat: only protobuf tells start timestamps well.
        proto_first: feature("created-timestamp-zero-ingestion") || feature("st-storage"),
        extra_scrape_metrics: feature("extra-scrape-metrics"),
    };
    let config = prometheus::load(path, files, &environment, load_options)
        .map_err(|e| Error::Config(format!("couldn't load configuration: {e}{}", hint(&e))))?;
    if let Some(missing) = config.unsupported.first() {
        let job = missing
            .job
            .as_ref()
            .map(|job| format!(" of job {job:?}"))
            .unwrap_or_default();
        return Err(Error::Unsupported(format!(
            "{}{job} cannot run here yet\nhint: {}",
            missing.section, missing.hint
        )));
    }
    Ok(config)
}

/// The first way out that the mistakes of a file offer, with the line that it is about.
fn hint(error: &crate::config::Error) -> String {
    let problems = error.problems().iter().map(|p| &p.problem);
    let mut hints = problems.filter_map(|p| Some((p.line, p.hint.as_deref()?)));
    hints.next().map_or_else(String::new, |(line, hint)| {
        format!("\nhint: line {line}: {hint}")
    })
}

/// The groups of every rule file that the configuration's patterns match, and of the built-in packs.
fn rule_groups(
    config: &Config,
    options: &Options,
    files: &mut Vec<PathBuf>,
) -> Result<Vec<Group>, Error> {
    let real = RealFiles::default();
    let mut paths = std::collections::BTreeSet::new();
    for pattern in &config.rule_files {
        let found = real.glob(pattern).map_err(|e| {
            Error::Config(format!("error retrieving rule files for {pattern:?}: {e}"))
        })?;
        paths.extend(found);
    }
    let mut texts = options.built_in_rules.clone();
    for path in paths {
        let name = path.display().to_string();
        let bytes = real
            .read(&path)
            .map_err(|e| Error::Config(format!("open {name}: {e}")))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Error::Config(format!("{name}: the file is not UTF-8")))?;
        texts.push((name, text));
        files.push(path);
    }
    let read_as = FileOptions {
        validation: config.global.validation,
        parser: super::start::syntax(options),
        ..FileOptions::default()
    };
    let mut groups = Vec::new();
    let mut problems = Vec::new();
    for (name, text) in &texts {
        match rules::file::parse(text, &read_as) {
            Ok(file) => groups.extend(file.groups.iter().map(|group| {
                Group::new(group.options(
                    name,
                    config.global.evaluation_interval,
                    config.global.rule_query_offset,
                ))
            })),
            Err(found) => problems.extend(found.iter().map(|problem| {
                format!(
                    "{name}:{}:{}: {}",
                    problem.line, problem.column, problem.message
                )
            })),
        }
    }
    if problems.is_empty() {
        return Ok(groups);
    }
    Err(Error::Config(format!(
        "loading rule files failed: {}",
        problems.join("\n")
    )))
}
