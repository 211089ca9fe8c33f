//! Templates of alerting rules: labels and annotations, expanded per alert.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use super::error::Error;
use super::function::{Function, FunctionSet, Kind, Type, text};
use super::humanize;
use super::parser;
use super::printf::{TEXT_MAX, backquote};
use super::set::Template;
use super::uses::{self, PlacedUse};
use super::value::{ANY_MAP, List, ListType, Map, Object, STRING_MAP, SafeKind, Value};
use crate::model::Labels;
use crate::text::duration;
use crate::text::regex::Regex;
use crate::time::Timestamp;

/// What stands before the text of every label and annotation.
const PROLOGUE: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";

/// What the prologue declares.
const VARIABLES: &[&str] = &["$labels", "$externalLabels", "$externalURL", "$value"];

/// A sample as templates see it.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleText {
    /// A number.
    Float(f64),
    /// A native histogram, as PromQL prints it.
    Histogram(String),
}

impl From<&SampleText> for Value {
    fn from(value: &SampleText) -> Self {
        match value {
            SampleText::Float(v) => Self::Float(*v),
            SampleText::Histogram(text) => Self::from(text.as_str()),
        }
    }
}

/// One element of what a `query` in a template yields.
#[derive(Debug, Clone, PartialEq)]
pub struct QuerySample {
    /// Its labels, the metric's name included.
    pub labels: Labels,
    /// Its value.
    pub value: SampleText,
}

/// Runs an instant query for the `query` function: the expression, and the time of the evaluation.
pub type Query<'a> = dyn Fn(&str, Timestamp) -> Result<Vec<QuerySample>, String> + 'a;

/// Everything but the text that an expansion depends on.
#[derive(Clone, Copy)]
pub struct Expander<'a> {
    /// The name that errors show; upstream's is `__alert_` and the alert's name.
    pub name: &'a str,
    /// `$externalLabels`.
    pub external_labels: &'a Labels,
    /// `$externalURL`, and what `externalURL` and `pathPrefix` yield.
    pub external_url: &'a str,
    /// The time of the evaluation: `now`, and when `query` looks.
    pub now: Timestamp,
    /// Runs the `query` function.
    pub query: &'a Query<'a>,
}

impl std::fmt::Debug for Expander<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expander")
            .field("name", &self.name)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl Expander<'_> {
    /// Expands the text of a label or annotation for an alert with these labels and this value.
    pub fn expand(&self, text: &str, labels: &Labels, value: &SampleText) -> Result<String, Error> {
        // Texts without actions are themselves; most are.
        if !text.contains("{{") {
            return Ok(text.to_owned());
        }
        let data = Value::Object(Arc::new(AlertData {
            labels: labels.clone(),
            external_labels: self.external_labels.clone(),
            external_url: self.external_url.to_owned(),
            value: value.into(),
        }));
        self.expand_with(&format!("{PROLOGUE}{text}"), &data, false)
    }

    /// Expands `text`, which stands for itself, with any data; `html` escapes as a page needs it.
    pub fn expand_with(&self, text: &str, data: &Value, html: bool) -> Result<String, Error> {
        let mut functions = self.functions();
        if html {
            functions.insert(
                "tmpl",
                Function::new(&[Type::STRING, Type::ANY], |_| {
                    Err("a template may not name its callee inside of a named callee".to_owned())
                }),
            );
        }
        let template = Template::parse(self.name, text, &functions)
            .map_err(|e| e.within(format!("error parsing template {}", self.name)))?;
        let executed = if html {
            let mut page_functions = functions.clone();
            page_functions.insert("tmpl", tmpl(&template, &functions));
            template.execute_html(&page_functions, data)
        } else {
            template.execute(&functions, data)
        };
        executed.map_err(|e| e.within(format!("error executing template {}", self.name)))
    }

    /// The functions of rule templates, bound to this evaluation.
    pub fn functions(&self) -> FunctionSet<'_> {
        let mut set = plain_functions();
        let (now, query) = (self.now, self.query);
        set.insert(
            "query",
            Function::new(&[Type::STRING], move |args| {
                let found = query(&text(args, 0), now)?;
                Ok(Value::List(List::new(
                    &QUERY_RESULT,
                    found.iter().map(sample_value).collect(),
                )))
            }),
        );
        set.insert(
            "now",
            Function::new(&[], move |_| Ok(Value::Float(now.as_secs_f64()))),
        );
        let url = self.external_url;
        set.insert(
            "externalURL",
            Function::new(&[], move |_| Ok(Value::from(url))),
        );
        let path = path_of(url).to_owned();
        set.insert(
            "pathPrefix",
            Function::new(&[], move |_| Ok(Value::from(path.as_str()))),
        );
        set
    }
}

/// The names of the functions of rule templates.
static FUNCTIONS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    let labels = Labels::empty();
    let query = |_: &str, _: Timestamp| Err("no queries while checking".to_owned());
    let expander = Expander {
        name: "",
        external_labels: &labels,
        external_url: "",
        now: Timestamp::from_ms(0),
        query: &query,
    };
    expander.functions().names().collect()
});

/// Checks that the text of a label or annotation parses, as upstream's rule check does.
pub fn check(name: &str, text: &str) -> Result<(), Error> {
    // Texts without actions cannot be wrong.
    if !text.contains("{{") {
        return Ok(());
    }
    let known = |function: &str| FUNCTIONS.contains(function);
    parser::parse_behind(VARIABLES, name, text, &known, &mut BTreeMap::new())
}

/// What the text of a label or annotation reads; nothing when it does not parse.
pub fn uses(text: &str) -> Vec<PlacedUse> {
    if !text.contains("{{") {
        return Vec::new();
    }
    let mut trees = BTreeMap::new();
    // Whether its functions exist is the business of [`check`].
    if parser::parse_behind(VARIABLES, "uses", text, &|_| true, &mut trees).is_err() {
        return Vec::new();
    }
    trees
        .values()
        .flat_map(|tree| uses::collect(&tree.root))
        .collect()
}

/// How much longer than the text of a rule the template is that the expander runs: what to take off an
/// error's offset.
pub const PROLOGUE_BYTES: usize = PROLOGUE.len();

/// The path of a URL, without query and fragment.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    path.split(['?', '#']).next().unwrap_or(path)
}

/// `$labels` and its siblings.
#[derive(Debug)]
struct AlertData {
    labels: Labels,
    external_labels: Labels,
    external_url: String,
    value: Value,
}

impl Object for AlertData {
    fn type_name(&self) -> &'static str {
        "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }"
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("Labels", label_map(&self.labels)),
            ("ExternalLabels", label_map(&self.external_labels)),
            ("ExternalURL", Value::from(self.external_url.as_str())),
            ("Value", self.value.clone()),
        ]
    }
}

/// Labels as `map[string]string`.
fn label_map(labels: &Labels) -> Value {
    Value::Map(Map::texts(&STRING_MAP, labels.iter()))
}

static QUERY_RESULT: ListType = ListType::plain("template.queryResult", SAMPLE);
const SAMPLE: Type = Type::new("*template.sample", Kind::Pointer);
const RESULT: Type = Type::new("template.queryResult", Kind::Slice);

/// One element of a query's result.
#[derive(Debug)]
struct Sample {
    labels: Value,
    value: Value,
}

impl Object for Sample {
    fn type_name(&self) -> &'static str {
        SAMPLE.name
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("Labels", self.labels.clone()),
            ("Value", self.value.clone()),
        ]
    }
}

fn sample_value(sample: &QuerySample) -> Value {
    Value::Object(Arc::new(Sample {
        labels: label_map(&sample.labels),
        value: (&sample.value).into(),
    }))
}

/// A label of a sample; empty when absent.
fn sample_label(sample: &Value, name: &str) -> Value {
    let Value::Object(object) = sample else {
        return Value::from("");
    };
    match object.field("Labels") {
        Some(Value::Map(map)) => map.get(name).cloned().unwrap_or_else(|| Value::from("")),
        _ => Value::from(""),
    }
}

/// The functions that depend on nothing but their arguments.
fn plain_functions<'a>() -> FunctionSet<'a> {
    let mut set = FunctionSet::new();
    insert_result_functions(&mut set);
    insert_number_functions(&mut set);
    insert_text_functions(&mut set);
    set
}

fn nil_sample() -> String {
    "runtime error: invalid memory address or nil pointer dereference".to_owned()
}

fn insert_result_functions(set: &mut FunctionSet<'_>) {
    set.insert(
        "first",
        Function::new(&[RESULT], |args| match args.first() {
            Some(Value::List(list)) if !list.items.is_empty() => {
                Ok(list.items.first().cloned().unwrap_or(Value::Nil))
            }
            _ => Err("first() called on vector with no elements".to_owned()),
        }),
    );
    set.insert(
        "label",
        Function::new(&[Type::STRING, SAMPLE], |args| match args.get(1) {
            Some(Value::Nil) | None => Err(nil_sample()),
            Some(sample) => Ok(sample_label(sample, &text(args, 0))),
        }),
    );
    set.insert(
        "strvalue",
        Function::new(&[SAMPLE], |args| match args.first() {
            Some(Value::Nil) | None => Err(nil_sample()),
            Some(sample) => Ok(sample_label(sample, "__value__")),
        }),
    );
    set.insert(
        "value",
        Function::new(&[SAMPLE], |args| match args.first() {
            Some(Value::Object(sample)) => Ok(sample.field("Value").unwrap_or(Value::Nil)),
            _ => Err(nil_sample()),
        }),
    );
    set.insert(
        "sortByLabel",
        Function::new(&[Type::STRING, RESULT], |args| {
            let Some(Value::List(list)) = args.get(1) else {
                return Ok(Value::Nil);
            };
            let name = text(args, 0);
            let mut items = list.items.to_vec();
            items.sort_by_cached_key(|item| sample_label(item, &name).as_text());
            Ok(Value::List(List::new(list.ty, items)))
        }),
    );
    set.insert(
        "args",
        Function::variadic(&[], Type::ANY, |args| {
            let entries = args
                .iter()
                .enumerate()
                .map(|(i, arg)| (Arc::from(format!("arg{i}")), arg.clone()))
                .collect();
            super::notify::bounded(Value::Map(Map::new(&ANY_MAP, entries)))
        }),
    );
}

fn insert_number_functions(set: &mut FunctionSet<'_>) {
    let shown = |body: fn(f64) -> String| {
        Function::new(&[Type::ANY], move |args| {
            let v = humanize::number(args.first().unwrap_or(&Value::Nil))?;
            Ok(Value::from(body(v)))
        })
    };
    set.insert("humanize", shown(humanize::humanize));
    set.insert("humanize1024", shown(humanize::humanize_1024));
    set.insert("humanizeDuration", shown(humanize::humanize_duration));
    set.insert("humanizePercentage", shown(humanize::humanize_percentage));
    set.insert(
        "humanizeTimestamp",
        Function::new(&[Type::ANY], |args| {
            let v = humanize::number(args.first().unwrap_or(&Value::Nil))?;
            humanize::humanize_timestamp(v).map(Value::from)
        }),
    );
    set.insert(
        "toTime",
        Function::new(&[Type::ANY], |args| {
            let v = humanize::number(args.first().unwrap_or(&Value::Nil))?;
            humanize::to_time(v).map(Value::Time)
        }),
    );
    set.insert(
        "toDuration",
        Function::new(&[Type::ANY], |args| {
            let v = humanize::number(args.first().unwrap_or(&Value::Nil))?;
            humanize::to_duration(v).map(Value::Duration)
        }),
    );
    set.insert(
        "parseDuration",
        Function::new(&[Type::STRING], |args| {
            let text = text(args, 0);
            // compat: a sign is allowed here, unlike in configuration files.
            let (sign, body) = match text.strip_prefix('-') {
                Some(body) => (-1.0, body),
                None => (1.0, &*text),
            };
            let ms = duration::parse_ms(body).map_err(|e| e.to_string())?;
            Ok(Value::Float(sign * ms as f64 / 1000.0))
        }),
    );
}

fn insert_text_functions(set: &mut FunctionSet<'_>) {
    set.insert("title", Function::text(humanize::title));
    set.insert("toUpper", Function::text(str::to_uppercase));
    set.insert("toLower", Function::text(str::to_lowercase));
    set.insert("stripPort", Function::text(strip_port));
    set.insert("stripDomain", Function::text(strip_domain));
    set.insert(
        "urlQueryEscape",
        Function::text(super::builtins::escape_query),
    );
    set.insert("graphLink", Function::text(|expr| link(expr, 0)));
    set.insert("tableLink", Function::text(|expr| link(expr, 1)));
    set.insert("match", match_function());
    set.insert("reReplaceAll", replace_function());
    set.insert("safeHtml", safe_html());
}

fn link(expr: &str, tab: u8) -> String {
    format!(
        "/graph?g0.expr={}&g0.tab={tab}",
        super::builtins::escape_query(expr)
    )
}

/// `match PATTERN TEXT`, not anchored.
pub(super) fn match_function<'a>() -> Function<'a> {
    Function::new(&[Type::STRING, Type::STRING], |args| {
        let regex = Regex::unanchored(&text(args, 0)).map_err(|e| e.to_string())?;
        Ok(Value::Bool(regex.is_match(&text(args, 1))))
    })
}

/// `reReplaceAll PATTERN REPLACEMENT TEXT`.
pub(super) fn replace_function<'a>() -> Function<'a> {
    Function::new(&[Type::STRING, Type::STRING, Type::STRING], |args| {
        let pattern = text(args, 0);
        // compat: upstream compiles it with `MustCompile`, whose panic says this.
        let regex = Regex::unanchored(&pattern)
            .map_err(|e| format!("regexp: Compile({}): {e}", backquote(&pattern)))?;
        let (replacement, text) = (text(args, 1), text(args, 2));
        // Each place may take the replacement, and each of its groups the place's text.
        if (replacement.len() + 1).saturating_mul(text.len() + 1) > 8 * TEXT_MAX {
            return Err(format!("more than {TEXT_MAX} bytes"));
        }
        Ok(Value::from(regex.replace_all(&text, &replacement)))
    })
}

/// `safeHtml TEXT`.
pub(super) fn safe_html<'a>() -> Function<'a> {
    Function::new(&[Type::STRING], |args| {
        Ok(Value::Safe(SafeKind::Html, text(args, 0)))
    })
}

/// `tmpl NAME DATA`: another template of the page, by a computed name.
fn tmpl<'a>(template: &'a Template, functions: &'a FunctionSet<'a>) -> Function<'a> {
    Function::new(&[Type::STRING, Type::ANY], move |args| {
        let data = args.get(1).unwrap_or(&Value::Nil);
        let page = template
            .execute_html_named(&text(args, 0), functions, data)
            .map_err(|e| e.to_string())?;
        Ok(Value::Safe(SafeKind::Html, page.into()))
    })
}

/// Splits as Go's `net.SplitHostPort`: brackets around IPv6, exactly one port.
fn split_host_port(text: &str) -> Option<(&str, &str)> {
    let colon = text.rfind(':')?;
    if let Some(body) = text.strip_prefix('[') {
        let end = body.find(']')? + 1;
        if end + 1 != colon || body[..end - 1].contains('[') {
            return None;
        }
        let port = &text[colon + 1..];
        return (!port.contains(['[', ']'])).then_some((&body[..end - 1], port));
    }
    let (host, port) = (&text[..colon], &text[colon + 1..]);
    (!host.contains([':', '[', ']']) && !port.contains(['[', ']'])).then_some((host, port))
}

fn strip_port(text: &str) -> String {
    split_host_port(text)
        .map_or(text, |(host, _)| host)
        .to_owned()
}

fn strip_domain(text: &str) -> String {
    let (host, port) = match split_host_port(text) {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    if host.parse::<std::net::IpAddr>().is_ok() {
        return text.to_owned();
    }
    let host = host.split('.').next().unwrap_or(host);
    match port {
        // compat: a port is put back behind a colon, even an empty one.
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
