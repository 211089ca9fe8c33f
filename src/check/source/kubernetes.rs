//! Kubernetes objects in a text: one by one, in lists, in many YAML documents.

use crate::check::lint::errors;
use crate::check::{Finding, RuleFile};
use crate::rules::file::FileOptions;
use crate::text::yaml::{self, Document, Node, Problem};

use super::{Origin, RuleSource, part};

/// Lists within lists that are looked into.
const LISTS_MAX: usize = 4;

/// An object with its place in the text.
#[derive(Debug)]
pub(super) struct Object {
    /// `kind`
    pub(super) kind: String,
    /// `apiVersion`
    pub(super) version: String,
    /// The text, and the object as root.
    pub(super) document: Document,
    /// The template that Helm made it of.
    helm_source: Option<String>,
}

impl Object {
    pub(super) fn origin(&self) -> Origin {
        let root = &self.document.root;
        let metadata = |field: &str| {
            let value = root.entry("metadata")?.entry(field)?.as_str()?;
            Some(value.to_owned())
        };
        let name = metadata("name").unwrap_or_else(|| "without a name".to_owned());
        let mut shown = match metadata("namespace") {
            Some(namespace) => format!("{} {namespace}/{name}", self.kind),
            None => format!("{} {name}", self.kind),
        };
        if let Some(source) = &self.helm_source {
            shown = format!("{shown} (from {source})");
        }
        Origin {
            bytes: root.span.start.offset..root.span.end.offset,
            name: shown,
        }
    }

    /// Reports that the object's version is none that is known, if so.
    pub(super) fn wrong_version(&self, known: &[&str]) -> Option<Problem> {
        if known.contains(&self.version.as_str()) {
            return None;
        }
        let node = self.document.root.entry("apiVersion")?;
        let text = format!("{} has no version {}", self.kind, self.version);
        Some(Problem::new(node.span, text).with_hint(format!("write {}", known.join(" or "))))
    }

    /// The object's `spec`, or what is wrong without one.
    pub(super) fn spec(&self) -> Result<&Node, Problem> {
        let root = &self.document.root;
        root.entry("spec").ok_or_else(|| {
            let text = format!("the {} has no spec", self.kind);
            Problem::at(root.span.start, text)
        })
    }
}

/// The objects of a text; `None` when it holds none, so that it is something else.
pub(super) fn objects(text: &str) -> Result<Option<Vec<Object>>, Problem> {
    // Reading a large text twice is not for nothing: few files mention Kubernetes at all.
    let has = |word: &str| memchr::memmem::find(text.as_bytes(), word.as_bytes()).is_some();
    if !(has("apiVersion") && has("kind")) {
        return Ok(None);
    }
    let documents = match yaml::parse(text) {
        Ok(documents) => documents,
        // Whatever it is, its mistakes are to be told as its own reader would.
        Err(_) if !looks_like_objects(text) => return Ok(None),
        Err(problem) => return Err(problem),
    };
    if !documents
        .iter()
        .any(|document| kind_of(&document.root).is_some())
    {
        return Ok(None);
    }
    let mut objects = Vec::new();
    let mut from = 0;
    for document in &documents {
        let start = document.root.span.start.offset;
        let source = helm_source(text.get(from..start).unwrap_or_default());
        from = document.root.span.end.offset.max(from);
        collect(document, &document.root, source.as_deref(), 0, &mut objects);
    }
    Ok(Some(objects))
}

fn looks_like_objects(text: &str) -> bool {
    let begins = |key: &str| text.lines().any(|line| line.starts_with(key));
    begins("apiVersion:") && begins("kind:")
}

fn kind_of(node: &Node) -> Option<(&str, &str)> {
    let kind = node.entry("kind")?.as_str()?;
    let version = node.entry("apiVersion")?.as_str()?;
    Some((kind, version))
}

fn collect(
    document: &Document,
    node: &Node,
    source: Option<&str>,
    depth: usize,
    out: &mut Vec<Object>,
) {
    // In lists of one kind, the items need not repeat kind and version.
    let (kind, version) = kind_of(node).unwrap_or(("", ""));
    let items = node.entry("items").and_then(Node::as_sequence);
    if let Some(items) = items
        && kind.ends_with("List")
        && depth < LISTS_MAX
    {
        let of = kind.strip_suffix("List").unwrap_or_default();
        for item in items {
            if kind_of(item).is_some() || of.is_empty() {
                collect(document, item, source, depth + 1, out);
            } else {
                out.push(object(document, item, of, version, source));
            }
        }
        return;
    }
    if !node.is_null() {
        out.push(object(document, node, kind, version, source));
    }
}

fn object(
    document: &Document,
    node: &Node,
    kind: &str,
    version: &str,
    source: Option<&str>,
) -> Object {
    Object {
        kind: kind.to_owned(),
        version: version.to_owned(),
        document: part(document, node),
        helm_source: source.map(str::to_owned),
    }
}

/// The last `# Source:` comment before an object.
fn helm_source(before: &str) -> Option<String> {
    let mut lines = before.lines().rev();
    let line = lines.find_map(|line| line.trim().strip_prefix("# Source:"))?;
    Some(line.trim().to_owned())
}

/// Reads the rules of an object, when it holds any.
pub(super) fn rules(name: &str, object: Object, options: FileOptions, found: &mut RuleSource) {
    if object.kind.is_empty() {
        // A plain document among objects.
        let (file, findings) = RuleFile::new(name, object.document, &options);
        found.files.push(file);
        found.findings.extend(findings);
        return;
    }
    if object.kind != "PrometheusRule" {
        found.others += 1;
        return;
    }
    let refuse =
        |problem: Problem| Finding::refused(&errors::RULE, name, &object.document.source, problem);
    let wrong_version = object.wrong_version(&["monitoring.coreos.com/v1"]);
    found.findings.extend(wrong_version.map(refuse));
    found.origins.push(object.origin());
    match object.spec() {
        Err(problem) => found.findings.push(refuse(problem)),
        Ok(spec) => {
            let options = FileOptions {
                operator_fields: true,
                ..options
            };
            let (file, findings) = RuleFile::new(name, part(&object.document, spec), &options);
            found.files.push(file);
            found.findings.extend(findings);
        }
    }
}
