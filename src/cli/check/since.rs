//! `--since REV`: only what a change touches, and what the change does.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use clap::{Arg, ArgMatches};

use super::input::Input;
use super::outcome::Outcome;
use crate::alerting::matchers::Syntax;
use crate::check::changes::{ChangedRule, MovedAlerts, RuleChange};
use crate::check::source::{is_something_else, rule_source};
use crate::check::{RuleFile, Severity, changes, lint};
use crate::cli::{Error, amtool};
use crate::config::alertmanager::{self, AlertmanagerConfig};
use crate::rules::file::FileOptions;

pub(super) fn argument() -> Arg {
    Arg::new("since")
        .long("since")
        .value_name("REV")
        .help("Look only at what changed since a git revision (since where its branch left), and show what the change does")
}

/// The files of a git repository that changed.
pub(super) struct Since {
    /// The revision as it was given.
    revision: String,
    root: PathBuf,
    /// The commit that is compared with.
    base: String,
    /// Absolute paths.
    changed: BTreeSet<PathBuf>,
    /// How matchers of routers are read.
    syntax: Syntax,
}

/// What a change does.
pub(super) struct Changes {
    pub(super) revision: String,
    pub(super) rules: Vec<ChangedRule>,
    pub(super) moved: Vec<MovedAlerts>,
}

impl Since {
    /// What the argument asks for, if it is given.
    pub(super) fn of(matches: &ArgMatches) -> Result<Option<Self>, Error> {
        let Some(revision) = matches.get_one::<String>("since") else {
            return Ok(None);
        };
        let here = Path::new(".");
        let root = git(here, ["rev-parse", "--show-toplevel"]).map_err(|error| match error {
            Failure::NotRun(error) => {
                Error::new(format!("--since needs git, which cannot be run: {error}"))
                    .with_hint("install git, or leave --since away")
            }
            Failure::Said(_) => Error::new("--since: this folder belongs to no git repository")
                .with_hint("run it inside the repository that holds the rules"),
        })?;
        let root = PathBuf::from(text(&root));
        let commit = format!("{revision}^{{commit}}");
        let commit = git(
            &root,
            [
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                &commit,
            ],
        );
        let commit = commit.map_err(|_| {
            Error::new(format!("--since {revision}: git knows no such revision"))
                .with_hint("in CI, fetch the history: `fetch-depth: 0` for actions/checkout, `GIT_DEPTH: 0` for GitLab")
        })?;
        let commit = text(&commit);
        // A branch is compared with where this one left it, so that its own later commits do not count.
        let base = git(&root, ["merge-base", &commit, "HEAD"]).map_or(commit, |base| text(&base));
        let failed = |error: Failure| Error::new(format!("--since {revision}: {}", error.text()));
        let diff = [
            "diff",
            "--name-only",
            "--no-renames",
            "--no-ext-diff",
            "-z",
            &base,
            "--",
        ];
        let new = ["ls-files", "--others", "--exclude-standard", "-z"];
        let mut changed = BTreeSet::new();
        for list in [
            git(&root, diff).map_err(failed)?,
            git(&root, new).map_err(failed)?,
        ] {
            let paths = list
                .split(|byte| *byte == 0)
                .filter(|path| !path.is_empty());
            changed.extend(paths.map(|path| root.join(String::from_utf8_lossy(path).as_ref())));
        }
        Ok(Some(Self {
            revision: revision.clone(),
            root,
            base,
            changed,
            syntax: amtool::chosen_syntax(&amtool::texts(matches, "enable-feature"))?,
        }))
    }

    /// Every changed file that may hold rules, for when none is named; files that are gone are left out.
    pub(super) fn inputs(&self) -> Vec<Input> {
        let here = std::env::current_dir().unwrap_or_default();
        let named = self.changed.iter().filter(|path| {
            let ends = path.extension().and_then(OsStr::to_str);
            ends.is_some_and(|end| matches!(end, "yml" | "yaml" | "json" | "rules"))
                && path.is_file()
        });
        let inputs = named.map(|path| {
            let short = path.strip_prefix(&here).unwrap_or(path);
            Input::read(&short.to_string_lossy())
        });
        inputs
            .filter(|input| {
                !input
                    .bytes
                    .as_ref()
                    .is_ok_and(|bytes| is_something_else(bytes))
            })
            .collect()
    }

    /// Whether a file changed.
    fn touches(&self, name: &str) -> bool {
        std::fs::canonicalize(name).is_ok_and(|path| self.changed.contains(&path))
    }

    /// A file as it was; `None` when it was not there.
    fn before(&self, path: &Path) -> Option<Vec<u8>> {
        let inside = path.strip_prefix(&self.root).ok()?;
        let spec = format!("{}:{}", self.base, inside.to_string_lossy());
        git(&self.root, ["show", &spec]).ok()
    }

    /// The rules of the changed files, as they were: those of the checked files and of files that are gone.
    fn rules_before(&self, options: FileOptions) -> Vec<RuleFile> {
        let here = std::env::current_dir().unwrap_or_default();
        let mut files = Vec::new();
        for path in &self.changed {
            let Some(bytes) = self.before(path).filter(|bytes| !is_something_else(bytes)) else {
                continue;
            };
            let name = path.strip_prefix(&here).unwrap_or(path).to_string_lossy();
            let yaml = [".yml", ".yaml", ".json", ".rules"]
                .iter()
                .any(|end| name.ends_with(end));
            if yaml {
                files.extend(rule_source(&name, &bytes, &options).files);
            }
        }
        files
    }

    /// Leaves only what the change touches, and adds what it does.
    pub(super) fn narrow(
        &self,
        outcome: &mut Outcome,
        after: &[RuleFile],
        options: FileOptions,
        routing: Option<(&str, &AlertmanagerConfig)>,
    ) {
        let before = self.rules_before(options);
        let touched: Vec<RuleFile> = after
            .iter()
            .filter(|file| self.touches(&file.name))
            .cloned()
            .collect();
        let rules = changes::rules(&before, &touched);
        let touched: BTreeSet<(&str, &str)> = rules
            .iter()
            .filter(|rule| rule.change != RuleChange::Removed)
            .map(|rule| (rule.group.as_str(), rule.name.as_str()))
            .collect();
        for checked in &mut outcome.checked {
            if !self.touches(&checked.name) && checked.name != "-" {
                checked.findings.clear();
            }
            checked.findings.retain(|finding| {
                finding.severity == Severity::Error
                    || finding.rule.as_ref().is_none_or(|rule| {
                        touched.contains(&(rule.group.as_str(), rule.name.as_str()))
                    })
            });
        }
        for finding in lint::removed_recordings(&before, after) {
            let mut files = outcome.checked.iter_mut();
            if let Some(checked) = files.find(|checked| checked.name == finding.file) {
                checked.findings.push(finding);
            }
        }
        outcome.checked.retain(|checked| {
            checked.name == "-" || !checked.findings.is_empty() || self.touches(&checked.name)
        });
        let moved = routing.map(|(name, config)| self.moved(name, config, after));
        outcome.changes = Some(Changes {
            revision: self.revision.clone(),
            rules,
            moved: moved.unwrap_or_default(),
        });
    }

    /// Alerts that go elsewhere than before.
    fn moved(
        &self,
        name: &str,
        after: &AlertmanagerConfig,
        rules: &[RuleFile],
    ) -> Vec<MovedAlerts> {
        let path = std::fs::canonicalize(name).unwrap_or_default();
        let before = self.before(&path).and_then(|bytes| {
            let text = String::from_utf8_lossy(&bytes);
            alertmanager::parse(&text, self.syntax).ok()
        });
        before.map_or_else(Vec::new, |before| changes::routes(&before, after, rules))
    }
}

/// Why git gave no answer.
enum Failure {
    NotRun(std::io::Error),
    Said(String),
}

impl Failure {
    fn text(&self) -> String {
        match self {
            Self::NotRun(error) => error.to_string(),
            Self::Said(text) => text.clone(),
        }
    }
}

fn git<'a>(folder: &Path, args: impl IntoIterator<Item = &'a str>) -> Result<Vec<u8>, Failure> {
    let output = Process::new("git")
        .arg("-C")
        .arg(folder)
        .args(args)
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(Failure::NotRun)?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Failure::Said(said))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end_matches(['\n', '\r'])
        .to_owned()
}
