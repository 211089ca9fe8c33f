//! Follows a template through a page and plans the escaping.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::context::{Context, Delim, State, UrlPart};
use super::escape::Escaper;
use super::transition;
use crate::template::ast::{
    Action, Block, Branch, Call, Node, NodeRef, Operand, Pipe, Text, Tree, place,
};
use crate::template::error::Error;
use crate::text::quote::quote;

/// How deep templates may call each other while they are planned.
const DEPTH_MAX: usize = 60;

/// How many nodes are looked at.
const STEPS_MAX: usize = 1 << 20;

/// What the escaping of a page is: edits per variant of a template.
#[derive(Debug, Default)]
pub(in crate::template) struct Plan {
    variants: BTreeMap<String, Edits>,
}

#[derive(Debug, Default, Clone)]
struct Edits {
    actions: BTreeMap<usize, ActionPlan>,
    calls: BTreeMap<usize, String>,
    texts: BTreeMap<usize, String>,
}

/// How one action is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::template) struct ActionPlan {
    /// How many commands of the pipeline run before the escapers.
    pub commands: usize,
    /// Whether the arguments of the first command are printed side by side instead of calling it.
    pub joins_arguments: bool,
    pub escapers: Vec<Escaper>,
}

impl Plan {
    pub(in crate::template) fn action(&self, variant: &str, id: usize) -> Option<&ActionPlan> {
        self.variants.get(variant)?.actions.get(&id)
    }

    pub(in crate::template) fn callee(&self, variant: &str, id: usize) -> Option<&str> {
        self.variants
            .get(variant)?
            .calls
            .get(&id)
            .map(String::as_str)
    }

    pub(in crate::template) fn text(&self, variant: &str, id: usize) -> Option<&str> {
        self.variants
            .get(variant)?
            .texts
            .get(&id)
            .map(String::as_str)
    }
}

/// Plans the escaping of the template `name`.
pub(in crate::template) fn plan(
    trees: &BTreeMap<Arc<str>, Arc<Tree>>,
    name: &str,
) -> Result<Plan, Error> {
    let mut planner = Planner {
        trees,
        outputs: BTreeMap::new(),
        called: BTreeSet::new(),
        variants: BTreeMap::new(),
        loops: Vec::new(),
        faults: Vec::new(),
        depth: 0,
        steps: 0,
    };
    let end = match planner.template(Ok(Context::default()), name, None) {
        Ok(end) => end,
        Err(fault) => return Err(planner.error(fault)),
    };
    if end.state != State::Text {
        return Err(Error::Escape {
            message: format!("{}ends in a non-text context: {}", of(name), end.describe()),
        });
    }
    Ok(Plan {
        variants: planner.variants,
    })
}

/// A fault, as its place in [`Planner::faults`].
type FaultAt = usize;

/// A context, or the fault that made an end of it.
///
/// compat: upstream carries a fault through the rest of a template as if it were a context, where further
/// faults may take its place and loops add words to it. What is told in the end depends on that.
type Flow = Result<Context, FaultAt>;

/// What is wrong with a template.
#[derive(Debug)]
struct Fault {
    /// The name of the template's text.
    name: String,
    /// Line and column; a line alone when a loop named it.
    place: Option<(usize, Option<usize>)>,
    text: String,
}

/// The contexts in which a loop's body is left early, and where.
#[derive(Debug, Default)]
struct Exits {
    breaks: Vec<(Flow, usize)>,
    continues: Vec<(Flow, usize)>,
}

struct Planner<'t> {
    trees: &'t BTreeMap<Arc<str>, Arc<Tree>>,
    /// The context at the end of each variant.
    outputs: BTreeMap<String, Flow>,
    called: BTreeSet<String>,
    variants: BTreeMap<String, Edits>,
    /// The loops around.
    loops: Vec<Exits>,
    faults: Vec<Fault>,
    depth: usize,
    /// Nodes looked at; each loop around doubles them.
    steps: usize,
}

/// Where in which template we are.
#[derive(Clone, Copy)]
struct Here<'t> {
    tree: &'t Tree,
    variant: &'t str,
}

fn fault(here: Here<'_>, node: Option<usize>, text: &str) -> Fault {
    Fault {
        name: here.tree.parse_name.to_string(),
        place: node.map(|pos| {
            let (line, column) = place(&here.tree.text, pos);
            (line, Some(column))
        }),
        text: text.to_owned(),
    }
}

/// What stands before an error without a place. compat: a template without a name is not named.
fn of(name: &str) -> String {
    if name.is_empty() {
        "html/template: ".to_owned()
    } else {
        format!("html/template:{name}: ")
    }
}

/// A literal of a script in which nothing looks like a tag that begins or ends scripts or a comment; `None`
/// when nothing does.
fn without_script_tags(literal: &[u8]) -> Option<Vec<u8>> {
    let is_tag = |rest: &[u8]| {
        [&b"<script"[..], b"</script", b"<!--"].iter().any(|tag| {
            rest.get(..tag.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(tag))
        })
    };
    let mut out = Vec::with_capacity(literal.len() + 8);
    let mut found = false;
    for (at, byte) in literal.iter().enumerate() {
        if *byte == b'<' && is_tag(&literal[at..]) {
            out.extend_from_slice(b"\\x3C");
            found = true;
        } else {
            out.push(*byte);
        }
    }
    found.then_some(out)
}

const REENTRY: &str = "on range loop re-entry: ";

impl Planner<'_> {
    fn fail(&mut self, fault: Fault) -> Flow {
        self.faults.push(fault);
        Err(self.faults.len() - 1)
    }

    fn error(&self, at: FaultAt) -> Error {
        let message = self.faults.get(at).map(|fault| {
            let Fault { name, place, text } = fault;
            match place {
                Some((line, Some(column))) => {
                    format!("html/template:{name}:{line}:{column}: {text}")
                }
                Some((line, None)) => format!("html/template:{name}:{line}: {text}"),
                None => format!("{}{text}", of(name)),
            }
        });
        Error::Escape {
            message: message.unwrap_or_default(),
        }
    }

    /// Adds words to a fault. One without a place gets the line that they are about.
    fn add_words(&mut self, at: FaultAt, words: &str, line: usize) {
        if let Some(fault) = self.faults.get_mut(at) {
            fault.text.insert_str(0, words);
            if !matches!(fault.place, Some((_, Some(_)))) {
                fault.place = Some((line, None));
            }
        }
    }

    /// Plans a template for a context and returns the context at its end.
    fn template(&mut self, c: Flow, name: &str, from: Option<(Here<'_>, usize)>) -> Flow {
        let variant = match &c {
            Ok(c) => c.variant(name),
            Err(_) => format!("{name}$htmltemplate_stateError"),
        };
        self.called.insert(variant.clone());
        if let Some(out) = self.outputs.get(&variant) {
            return *out;
        }
        let Some(tree) = self.trees.get(name) else {
            let text = format!("no such template {}", quote(name));
            return self.fail(match from {
                Some((here, pos)) => fault(here, Some(pos), &text),
                None => Fault {
                    name: String::new(),
                    place: None,
                    text,
                },
            });
        };
        let here = Here {
            tree,
            variant: &variant,
        };
        if self.depth >= DEPTH_MAX {
            let text = format!("templates nested deeper than {DEPTH_MAX}");
            return self.fail(fault(here, None, &text));
        }
        self.depth += 1;
        let (mut out, mut right) = self.body(c, here);
        if !right {
            // The template calls itself: assume that it ends as it just did and look again.
            let (second, is_right) = self.body(out, here);
            if is_right {
                (out, right) = (second, true);
            }
        }
        self.depth -= 1;
        if !right && out.is_ok() {
            let text = format!("cannot compute output context for template {name}");
            out = self.fail(fault(here, None, &text));
        }
        if right {
            self.outputs.insert(variant, out);
        }
        out
    }

    /// Plans a body, assuming that the template ends in the context that it begins in where it calls
    /// itself; whether that was right.
    fn body(&mut self, c: Flow, here: Here<'_>) -> (Flow, bool) {
        self.outputs.insert(here.variant.to_owned(), c);
        self.called.remove(here.variant);
        self.variants
            .insert(here.variant.to_owned(), Edits::default());
        let loops = std::mem::take(&mut self.loops);
        let out = self.block(c, &here.tree.root, here);
        self.loops = loops;
        let recursive = self.called.contains(here.variant);
        (out, out.is_ok() && (!recursive || out == c))
    }

    fn edits(&mut self, here: Here<'_>) -> &mut Edits {
        self.variants.entry(here.variant.to_owned()).or_default()
    }

    fn block(&mut self, mut c: Flow, block: &Block, here: Here<'_>) -> Flow {
        for node in &block.nodes {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return self.fail(fault(
                    here,
                    None,
                    "too many loops and templates inside each other",
                ));
            }
            c = match node {
                Node::Text(text) => c.and_then(|c| self.text(c, text, here)),
                Node::Action(action) => self.action(c, action, here),
                Node::If(branch) => self.branch(c, branch, "if", here),
                Node::With(branch) => self.branch(c, branch, "with", here),
                Node::Range(branch) => self.branch(c, branch, "range", here),
                Node::Template(call) => self.call(c, call, here),
                Node::Break(pos) | Node::Continue(pos) => {
                    if let Some(exits) = self.loops.last_mut() {
                        match node {
                            Node::Break(_) => exits.breaks.push((c, *pos)),
                            _ => exits.continues.push((c, *pos)),
                        }
                    }
                    Ok(Context::of(State::Dead))
                }
            };
            if c.is_ok_and(|c| c.state == State::Dead) {
                break;
            }
        }
        c
    }

    fn call(&mut self, c: Flow, call: &Call, here: Here<'_>) -> Flow {
        let out = self.template(c, &call.name, Some((here, call.pos)));
        if let Ok(c) = c {
            let variant = c.variant(&call.name);
            if variant != call.name {
                self.edits(here).calls.insert(call.id, variant);
            }
        }
        out
    }

    fn branch(&mut self, c: Flow, branch: &Branch, word: &str, here: Here<'_>) -> Flow {
        let is_loop = word == "range";
        if is_loop {
            self.loops.push(Exits::default());
        }
        let mut taken = self.block(c, &branch.list, here);
        if is_loop {
            let end = self.leave_loop(taken, here)?;
            taken = Ok(end);
            // The body may run again where it ended; that must lead to the same place.
            let before = self.variants.get(here.variant).cloned();
            self.loops.push(Exits::default());
            let again = self.block(Ok(end), &branch.list, here);
            if let Some(before) = before {
                self.variants.insert(here.variant.to_owned(), before);
            }
            taken = self.join((taken, again), branch.pos, word, here);
            if let Err(at) = taken {
                self.loops.pop();
                let (line, _) = place(&here.tree.text, branch.pos);
                self.add_words(at, REENTRY, line);
                return taken;
            }
            taken = Ok(self.leave_loop(taken, here)?);
        }
        let skipped = match &branch.otherwise {
            Some(otherwise) => self.block(c, otherwise, here),
            None => c,
        };
        self.join((taken, skipped), branch.pos, word, here)
    }

    /// The context after a loop's body, also where it is left early.
    fn leave_loop(&mut self, mut c: Flow, here: Here<'_>) -> Flow {
        let exits = self.loops.pop().unwrap_or_default();
        let breaks = exits.breaks.into_iter().map(|exit| (exit, "break"));
        let continues = exits.continues.into_iter().map(|exit| (exit, "continue"));
        for ((exit, pos), word) in breaks.chain(continues) {
            c?;
            c = self.join((c, exit), pos, "range", here);
            if let Err(at) = c {
                let (line, _) = place(&here.tree.text, pos);
                self.add_words(at, &format!("at range loop {word}: "), line);
            }
        }
        c
    }

    /// The context after either of two branches.
    fn join(&mut self, (a, b): (Flow, Flow), pos: usize, word: &str, here: Here<'_>) -> Flow {
        let (a, b) = (a?, b?);
        join(a, b).or_else(|(a, b)| {
            let text = branches_differ(word, a, b);
            self.fail(fault(here, Some(pos), &text))
        })
    }

    fn action(&mut self, c: Flow, action: &Action, here: Here<'_>) -> Flow {
        if !action.pipe.declared.is_empty() {
            return c;
        }
        let nudged = c.map(Context::nudged);
        if let Some(text) = misused_escaper(nudged.ok(), action) {
            return self.fail(fault(here, Some(action.pos), &text));
        }
        let mut c = nudged?;
        match escapers_for(&mut c, action) {
            Ok(escapers) => {
                let plan = merge(&action.pipe, escapers);
                self.edits(here).actions.insert(action.id, plan);
                Ok(c)
            }
            Err(text) => self.fail(fault(here, Some(action.pos), &text)),
        }
    }

    /// Follows text; comments are left out and stray `<` escaped.
    fn text(&mut self, mut c: Context, text: &Text, here: Here<'_>) -> Flow {
        let s = text.text.as_bytes();
        let mut out: Vec<u8> = Vec::new();
        let (mut written, mut at) = (0, 0);
        while at < s.len() {
            let (next, read) = match transition::after_text(c, &s[at..]) {
                Ok(step) => step,
                Err(text) => return self.fail(fault(here, None, &text)),
            };
            let end = at + read;
            if matches!(c.state, State::Text | State::Rcdata) {
                let mut plain_end = end;
                if next.state != c.state {
                    plain_end = s[at..end]
                        .iter()
                        .rposition(|b| *b == b'<')
                        .map_or(end, |found| at + found);
                }
                for i in at..plain_end {
                    let doctype = s[i..]
                        .get(..9)
                        .is_some_and(|head| head.eq_ignore_ascii_case(b"<!DOCTYPE"));
                    if s[i] == b'<' && !doctype {
                        out.extend_from_slice(&s[written..i]);
                        out.extend_from_slice(b"&lt;");
                        written = i + 1;
                    }
                }
            } else if c.state.is_comment() && c.delim == Delim::None {
                match c.state {
                    State::JsBlockComment => {
                        let comment = &s[written..end];
                        let breaks = transition::index_any(comment, b"\n\r").is_some();
                        out.push(if breaks { b'\n' } else { b' ' });
                    }
                    State::CssBlockComment => out.push(b' '),
                    _ => {}
                }
                written = end;
            }
            if c.state != next.state && next.state.is_comment() && next.delim == Delim::None {
                let marker = match next.state {
                    State::HtmlComment | State::JsHtmlOpenComment => 4,
                    State::JsHtmlCloseComment => 3,
                    _ => 2,
                };
                out.extend_from_slice(&s[written..end.saturating_sub(marker).max(written)]);
                written = end;
            }
            if c.state.is_script_literal()
                && let Some(escaped) = without_script_tags(&s[at..end])
            {
                out.extend_from_slice(&s[written..at]);
                out.extend_from_slice(&escaped);
                written = end;
            }
            if read == 0 && next == c {
                return self.fail(fault(here, None, "text cannot be followed"));
            }
            c = next;
            at = end;
        }
        if written != 0 {
            if !c.state.is_comment() || c.delim != Delim::None {
                out.extend_from_slice(&s[written..]);
            }
            let edited = String::from_utf8_lossy(&out).into_owned();
            self.edits(here).texts.insert(text.id, edited);
        }
        Ok(c)
    }
}

fn branches_differ(word: &str, a: Context, b: Context) -> String {
    format!(
        "{{{{{word}}}}} branches end in different contexts: {}, {}",
        a.describe(),
        b.describe()
    )
}

/// The context after either of two branches; both back when they cannot be reconciled.
fn join(a: Context, b: Context) -> Result<Context, (Context, Context)> {
    if a.state == State::Dead {
        return Ok(b);
    }
    if b.state == State::Dead || a == b {
        return Ok(a);
    }
    let same_but_url = Context {
        url_part: b.url_part,
        ..a
    };
    if same_but_url == b {
        return Ok(Context {
            url_part: UrlPart::Unknown,
            ..a
        });
    }
    let same_but_slash = Context {
        slash: b.slash,
        ..a
    };
    if same_but_slash == b {
        return Ok(Context {
            slash: super::context::Slash::Unknown,
            ..a
        });
    }
    let (c, d) = (a.nudged(), b.nudged());
    if (c, d) != (a, b) {
        return join(c, d).map_err(|_| (a, b));
    }
    Err((a, b))
}

/// The template's own escaper that a command calls.
fn predefined(command: &crate::template::ast::Command) -> Option<Escaper> {
    match command.args.first() {
        Some(Operand::Identifier(_, name)) if name == "html" => Some(Escaper::PredefinedHtml),
        Some(Operand::Identifier(_, name)) if name == "urlquery" => Some(Escaper::PredefinedQuery),
        _ => None,
    }
}

/// What is wrong when `html` or `urlquery` do not end a pipeline, or stand where they do not suffice.
fn misused_escaper(c: Option<Context>, action: &Action) -> Option<String> {
    let last = action.pipe.commands.len().saturating_sub(1);
    for (i, command) in action.pipe.commands.iter().enumerate() {
        let Some(escaper) = predefined(command) else {
            continue;
        };
        let unquoted = c.is_some_and(|c| c.state == State::Attr && c.delim == Delim::SpaceOrTagEnd)
            && escaper == Escaper::PredefinedHtml;
        if i < last || unquoted {
            let name = if escaper == Escaper::PredefinedHtml {
                "html"
            } else {
                "urlquery"
            };
            let name = quote(name);
            return Some(format!("predefined escaper {name} disallowed in template"));
        }
    }
    None
}

/// Which escapers a place needs; the context moves past the action.
fn escapers_for(c: &mut Context, action: &Action) -> Result<Vec<Escaper>, String> {
    let node = NodeRef::Action(action);
    let mut out = Vec::with_capacity(3);
    match c.state {
        State::Url
        | State::CssDoubleQuoted
        | State::CssSingleQuoted
        | State::CssDoubleQuotedUrl
        | State::CssSingleQuotedUrl
        | State::CssUrl => match c.url_part {
            UrlPart::None | UrlPart::PreQuery => {
                if c.url_part == UrlPart::None {
                    out.push(Escaper::UrlFilter);
                }
                let in_string = matches!(c.state, State::CssDoubleQuoted | State::CssSingleQuoted);
                out.push(if in_string {
                    Escaper::Css
                } else {
                    Escaper::UrlNormalizer
                });
            }
            UrlPart::QueryOrFragment => out.push(Escaper::Url),
            UrlPart::Unknown => {
                return Err(format!(
                    "{node} appears in an ambiguous context within a URL"
                ));
            }
        },
        State::Js => {
            out.push(Escaper::JsValue);
            c.slash = super::context::Slash::Division;
        }
        State::JsDoubleQuoted | State::JsSingleQuoted | State::JsTemplate => {
            out.push(Escaper::JsString);
        }
        State::JsRegexp => out.push(Escaper::JsRegexp),
        State::Css => out.push(Escaper::CssValue),
        State::Text => out.push(Escaper::Html),
        State::Rcdata => out.push(Escaper::Rcdata),
        State::AttrName | State::Tag => {
            c.state = State::AttrName;
            out.push(Escaper::HtmlName);
        }
        State::Srcset => out.push(Escaper::Srcset),
        state if state.is_comment() => out.push(Escaper::Comment),
        _ => {}
    }
    match c.delim {
        Delim::None => {}
        Delim::SpaceOrTagEnd => out.push(Escaper::NoSpace),
        Delim::Double | Delim::Single => out.push(Escaper::Attr),
    }
    Ok(out)
}

/// Puts the escapers behind a pipeline that may end with one of the template's own.
fn merge(pipe: &Pipe, mut wanted: Vec<Escaper>) -> ActionPlan {
    let mut plan = ActionPlan {
        commands: pipe.commands.len(),
        joins_arguments: false,
        escapers: Vec::new(),
    };
    if wanted.is_empty() {
        return plan;
    }
    let own = pipe.commands.last().and_then(|c| Some((c, predefined(c)?)));
    if let Some((command, own)) = own {
        plan.joins_arguments = pipe.commands.len() == 1 && command.args.len() > 1;
        let mut merged = false;
        for escaper in &mut wanted {
            if escaper.class() == own {
                *escaper = own;
                merged = true;
            }
        }
        plan.commands -= 1;
        if !merged {
            plan.escapers.push(own);
        }
    }
    for escaper in wanted {
        let redundant = plan
            .escapers
            .last()
            .is_some_and(|last| last.makes_redundant(escaper));
        if !redundant {
            plan.escapers.push(escaper);
        }
    }
    plan
}
