//! The tree of a template. Every node knows where it stands and prints as Go prints it, because error
//! texts quote nodes.

use std::fmt;
use std::sync::Arc;

use super::number::Number;
use crate::text::quote::quote;

/// One template: its name and its nodes.
#[derive(Debug)]
pub(super) struct Tree {
    /// The template's name.
    pub name: Arc<str>,
    /// The name of the text it was defined in, for error texts.
    pub parse_name: Arc<str>,
    /// The whole text it was defined in.
    pub text: Arc<str>,
    pub root: Block,
}

/// A list of nodes.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub nodes: Vec<Node>,
}

impl Block {
    /// Whether there is nothing but white space.
    pub(super) fn is_blank(&self) -> bool {
        self.nodes
            .iter()
            .all(|node| matches!(node, Node::Text(text) if text.text.trim().is_empty()))
    }
}

#[derive(Debug)]
pub(super) enum Node {
    Text(Text),
    Action(Action),
    If(Branch),
    Range(Branch),
    With(Branch),
    Template(Call),
    /// Where the word stands.
    Break(usize),
    /// Where the word stands.
    Continue(usize),
}

/// Text between actions. `id` is unique within one parse.
#[derive(Debug)]
pub(super) struct Text {
    pub id: usize,
    pub text: String,
}

#[derive(Debug)]
pub(super) struct Action {
    pub id: usize,
    pub pos: usize,
    pub pipe: Pipe,
}

/// `if`, `range` or `with`.
#[derive(Debug)]
pub(super) struct Branch {
    pub pos: usize,
    pub pipe: Pipe,
    pub list: Block,
    pub otherwise: Option<Block>,
}

/// `{{template "name" pipe}}`.
#[derive(Debug)]
pub(super) struct Call {
    pub id: usize,
    pub pos: usize,
    pub name: String,
    pub pipe: Option<Pipe>,
}

#[derive(Debug)]
pub(super) struct Pipe {
    pub pos: usize,
    pub is_assign: bool,
    pub declared: Vec<String>,
    pub commands: Vec<Command>,
}

#[derive(Debug)]
pub(super) struct Command {
    pub pos: usize,
    pub args: Vec<Operand>,
}

#[derive(Debug)]
pub(super) enum Operand {
    Dot(usize),
    Nil(usize),
    Bool(usize, bool),
    Number(usize, Number),
    String {
        pos: usize,
        quoted: String,
        text: Arc<str>,
    },
    Identifier(usize, String),
    /// `.A.B`.
    Field(usize, Vec<String>),
    /// `$x.A.B`; the first is the variable with its dollar.
    Variable(usize, Vec<String>),
    /// `(pipe).A.B`.
    Chain {
        pos: usize,
        node: Box<Operand>,
        fields: Vec<String>,
    },
    Pipe(Box<Pipe>),
}

impl Operand {
    pub(super) fn pos(&self) -> usize {
        match self {
            Self::Dot(pos)
            | Self::Nil(pos)
            | Self::Bool(pos, _)
            | Self::Number(pos, _)
            | Self::String { pos, .. }
            | Self::Identifier(pos, _)
            | Self::Field(pos, _)
            | Self::Variable(pos, _)
            | Self::Chain { pos, .. } => *pos,
            Self::Pipe(pipe) => pipe.pos,
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dot(_) => f.write_str("."),
            Self::Nil(_) => f.write_str("nil"),
            Self::Bool(_, v) => write!(f, "{v}"),
            Self::Number(_, number) => f.write_str(&number.text),
            Self::String { quoted, .. } => f.write_str(quoted),
            Self::Identifier(_, name) => f.write_str(name),
            Self::Field(_, names) => names.iter().try_for_each(|name| write!(f, ".{name}")),
            Self::Variable(_, names) => f.write_str(&names.join(".")),
            Self::Chain { node, fields, .. } => {
                match &**node {
                    Self::Pipe(pipe) => write!(f, "({pipe})")?,
                    other => write!(f, "{other}")?,
                }
                fields.iter().try_for_each(|name| write!(f, ".{name}"))
            }
            Self::Pipe(pipe) => write!(f, "{pipe}"),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, arg) in self.args.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            match arg {
                Operand::Pipe(pipe) => write!(f, "({pipe})")?,
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.declared.is_empty() {
            f.write_str(&self.declared.join(", "))?;
            f.write_str(if self.is_assign { " = " } else { " := " })?;
        }
        for (i, command) in self.commands.iter().enumerate() {
            if i > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{command}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", quote(&self.name))?;
        if let Some(pipe) = &self.pipe {
            write!(f, " {pipe}")?;
        }
        f.write_str("}}")
    }
}

/// A reference to whatever is being executed, for error texts.
#[derive(Clone, Copy)]
pub(super) enum NodeRef<'t> {
    Action(&'t Action),
    Call(&'t Call),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Operand(&'t Operand),
}

impl NodeRef<'_> {
    pub(super) fn pos(self) -> usize {
        match self {
            Self::Action(action) => action.pos,
            Self::Call(call) => call.pos,
            Self::Pipe(pipe) => pipe.pos,
            Self::Command(command) => command.pos,
            Self::Operand(operand) => operand.pos(),
        }
    }
}

impl fmt::Display for NodeRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action(action) => write!(f, "{{{{{}}}}}", action.pipe),
            Self::Call(call) => write!(f, "{call}"),
            Self::Pipe(pipe) => write!(f, "{pipe}"),
            Self::Command(command) => write!(f, "{command}"),
            Self::Operand(operand) => write!(f, "{operand}"),
        }
    }
}

/// `LINE:COLUMN` of a place, the column counted in bytes from 0 as Go does.
pub(super) fn place(text: &str, pos: usize) -> (usize, usize) {
    let before = text.get(..pos).unwrap_or(text);
    let line = 1 + before.matches('\n').count();
    let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
    (line, column)
}
