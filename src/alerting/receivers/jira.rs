use std::fmt::Write as _;

use serde_json::Value as Json;

use super::body::{self, Object, USER_AGENT};
use super::context::{NotifyContext, Render, truncate_runes};
use super::exchange::{Error, HttpReply, HttpRequest, Outcome, Outgoing, Progress, Reply};
use super::fields::{Fields, text, text_or};
use super::{Stage, status};
use crate::alerting::Notification;
use crate::text::quote::quote;

const SUMMARY_MAX: usize = 255;
const DESCRIPTION_MAX: usize = 32_767;

/// Jira: looks for the group's issue, then creates or changes it, then moves it on.
#[derive(Debug, Clone, PartialEq)]
pub struct Jira {
    /// Where the API is, such as `https://x.atlassian.net/rest/api/2`.
    pub api_url: String,
    /// `auto`, `cloud` or `datacenter`.
    pub api_type: String,
    /// The project's key; a template, as most texts below.
    pub project: String,
    /// The issue's summary.
    pub summary: Text,
    /// The issue's description.
    pub description: Text,
    /// Labels, and whether updates set them.
    pub labels: (Vec<String>, bool),
    /// The priority's name.
    pub priority: String,
    /// The type's name.
    pub issue_type: String,
    /// The transition that opens a closed issue again.
    pub reopen_transition: String,
    /// The transition that closes an issue.
    pub resolve_transition: String,
    /// Issues resolved like this are left alone.
    pub wont_fix_resolution: String,
    /// How long after its end an issue may be opened again, in minutes.
    pub reopen_minutes: i64,
    /// More fields.
    pub fields: Vec<(String, Json)>,
}

/// A text of the issue, and whether updates set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The template.
    pub template: String,
    /// Whether an existing issue gets it too.
    pub enable_update: bool,
}

impl Text {
    fn read(fields: &dyn Fields, name: &str) -> Self {
        let default = super::template_call("jira", name);
        match fields.section(name) {
            Some(section) => Self {
                template: text_or(section, "template", &default),
                enable_update: section.flag("enable_update").unwrap_or(true),
            },
            None => Self {
                template: text_or(fields, name, &default),
                enable_update: true,
            },
        }
    }
}

/// What a search found.
struct Issue {
    key: String,
    /// The key of its status's category; `None` when the answer does not say.
    category: Option<String>,
}

impl Jira {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        let labels = match fields.section("labels") {
            Some(section) => (
                section.texts("values").to_vec(),
                section.flag("enable_update").unwrap_or(true),
            ),
            None => (fields.texts("labels").to_vec(), true),
        };
        let custom = match fields.any("fields") {
            Some(Json::Object(entries)) => entries
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            _ => Vec::new(),
        };
        Self {
            api_url: text(fields, "api_url"),
            api_type: text_or(fields, "api_type", "auto"),
            project: text(fields, "project"),
            summary: Text::read(fields, "summary"),
            description: Text::read(fields, "description"),
            labels,
            priority: text_or(
                fields,
                "priority",
                &super::template_call("jira", "priority"),
            ),
            issue_type: text(fields, "issue_type"),
            reopen_transition: text(fields, "reopen_transition"),
            resolve_transition: text(fields, "resolve_transition"),
            wont_fix_resolution: text(fields, "wont_fix_resolution"),
            reopen_minutes: fields
                .nanoseconds("reopen_duration")
                .map_or(0, |ns| ns / 60_000_000_000),
            fields: custom,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.api_url.trim_end_matches('/'))
    }

    /// The search comes first.
    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        let render = Render::new(ctx, notification);
        let mut jql = String::new();
        if !self.wont_fix_resolution.is_empty() {
            jql.push_str("(resolution is EMPTY or resolution != ");
            jql.push_str(&quote(&self.wont_fix_resolution));
            jql.push_str(") and ");
        }
        if render.firing() && !self.reopen_transition.is_empty() && self.reopen_minutes > 0 {
            jql.push_str("(resolutiondate is EMPTY OR resolutiondate >= -");
            jql.push_str(&self.reopen_minutes.to_string());
            jql.push_str("m) and ");
        } else {
            jql.push_str("statusCategory != Done and ");
        }
        let project = render
            .text(&self.project)
            .map_err(|e| Error::fatal(format!("invalid project template or value: {e}")))?;
        let label = quote(&format!("ALERT{{{}}}", render.key_hash()));
        let _ = write!(
            jql,
            "project={} and labels={label} order by status ASC,resolutiondate DESC",
            quote(&project)
        );
        let search = Object::new()
            .put("fields", vec![Json::from("status")])
            .put("jql", jql)
            .put("maxResults", 2);
        let host = url::Url::parse(&self.api_url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_default();
        let cloud = self.api_type == "cloud"
            || (self.api_type == "auto" && host.ends_with("atlassian.net"));
        let url = if cloud {
            // compat: the new search exists in version 3 of the API only.
            self.url("search/jql").replacen("/2", "/3", 1)
        } else {
            self.url("search")
        };
        Ok(json("POST", url, Some(&search.build())))
    }

    pub(super) fn next(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
        stage: &mut Stage,
        reply: Reply,
    ) -> Progress {
        let reply = match status::check(reply, &[], ctx.now, status::body_text) {
            Ok(reply) => reply,
            Err(outcome) => return Progress::Finished(outcome),
        };
        stage.step += 1;
        let render = Render::new(ctx, notification);
        let next = match stage.step {
            1 => self.after_search(&render, stage, &reply),
            2 => Ok(self.after_change(&render, stage)),
            3 => self.after_transitions(&render, stage, &reply),
            _ => Ok(None),
        };
        match next {
            Ok(Some(outgoing)) => Progress::Send(outgoing),
            Ok(None) => Progress::Finished(Outcome::delivered()),
            Err(error) => Progress::Finished(error.into_outcome()),
        }
    }

    fn after_search(
        &self,
        render: &Render<'_>,
        stage: &mut Stage,
        reply: &HttpReply,
    ) -> Result<Option<Outgoing>, Error> {
        let issue = found(reply)?;
        if issue.is_none() && !render.firing() {
            // An end is no reason for a new issue.
            return Ok(None);
        }
        let body = self.issue(render, issue.is_some())?;
        let (method, path) = match &issue {
            Some(issue) => ("PUT", format!("issue/{}", issue.key)),
            None => ("POST", "issue".to_owned()),
        };
        if let Some(Issue { key, category }) = issue {
            stage.memory = vec![key];
            stage.memory.extend(category);
        }
        Ok(Some(json(method, self.url(&path), Some(&body))))
    }

    /// Whether the issue must be moved, and the question how.
    fn after_change(&self, render: &Render<'_>, stage: &Stage) -> Option<Outgoing> {
        let [key, category] = stage.memory.as_slice() else {
            return None;
        };
        let transition = self.transition(render);
        if (category == "done") != render.firing() || transition.is_empty() {
            return None;
        }
        Some(json(
            "GET",
            self.url(&format!("issue/{key}/transitions")),
            None,
        ))
    }

    fn transition(&self, render: &Render<'_>) -> &str {
        if render.firing() {
            &self.reopen_transition
        } else {
            &self.resolve_transition
        }
    }

    fn after_transitions(
        &self,
        render: &Render<'_>,
        stage: &Stage,
        reply: &HttpReply,
    ) -> Result<Option<Outgoing>, Error> {
        let Some(key) = stage.memory.first() else {
            return Ok(None);
        };
        let name = self.transition(render);
        let answer = parse(reply)?;
        let id = answer
            .get("transitions")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .find(|t| t.get("name").and_then(Json::as_str) == Some(name))
            .and_then(|t| t.get("id"))
            .and_then(Json::as_str)
            .ok_or_else(|| Error::fatal(format!("can't find transition {name} for issue {key}")))?;
        let body = Object::new().put("transition", Object::new().put("id", id).build());
        let url = self.url(&format!("issue/{key}/transitions"));
        Ok(Some(json("POST", url, Some(&body.build()))))
    }

    fn issue(&self, render: &Render<'_>, update: bool) -> Result<Json, Error> {
        let named = |name: String| Object::new().put_some("name", name).build();
        let mut fields: Vec<(String, Json)> = Vec::new();
        let mut put = |name: &str, value: Json| fields.push((name.to_owned(), value));
        put("issuetype", named(render.text(&self.issue_type)?));
        let project = Object::new().put("key", render.text(&self.project)?);
        put("project", project.build());
        if !update || self.summary.enable_update {
            let summary = render.text(&self.summary.template)?;
            put("summary", truncate_runes(&summary, SUMMARY_MAX).into());
        }
        if !update || self.description.enable_update {
            put("description", self.described(render)?);
        }
        if !update || self.labels.1 {
            let mut labels = Vec::with_capacity(self.labels.0.len() + 1);
            for label in &self.labels.0 {
                labels.push(render.text(label)?);
            }
            labels.push(format!("ALERT{{{}}}", render.key_hash()));
            labels.sort();
            put("labels", labels.into());
        }
        let priority = render.text(&self.priority)?;
        if !priority.is_empty() {
            put("priority", named(priority));
        }
        for (name, value) in &self.fields {
            put(name, body::expand_deep(render, value)?);
        }
        Ok(Object::new().put("fields", body::sorted(fields)).build())
    }

    /// Version 3 of the API takes a document instead of a text.
    fn described(&self, render: &Render<'_>) -> Result<Json, Error> {
        let text = render.text(&self.description.template)?;
        let text = truncate_runes(&text, DESCRIPTION_MAX);
        if self.api_url.trim_end_matches('/').ends_with("/3") {
            return serde_json::from_str(&text)
                .map_err(|e| Error::fatal(format!("description unmarshaling: {e}")));
        }
        Ok(text.into())
    }
}

fn parse(reply: &HttpReply) -> Result<Json, Error> {
    serde_json::from_slice(&reply.body)
        .map_err(|e| Error::fatal(format!("could not read Jira's answer: {e}")))
}

/// The first issue of a search's answer.
fn found(reply: &HttpReply) -> Result<Option<Issue>, Error> {
    let answer = parse(reply)?;
    let first = answer
        .get("issues")
        .and_then(Json::as_array)
        .and_then(|issues| issues.first());
    let Some(first) = first else {
        return Ok(None);
    };
    let key = first.get("key").and_then(Json::as_str).unwrap_or_default();
    let plain = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !plain {
        return Err(Error::fatal("Jira's answer names an issue without a key"));
    }
    let category = first
        .pointer("/fields/status/statusCategory/key")
        .and_then(Json::as_str);
    Ok(Some(Issue {
        key: key.to_owned(),
        category: category.map(str::to_owned),
    }))
}

fn json(method: &'static str, url: String, body: Option<&Json>) -> Outgoing {
    Outgoing::Http(HttpRequest {
        method,
        url,
        headers: vec![
            ("User-Agent".to_owned(), USER_AGENT.to_owned()),
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("Accept-Language".to_owned(), "en".to_owned()),
        ],
        body: body.map(body::encode).unwrap_or_default(),
    })
}
