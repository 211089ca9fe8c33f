//! amtool's own configuration file, so that what people set up there holds here too.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::{features, text};
use crate::alerting::matchers::Syntax;
use crate::cli::Error;
use crate::config::http_client;
use crate::model::http_client::ClientOptions;
use crate::text::yaml::{self, Node};

/// Where a server listens unless told otherwise.
const URL_DEFAULT: &str = "http://localhost:9090";
const DATE_FORMAT_DEFAULT: &str = "2006-01-02 15:04:05 MST";

/// What flags and file say together; flags win.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Settings {
    pub(in crate::cli) url: String,
    pub(in crate::cli) output: Output,
    pub(in crate::cli) date_format: String,
    /// Who silences; the user's name unless given.
    pub(in crate::cli) author: String,
    /// Whether a silence needs a comment.
    pub(in crate::cli) require_comment: bool,
    pub(in crate::cli) http_config: Option<PathBuf>,
    /// How matchers are read.
    pub(in crate::cli) syntax: Syntax,
}

/// How answers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Output {
    Simple,
    Extended,
    Json,
}

impl Settings {
    /// Reads the flags and the first of amtool's files that exists.
    pub(super) fn read(matches: &ArgMatches) -> Result<Self, Error> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let files = home
            .map(|home| home.join(".config/prometheus/amtool.yml"))
            .into_iter()
            .chain([PathBuf::from("/etc/prometheus/amtool.yml")]);
        let mut settings = Self::default();
        for path in files {
            if let Ok(content) = std::fs::read_to_string(&path) {
                settings.take_file(&path, &content)?;
                break;
            }
        }
        settings.take_flags(matches)?;
        Ok(settings)
    }

    fn default() -> Self {
        Self {
            url: URL_DEFAULT.to_owned(),
            output: Output::Simple,
            date_format: DATE_FORMAT_DEFAULT.to_owned(),
            author: std::env::var("USER")
                .or_else(|_| std::env::var("LOGNAME"))
                .unwrap_or_else(|_| "root".to_owned()),
            require_comment: true,
            http_config: None,
            syntax: Syntax::default(),
        }
    }

    /// Takes what a file says. Names nobody knows are amtool's flags that have no meaning here.
    fn take_file(&mut self, path: &Path, content: &str) -> Result<(), Error> {
        let wrong = |why: String| Error::new(format!("{}: {why}", path.display()));
        let document = yaml::parse_first(content).map_err(|problem| wrong(problem.to_string()))?;
        let Some(entries) = document.root.as_mapping() else {
            return Ok(());
        };
        for entry in entries {
            let (Some(name), Some(value)) = (entry.key.as_str(), scalar(&entry.value)) else {
                continue;
            };
            match name {
                "alertmanager.url" => value.clone_into(&mut self.url),
                "author" => value.clone_into(&mut self.author),
                "comment_required" | "require-comment" => self.require_comment = value != "false",
                "date.format" => value.clone_into(&mut self.date_format),
                "enable-feature" => {
                    let names: Vec<String> = value.split(',').map(str::to_owned).collect();
                    self.syntax = features::chosen(&names)?;
                }
                "http.config.file" => self.http_config = Some(value.into()),
                "output" => {
                    self.output = Output::parse(value)
                        .ok_or_else(|| wrong(format!("unknown output {value:?}")))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn take_flags(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        let given = |name: &str| Some(text(matches, name)).filter(|text| !text.is_empty());
        if let Some(url) = given("alertmanager.url") {
            url.clone_into(&mut self.url);
        }
        if let Some(output) = given("output").and_then(Output::parse) {
            self.output = output;
        }
        if let Some(format) = given("date.format") {
            format.clone_into(&mut self.date_format);
        }
        if let Some(author) = given("author") {
            author.clone_into(&mut self.author);
        }
        if let Some(path) = given("http.config.file") {
            self.http_config = Some(path.into());
        }
        let known = matches.try_contains_id("require-comment").is_ok();
        if known && matches.value_source("require-comment") == Some(ValueSource::CommandLine) {
            self.require_comment = text(matches, "require-comment") != "false";
        }
        if matches.value_source("enable-feature") == Some(ValueSource::CommandLine) {
            self.syntax = features::syntax(matches)?;
        }
        Ok(())
    }
}

impl Output {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "simple" => Self::Simple,
            "extended" => Self::Extended,
            "json" => Self::Json,
            _ => return None,
        })
    }
}

fn scalar(node: &Node) -> Option<&str> {
    node.as_str()
}

/// Reads a file with an `http_config`.
pub(super) fn http_config(path: &Path) -> Result<ClientOptions, Error> {
    let name = path.display();
    let content = std::fs::read_to_string(path)
        .map_err(|error| Error::new(format!("cannot read {name}: {error}")))?;
    let folder = path.parent().map(Path::to_string_lossy);
    http_client::parse(&content, folder.as_deref().unwrap_or_default()).map_err(|problems| {
        let lines: Vec<String> = problems
            .iter()
            .map(|problem| format!("{name}:{problem}"))
            .collect();
        Error::new(lines.join("\n"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amtools_file_is_understood() {
        let mut settings = Settings::default();
        let file = "alertmanager.url: http://am:9093\nauthor: me@example.com\ncomment_required: false\nenable-feature: classic-mode\noutput: extended\nversion-check: false\n";
        settings.take_file(Path::new("amtool.yml"), file).unwrap();
        assert_eq!(settings.url, "http://am:9093");
        assert_eq!(settings.author, "me@example.com");
        assert!(!settings.require_comment);
        assert_eq!(settings.output, Output::Extended);
        assert_eq!(settings.syntax, Syntax::Classic);
        let wrong = settings.take_file(Path::new("amtool.yml"), "output: xml\n");
        assert_eq!(
            wrong.unwrap_err().to_string(),
            "amtool.yml: unknown output \"xml\""
        );
    }
}
