//! The shape of a file of cases.

use crate::alerting::matchers::{Syntax, parse_matchers};
use crate::alerting::{Matcher, Matchers};
use crate::model::Labels;
use crate::text::quote::quote;
use crate::text::yaml::{Decoder, Dialect, Fields, Node, Problem, Span as Place, parse_first};
use crate::time::WallTime;

/// A file of cases.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseFile {
    /// The router file, relative to this one; empty when the command line names it.
    pub config: String,
    /// The cases.
    pub cases: Vec<Case>,
}

/// An alert, what else goes on, and what is expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name; empty when it has none.
    pub name: String,
    /// When the alert's groups are flushed.
    pub time: Option<WallTime>,
    /// The alert's labels.
    pub labels: Labels,
    /// Labels of other alerts that fire.
    pub active: Vec<Labels>,
    /// Silences.
    pub silences: Vec<CaseSilence>,
    /// What is expected.
    pub expect: Expectation,
    /// Where it stands in the file.
    pub place: Place,
}

/// A silence; without times it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseSilence {
    /// Which alerts it is about.
    pub matchers: Matchers,
    /// First moment.
    pub starts_at: Option<WallTime>,
    /// Last moment.
    pub ends_at: Option<WallTime>,
    /// Why.
    pub comment: String,
    /// Who asked for it.
    pub created_by: String,
}

/// What is expected; what is absent is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expectation {
    /// The receivers of the routes that the alert takes, in order.
    pub receivers: Option<Vec<String>>,
    /// Those of them that hear of it.
    pub notified: Option<Vec<String>>,
    /// How some of the receivers group it.
    pub groups: Vec<ExpectedGroup>,
    /// Whether it is inhibited.
    pub inhibited: Option<bool>,
    /// Whether it is silenced.
    pub silenced: Option<bool>,
    /// The time intervals that mute a route, or outside of which it is silent.
    pub muted: Option<Vec<String>>,
}

/// A receiver's group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedGroup {
    /// The receiver.
    pub receiver: String,
    /// The labels that the group's alerts share.
    pub labels: Labels,
}

/// Reads a file; all mistakes come at once.
pub fn parse(text: &str, syntax: Syntax) -> Result<CaseFile, Vec<Problem>> {
    let document = parse_first(text).map_err(|problem| vec![problem])?;
    let decoder = Decoder::new(Dialect::V2);
    let mut fields = decoder.fields(&document.root, "routes.File");
    let config = fields.string("config");
    let cases = fields.list("tests", "routes.Case", |decoder, node| {
        case(decoder, node, syntax)
    });
    fields.finish();
    let problems = decoder.into_problems();
    if problems.is_empty() {
        Ok(CaseFile { config, cases })
    } else {
        Err(problems)
    }
}

fn case(decoder: &Decoder, node: &Node, syntax: Syntax) -> Case {
    let mut fields = decoder.fields(node, "routes.Case");
    let case = Case {
        name: fields.string("name"),
        time: time(&mut fields, "time"),
        labels: labels(&mut fields, "labels"),
        active: fields
            .sequence("active", "[]map[string]string")
            .iter()
            .map(|node| Labels::from_pairs(decoder.string_map(node)))
            .collect(),
        silences: fields.list("silences", "routes.Silence", |decoder, node| {
            silence(decoder, node, syntax)
        }),
        expect: fields.nested("expect", expectation).unwrap_or_default(),
        place: fields.span(),
    };
    if case.labels.is_empty() {
        fields.fail("a case needs labels");
    }
    fields.finish();
    case
}

fn silence(decoder: &Decoder, node: &Node, syntax: Syntax) -> CaseSilence {
    let mut fields = decoder.fields(node, "routes.Silence");
    let mut matchers: Vec<Matcher> = Vec::new();
    for text in fields.strings("matchers") {
        match parse_matchers(syntax, &text) {
            Ok(more) => matchers.extend(more),
            Err(error) => fields.fail_at("matchers", error.to_string()),
        }
    }
    if matchers.is_empty() {
        fields.fail("a silence needs matchers");
    }
    let silence = CaseSilence {
        matchers: Matchers(matchers),
        starts_at: time(&mut fields, "starts_at"),
        ends_at: time(&mut fields, "ends_at"),
        comment: fields.string("comment"),
        created_by: fields.string("created_by"),
    };
    fields.finish();
    silence
}

fn expectation(decoder: &Decoder, node: &Node) -> Expectation {
    let mut fields = decoder.fields(node, "routes.Expectation");
    let mut texts = |name: &'static str| fields.has(name).then(|| fields.strings(name));
    let expectation = Expectation {
        receivers: texts("receivers"),
        notified: texts("notified"),
        muted: texts("muted"),
        groups: fields.list("groups", "routes.Group", group),
        inhibited: fields.optional_bool("inhibited"),
        silenced: fields.optional_bool("silenced"),
    };
    fields.finish();
    expectation
}

fn group(decoder: &Decoder, node: &Node) -> ExpectedGroup {
    let mut fields = decoder.fields(node, "routes.Group");
    let group = ExpectedGroup {
        receiver: fields.required_string("receiver", "a group needs a receiver"),
        labels: labels(&mut fields, "labels"),
    };
    fields.finish();
    group
}

fn labels(fields: &mut Fields<'_, '_>, name: &'static str) -> Labels {
    Labels::from_pairs(fields.string_map(name))
}

fn time(fields: &mut Fields<'_, '_>, name: &'static str) -> Option<WallTime> {
    let text = fields.optional_string(name)?;
    let time = WallTime::parse_rfc3339(&text);
    if time.is_none() {
        fields.fail_at(name, format!("{} is no RFC 3339 time", quote(&text)));
    }
    time
}
