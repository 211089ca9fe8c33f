//! From tokens to trees. Errors are Go's texts; nesting is bounded, because execution recurses over it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ast::{Action, Block, Branch, Call, Command, Node, Operand, Pipe, Text, Tree, place};
use super::error::Error;
use super::lexer::{Kind, Lexer, Token};
use super::number::Number;
use crate::text::quote::{quote, unquote};

/// How deep blocks and parentheses may be nested.
const NESTING_MAX: usize = 150;

type Trees = BTreeMap<Arc<str>, Arc<Tree>>;

/// Parses `text`, whose top level becomes the template `name`, and adds what it defines to `trees`.
pub(super) fn parse(
    name: &str,
    text: &str,
    known: &dyn Fn(&str) -> bool,
    trees: &mut Trees,
) -> Result<(), Error> {
    parse_behind(&[], name, text, known, trees)
}

/// As [`parse`], for a text that stands behind actions which declare `variables`; those are not parsed.
pub(super) fn parse_behind(
    variables: &[&str],
    name: &str,
    text: &str,
    known: &dyn Fn(&str) -> bool,
    trees: &mut Trees,
) -> Result<(), Error> {
    let declared = variables.iter().map(|name| (*name).to_owned());
    let mut parser = Parser {
        name: Arc::from(name),
        text: Arc::from(text),
        lexer: Lexer::new(text),
        pending: Vec::new(),
        last: 0,
        action_at: None,
        variables: std::iter::once("$".to_owned()).chain(declared).collect(),
        declares: !variables.is_empty(),
        range_depth: 0,
        nesting: 0,
        next_id: 0,
        known,
        found: BTreeMap::new(),
    };
    parser.top()?;
    // compat: a redefinition replaces the earlier tree unless it is empty.
    for (name, tree) in parser.found {
        let replaces = trees
            .get(&name)
            .is_none_or(|old| old.root.nodes.is_empty() || !tree.root.is_blank());
        if replaces {
            trees.insert(name, tree);
        }
    }
    Ok(())
}

struct Parser<'t> {
    name: Arc<str>,
    text: Arc<str>,
    lexer: Lexer<'t>,
    /// Tokens given back, last first.
    pending: Vec<Token<'t>>,
    /// Where the last token read from the lexer stands.
    last: usize,
    action_at: Option<usize>,
    variables: Vec<String>,
    /// Whether actions stand before the text, so that its top level is never blank.
    declares: bool,
    range_depth: usize,
    nesting: usize,
    next_id: usize,
    known: &'t dyn Fn(&str) -> bool,
    found: Trees,
}

/// What ended a list of nodes.
enum End {
    End,
    Else,
}

impl End {
    const fn describe(&self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else => "{{else}}",
        }
    }
}

/// A node, or the end of the list it would stand in.
enum Item {
    Node(Node),
    End(End),
}

impl<'t> Parser<'t> {
    fn next(&mut self) -> Token<'t> {
        if let Some(token) = self.pending.pop() {
            return token;
        }
        let token = self.lexer.next();
        self.last = token.pos;
        token
    }

    fn back(&mut self, token: Token<'t>) {
        self.pending.push(token);
    }

    fn peek(&mut self) -> Token<'t> {
        let token = self.next();
        self.back(token.clone());
        token
    }

    fn next_non_space(&mut self) -> Token<'t> {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> Token<'t> {
        let token = self.next_non_space();
        self.back(token.clone());
        token
    }

    fn line(&self, pos: usize) -> usize {
        place(&self.text, pos).0
    }

    fn fail<T>(&self, text: impl AsRef<str>) -> Result<T, Error> {
        let line = self.line(self.last);
        Err(Error::Parse {
            message: format!("template: {}:{line}: {}", self.name, text.as_ref()),
            line,
            offset: self.last,
        })
    }

    fn unexpected<T>(&self, token: &Token<'_>, context: &str) -> Result<T, Error> {
        if token.kind != Kind::Error {
            return self.fail(format!("unexpected {} in {context}", token.describe()));
        }
        let mut extra = String::new();
        if let Some(started) = self.action_at.map(|pos| self.line(pos))
            && started != self.line(token.pos)
        {
            extra = format!(" in action started at {}:{started}", self.name);
            if token.text.ends_with(" action") {
                extra = extra[" in action".len()..].to_owned();
            }
        }
        self.fail(format!("{}{extra}", token.text))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token<'t>, Error> {
        let token = self.next_non_space();
        if token.kind == kind {
            Ok(token)
        } else {
            self.unexpected(&token, context)
        }
    }

    fn id(&mut self) -> usize {
        self.next_id += 1;
        self.next_id
    }

    /// Runs `inner` one level deeper.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        self.nesting += 1;
        if self.nesting > NESTING_MAX {
            return self.fail("max expression depth exceeded");
        }
        let out = inner(self);
        self.nesting -= 1;
        out
    }

    fn add(&mut self, name: &str, root: Block) -> Result<(), Error> {
        if let Some(old) = self.found.get(name)
            && !old.root.is_blank()
        {
            if root.is_blank() && !(self.declares && *name == *self.name) {
                return Ok(());
            }
            return self.fail(format!(
                "template: multiple definition of template {}",
                quote(name)
            ));
        }
        let name: Arc<str> = name.into();
        let tree = Tree {
            name: Arc::clone(&name),
            parse_name: Arc::clone(&self.name),
            text: Arc::clone(&self.text),
            root,
        };
        self.found.insert(name, Arc::new(tree));
        Ok(())
    }

    fn top(&mut self) -> Result<(), Error> {
        let mut root = Block::default();
        loop {
            let token = self.next();
            match token.kind {
                Kind::Eof => break,
                Kind::LeftDelim => {
                    let inner = self.next_non_space();
                    if inner.kind == Kind::Define {
                        self.definition()?;
                        continue;
                    }
                    self.back(inner);
                    self.back(token);
                }
                _ => self.back(token),
            }
            match self.text_or_action()? {
                Item::Node(node) => root.nodes.push(node),
                Item::End(end) => return self.fail(format!("unexpected {}", end.describe())),
            }
        }
        let name = Arc::clone(&self.name);
        self.add(&name, root)
    }

    fn definition(&mut self) -> Result<(), Error> {
        const CONTEXT: &str = "define clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        self.expect(Kind::RightDelim, CONTEXT)?;
        self.separate_tree(&name, CONTEXT)
    }

    /// The nodes up to `{{end}}` as a template of their own: variables and loops outside do not reach in.
    fn separate_tree(&mut self, name: &str, context: &str) -> Result<(), Error> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let range_depth = std::mem::take(&mut self.range_depth);
        let (root, end) = self.nested(Self::items)?;
        if matches!(end, End::Else) {
            return self.fail(format!("unexpected {} in {context}", end.describe()));
        }
        self.variables = variables;
        self.range_depth = range_depth;
        self.add(name, root)
    }

    fn items(&mut self) -> Result<(Block, End), Error> {
        let mut list = Block::default();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => list.nodes.push(node),
                Item::End(end) => return Ok((list, end)),
            }
        }
        self.fail("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Result<Item, Error> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(Text {
                id: self.id(),
                text: token.text.into_owned(),
            }))),
            Kind::LeftDelim => {
                self.action_at = Some(token.pos);
                let item = self.action();
                self.action_at = None;
                item
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Result<Item, Error> {
        let token = self.next_non_space();
        let node = match token.kind {
            Kind::Block => self.block()?,
            Kind::Break if !(self.known)("break") => self.jump("break", token.pos)?,
            Kind::Continue if !(self.known)("continue") => self.jump("continue", token.pos)?,
            Kind::Else => return self.otherwise().map(Item::End),
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Item::End(End::End));
            }
            Kind::If => Node::If(self.nested(|p| p.control("if"))?),
            Kind::Range => Node::Range(self.nested(|p| p.control("range"))?),
            Kind::With => Node::With(self.nested(|p| p.control("with"))?),
            Kind::Template => self.call()?,
            _ => {
                let pos = token.pos;
                self.back(token);
                let pipe = self.pipeline("command", Kind::RightDelim)?;
                Node::Action(Action {
                    id: self.id(),
                    pos,
                    pipe,
                })
            }
        };
        Ok(Item::Node(node))
    }

    fn jump(&mut self, word: &str, pos: usize) -> Result<Node, Error> {
        let token = self.next_non_space();
        if token.kind != Kind::RightDelim {
            return self.unexpected(&token, &format!("{{{{{word}}}}}"));
        }
        if self.range_depth == 0 {
            return self.fail(format!("{{{{{word}}}}} outside {{{{range}}}}"));
        }
        Ok(if word == "break" {
            Node::Break(pos)
        } else {
            Node::Continue(pos)
        })
    }

    fn otherwise(&mut self) -> Result<End, Error> {
        let peek = self.peek_non_space();
        if matches!(peek.kind, Kind::If | Kind::With) {
            return Ok(End::Else);
        }
        self.expect(Kind::RightDelim, "else")?;
        Ok(End::Else)
    }

    /// `if`, `range` or `with` after its keyword, up to its `{{end}}`.
    fn control(&mut self, context: &str) -> Result<Branch, Error> {
        let mark = self.variables.len();
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        if context == "range" {
            self.range_depth += 1;
        }
        let (list, end) = self.items()?;
        if context == "range" {
            self.range_depth -= 1;
        }
        let otherwise = match end {
            End::End => None,
            End::Else => Some(self.else_list(context)?),
        };
        self.variables.truncate(mark);
        Ok(Branch {
            pos: pipe.pos,
            pipe,
            list,
            otherwise,
        })
    }

    fn else_list(&mut self, context: &str) -> Result<Block, Error> {
        let peek = self.peek_non_space();
        let chained = match (context, peek.kind) {
            ("if", Kind::If) => Some("if"),
            ("with", Kind::With) => Some("with"),
            _ => None,
        };
        if let Some(word) = chained {
            self.next_non_space();
            // `{{else if}}` shares the `{{end}}` of the `{{if}}` before it.
            let branch = self.nested(|p| p.control(word))?;
            let node = if word == "if" {
                Node::If(branch)
            } else {
                Node::With(branch)
            };
            return Ok(Block { nodes: vec![node] });
        }
        let (list, end) = self.items()?;
        if let End::Else = end {
            return self.fail(format!("expected end; found {}", end.describe()));
        }
        Ok(list)
    }

    fn block(&mut self) -> Result<Node, Error> {
        const CONTEXT: &str = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelim)?;
        self.separate_tree(&name, CONTEXT)?;
        Ok(Node::Template(Call {
            id: self.id(),
            pos: token.pos,
            name,
            pipe: Some(pipe),
        }))
    }

    fn call(&mut self) -> Result<Node, Error> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let next = self.next_non_space();
        let pipe = if next.kind == Kind::RightDelim {
            None
        } else {
            self.back(next);
            Some(self.pipeline(CONTEXT, Kind::RightDelim)?)
        };
        Ok(Node::Template(Call {
            id: self.id(),
            pos: token.pos,
            name,
            pipe,
        }))
    }

    fn template_name(&mut self, token: &Token<'_>, context: &str) -> Result<String, Error> {
        match token.kind {
            Kind::String | Kind::RawString => match unquote(&token.text) {
                Some(name) => Ok(name),
                None => self.fail("invalid syntax"),
            },
            _ => self.unexpected(token, context),
        }
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe, Error> {
        let pos = self.peek_non_space().pos;
        let mut pipe = Pipe {
            pos,
            is_assign: false,
            declared: Vec::new(),
            commands: Vec::new(),
        };
        while self.declaration(context, &mut pipe)? {}
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => {
                    self.check_pipeline(&pipe, context)?;
                    return Ok(pipe);
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen
                | Kind::Break
                | Kind::Continue => {
                    self.back(token);
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return self.unexpected(&token, context),
            }
        }
    }

    /// `$x :=`, `$x =` or, in a range, `$i, `; true when another variable follows.
    fn declaration(&mut self, context: &str, pipe: &mut Pipe) -> Result<bool, Error> {
        let variable = self.peek_non_space();
        if variable.kind != Kind::Variable {
            return Ok(false);
        }
        self.next_non_space();
        let after = self.next();
        let next = if after.kind == Kind::Space {
            self.next_non_space()
        } else {
            after.clone()
        };
        match next.kind {
            Kind::Assign | Kind::Declare => {
                pipe.is_assign = next.kind == Kind::Assign;
                self.variables.push(variable.text.to_string());
                pipe.declared.push(variable.text.into_owned());
                Ok(false)
            }
            Kind::Char if next.text == "," => {
                self.variables.push(variable.text.to_string());
                pipe.declared.push(variable.text.into_owned());
                if context == "range" && pipe.declared.len() < 2 {
                    return match self.peek_non_space().kind {
                        Kind::Variable | Kind::RightDelim | Kind::RightParen => Ok(true),
                        _ => self.fail("range can only initialize variables"),
                    };
                }
                self.fail(format!("too many declarations in {context}"))
            }
            _ => {
                self.back(next);
                if after.kind == Kind::Space {
                    self.back(after);
                }
                self.back(variable);
                Ok(false)
            }
        }
    }

    fn check_pipeline(&self, pipe: &Pipe, context: &str) -> Result<(), Error> {
        if pipe.commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (i, command) in pipe.commands.iter().enumerate().skip(1) {
            if let Some(
                Operand::Bool(..)
                | Operand::Dot(_)
                | Operand::Nil(_)
                | Operand::Number(..)
                | Operand::String { .. },
            ) = command.args.first()
            {
                return self.fail(format!(
                    "non executable command in pipeline stage {}",
                    i + 1
                ));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Command, Error> {
        let pos = self.peek_non_space().pos;
        let mut args = Vec::new();
        loop {
            let operand = self.operand()?;
            args.extend(operand);
            let token = self.next();
            match token.kind {
                Kind::Space => {}
                Kind::RightDelim | Kind::RightParen => {
                    self.back(token);
                    break;
                }
                Kind::Pipe => break,
                _ => return self.unexpected(&token, "operand"),
            }
        }
        if args.is_empty() {
            return self.fail("empty command");
        }
        Ok(Command { pos, args })
    }

    /// A term and the fields that follow it; nothing when no term is here.
    fn operand(&mut self) -> Result<Option<Operand>, Error> {
        let Some(node) = self.term()? else {
            return Ok(None);
        };
        let first = self.peek();
        if first.kind != Kind::Field {
            return Ok(Some(node));
        }
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            let field = self.next().text;
            fields.push(field.trim_start_matches('.').to_owned());
        }
        let pos = first.pos;
        match node {
            Operand::Field(_, mut names) => {
                names.extend(fields);
                Ok(Some(Operand::Field(pos, names)))
            }
            Operand::Variable(_, mut names) => {
                names.extend(fields);
                Ok(Some(Operand::Variable(pos, names)))
            }
            Operand::Bool(..)
            | Operand::String { .. }
            | Operand::Number(..)
            | Operand::Nil(_)
            | Operand::Dot(_) => self.fail(format!(
                "unexpected . after term {}",
                quote(&node.to_string())
            )),
            node => Ok(Some(Operand::Chain {
                pos,
                node: Box::new(node),
                fields,
            })),
        }
    }

    fn term(&mut self) -> Result<Option<Operand>, Error> {
        let token = self.next_non_space();
        let pos = token.pos;
        let operand = match token.kind {
            Kind::Identifier | Kind::Break | Kind::Continue => {
                if !(self.known)(&token.text) {
                    return self.fail(format!("function {} not defined", quote(&token.text)));
                }
                Operand::Identifier(pos, token.text.into_owned())
            }
            Kind::Dot => Operand::Dot(pos),
            Kind::Nil => Operand::Nil(pos),
            Kind::Variable => {
                if !self.variables.iter().any(|name| *name == token.text) {
                    return self.fail(format!("undefined variable {}", quote(&token.text)));
                }
                Operand::Variable(pos, vec![token.text.into_owned()])
            }
            Kind::Field => Operand::Field(pos, vec![token.text[1..].to_owned()]),
            Kind::Bool => Operand::Bool(pos, token.text == "true"),
            Kind::CharConstant | Kind::Number => {
                let number = if token.kind == Kind::Number {
                    Number::parse(&token.text)
                } else {
                    Number::character(&token.text)
                };
                match number {
                    Ok(number) => Operand::Number(pos, number),
                    Err(text) => return self.fail(text),
                }
            }
            Kind::LeftParen => {
                let pipe =
                    self.nested(|p| p.pipeline("parenthesized pipeline", Kind::RightParen))?;
                Operand::Pipe(Box::new(pipe))
            }
            Kind::String | Kind::RawString => match unquote(&token.text) {
                Some(text) => Operand::String {
                    pos,
                    text: text.into(),
                    quoted: token.text.into_owned(),
                },
                None => return self.fail("invalid syntax"),
            },
            _ => {
                self.back(token);
                return Ok(None);
            }
        };
        Ok(Some(operand))
    }
}
