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
        depth: 0,
    };
    let end = planner.template(Context::default(), name, None)?;
    if end.state != State::Text {
        return Err(Error::Escape {
            message: format!("{}ends in a non-text context: {}", of(name), end.describe()),
        });
    }
    Ok(Plan {
        variants: planner.variants,
    })
}

type Outcome = Result<Context, Error>;

struct Planner<'t> {
    trees: &'t BTreeMap<Arc<str>, Arc<Tree>>,
    /// The context at the end of each variant.
    outputs: BTreeMap<String, Context>,
    called: BTreeSet<String>,
    variants: BTreeMap<String, Edits>,
    /// The contexts at `break` and `continue` in the loops around.
    loops: Vec<Vec<Context>>,
    depth: usize,
}

/// Where in which template we are.
#[derive(Clone, Copy)]
struct Here<'t> {
    tree: &'t Tree,
    variant: &'t str,
}

fn fail<T>(here: Here<'_>, node: Option<usize>, text: &str) -> Result<T, Error> {
    let name = &here.tree.parse_name;
    let message = match node {
        Some(pos) => {
            let (line, column) = place(&here.tree.text, pos);
            format!("html/template:{name}:{line}:{column}: {text}")
        }
        None => format!("{}{text}", of(name)),
    };
    Err(Error::Escape { message })
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

/// compat: what goes wrong when a loop's body is looked at for its second turn says so, and an error
/// without a place gets the loop's line.
fn on_reentry(error: Error, here: Here<'_>, pos: usize) -> Error {
    let Error::Escape { message } = error else {
        return error;
    };
    let name = &here.tree.parse_name;
    if let Some(text) = message.strip_prefix(&of(name)) {
        let (line, _) = place(&here.tree.text, pos);
        return Error::Escape {
            message: format!("html/template:{name}:{line}: {REENTRY}{text}"),
        };
    }
    let message = match message.split_once(": ") {
        Some((place, text)) => format!("{place}: {REENTRY}{text}"),
        None => message,
    };
    Error::Escape { message }
}

impl Planner<'_> {
    /// Plans a template for a context and returns the context at its end.
    fn template(&mut self, c: Context, name: &str, from: Option<(Here<'_>, usize)>) -> Outcome {
        let variant = c.variant(name);
        self.called.insert(variant.clone());
        if let Some(out) = self.outputs.get(&variant) {
            return Ok(*out);
        }
        let Some(tree) = self.trees.get(name) else {
            let text = format!("no such template {}", quote(name));
            return match from {
                Some((here, pos)) => fail(here, Some(pos), &text),
                None => Err(Error::Escape {
                    message: format!("html/template: {text}"),
                }),
            };
        };
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Error::Escape {
                message: format!("html/template:{name}: templates nested deeper than {DEPTH_MAX}"),
            });
        }
        let here = Here {
            tree,
            variant: &variant,
        };
        let (first, right) = self.body(c, here)?;
        let out = if right {
            first
        } else {
            // The template calls itself: assume that it ends as it just did and look again.
            let (second, right) = self.body_assuming(c, first, here)?;
            if !right {
                let text = format!("cannot compute output context for template {name}");
                return fail(here, None, &text);
            }
            second
        };
        self.depth -= 1;
        self.outputs.insert(variant, out);
        Ok(out)
    }

    fn body(&mut self, c: Context, here: Here<'_>) -> Result<(Context, bool), Error> {
        self.body_assuming(c, c, here)
    }

    /// Plans a body, assuming that the template ends in `assumed` where it calls itself.
    fn body_assuming(
        &mut self,
        c: Context,
        assumed: Context,
        here: Here<'_>,
    ) -> Result<(Context, bool), Error> {
        self.outputs.insert(here.variant.to_owned(), assumed);
        self.called.remove(here.variant);
        self.variants
            .insert(here.variant.to_owned(), Edits::default());
        let loops = std::mem::take(&mut self.loops);
        let out = self.block(c, &here.tree.root, here)?;
        self.loops = loops;
        let recursive = self.called.contains(here.variant);
        Ok((out, !recursive || out == assumed))
    }

    fn edits(&mut self, here: Here<'_>) -> &mut Edits {
        self.variants.entry(here.variant.to_owned()).or_default()
    }

    fn block(&mut self, mut c: Context, block: &Block, here: Here<'_>) -> Outcome {
        for node in &block.nodes {
            c = match node {
                Node::Text(text) => self.text(c, text, here)?,
                Node::Action(action) => self.action(c, action, here)?,
                Node::If(branch) => self.branch(c, branch, "if", here)?,
                Node::With(branch) => self.branch(c, branch, "with", here)?,
                Node::Range(branch) => self.branch(c, branch, "range", here)?,
                Node::Template(call) => self.call(c, call, here)?,
                Node::Break | Node::Continue => {
                    if let Some(exits) = self.loops.last_mut() {
                        exits.push(c);
                    }
                    Context::of(State::Dead)
                }
            };
            if c.state == State::Dead {
                break;
            }
        }
        Ok(c)
    }

    fn call(&mut self, c: Context, call: &Call, here: Here<'_>) -> Outcome {
        let variant = c.variant(&call.name);
        let out = self.template(c, &call.name, Some((here, call.pos)))?;
        if variant != call.name {
            self.edits(here).calls.insert(call.id, variant);
        }
        Ok(out)
    }

    fn branch(&mut self, c: Context, branch: &Branch, word: &str, here: Here<'_>) -> Outcome {
        let is_loop = word == "range";
        let mut taken = self.turn(c, branch, is_loop, here)?;
        if is_loop {
            // The body may run again where it ended; that must lead to the same place.
            let before = self.variants.get(here.variant).cloned();
            let again = self
                .turn(taken, branch, true, here)
                .map_err(|error| on_reentry(error, here, branch.pos))?;
            if let Some(before) = before {
                self.variants.insert(here.variant.to_owned(), before);
            }
            taken = join(taken, again).or_else(|(a, b)| {
                let text = format!("{REENTRY}{}", branches_differ(word, a, b));
                fail(here, Some(branch.pos), &text)
            })?;
        }
        let skipped = match &branch.otherwise {
            Some(otherwise) => self.block(c, otherwise, here)?,
            None => c,
        };
        join(taken, skipped)
            .or_else(|(a, b)| fail(here, Some(branch.pos), &branches_differ(word, a, b)))
    }

    /// One turn of a branch, with the contexts at which a loop's body was left early.
    fn turn(&mut self, c: Context, branch: &Branch, is_loop: bool, here: Here<'_>) -> Outcome {
        if !is_loop {
            return self.block(c, &branch.list, here);
        }
        self.loops.push(Vec::new());
        let mut out = self.block(c, &branch.list, here)?;
        for exit in self.loops.pop().unwrap_or_default() {
            out = join(out, exit).or_else(|(a, b)| {
                let text = format!("at range loop break: {}", branches_differ("range", a, b));
                fail(here, Some(branch.pos), &text)
            })?;
        }
        Ok(out)
    }

    fn action(&mut self, c: Context, action: &Action, here: Here<'_>) -> Outcome {
        if !action.pipe.declared.is_empty() {
            return Ok(c);
        }
        let mut c = c.nudged();
        check_predefined(c, action, here)?;
        let escapers = escapers_for(&mut c, action, here)?;
        let plan = merge(&action.pipe, escapers);
        self.edits(here).actions.insert(action.id, plan);
        Ok(c)
    }

    /// Follows text; comments are left out and stray `<` escaped.
    fn text(&mut self, mut c: Context, text: &Text, here: Here<'_>) -> Outcome {
        let s = text.text.as_bytes();
        let mut out: Vec<u8> = Vec::new();
        let (mut written, mut at) = (0, 0);
        while at < s.len() {
            let (next, read) = match transition::after_text(c, &s[at..]) {
                Ok(step) => step,
                Err(text) => return fail(here, None, &text),
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
                return fail(here, None, "text cannot be followed");
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

/// `html` and `urlquery` may only end a pipeline.
fn check_predefined(c: Context, action: &Action, here: Here<'_>) -> Result<(), Error> {
    let last = action.pipe.commands.len().saturating_sub(1);
    for (i, command) in action.pipe.commands.iter().enumerate() {
        let Some(escaper) = predefined(command) else {
            continue;
        };
        let unquoted = c.state == State::Attr
            && c.delim == Delim::SpaceOrTagEnd
            && escaper == Escaper::PredefinedHtml;
        if i < last || unquoted {
            let name = if escaper == Escaper::PredefinedHtml {
                "html"
            } else {
                "urlquery"
            };
            let text = format!("predefined escaper {} disallowed in template", quote(name));
            return fail(here, Some(action.pos), &text);
        }
    }
    Ok(())
}

/// Which escapers a place needs; the context moves past the action.
fn escapers_for(c: &mut Context, action: &Action, here: Here<'_>) -> Result<Vec<Escaper>, Error> {
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
                let text = format!("{node} appears in an ambiguous context within a URL");
                return fail(here, Some(action.pos), &text);
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
