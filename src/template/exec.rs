//! Executes trees: walks nodes, evaluates pipelines, calls functions and methods.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ast::{Action, Block, Branch, Call, Command, Node, NodeRef, Operand, Pipe, Tree, place};
use super::builtins::CALLEE;
use super::error::Error;
use super::function::{Function, FunctionSet, Kind, Type};
use super::html::Plan;
use super::number::Number;
use super::printf;
use super::value::Value;
use crate::text::quote::quote;

/// What one execution may use. Upstream has no such bounds; a template within reason never meets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nodes walked and commands evaluated.
    pub steps: u64,
    /// Bytes written.
    pub output_bytes: usize,
    /// How deep templates, blocks and pipelines may be nested in each other while they run.
    pub depth: usize,
}

impl Default for Limits {
    /// Four million steps, 16 MiB, 400 levels.
    fn default() -> Self {
        Self {
            steps: 4_000_000,
            output_bytes: 16 << 20,
            depth: 400,
        }
    }
}

/// What a missing key of a map yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingKey {
    Zero,
    Error,
}

/// How a list of nodes was left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

type Trees = BTreeMap<Arc<str>, Arc<Tree>>;

/// One execution.
pub(super) struct Exec<'t, 'f> {
    trees: &'t Trees,
    functions: &'f FunctionSet<'f>,
    missing_key: MissingKey,
    limits: Limits,
    plan: Option<&'t Plan>,
    /// The template as the plan names it: one template may run in several contexts of a page.
    variant: &'t str,
    out: String,
    steps: u64,
    depth: usize,
    tree: Option<&'t Tree>,
    node: Option<NodeRef<'t>>,
    variables: Vec<(&'t str, Value)>,
}

impl<'t, 'f> Exec<'t, 'f> {
    pub(super) fn new(
        trees: &'t Trees,
        functions: &'f FunctionSet<'f>,
        missing_key: MissingKey,
        limits: Limits,
        plan: Option<&'t Plan>,
    ) -> Self {
        Self {
            trees,
            functions,
            missing_key,
            limits,
            plan,
            variant: "",
            out: String::new(),
            steps: 0,
            depth: 0,
            tree: None,
            node: None,
            variables: Vec::new(),
        }
    }

    pub(super) fn run(mut self, tree: &'t Tree, data: &Value) -> Result<String, Error> {
        self.tree = Some(tree);
        self.variant = &tree.name;
        self.variables.push(("$", data.clone()));
        self.walk_block(data, &tree.root)?;
        Ok(self.out)
    }

    fn fail<T>(&self, text: impl AsRef<str>) -> Result<T, Error> {
        let text = text.as_ref();
        let (Some(tree), Some(node)) = (self.tree, self.node) else {
            return Err(Error::Execute {
                message: format!("template: {text}"),
                offset: 0,
            });
        };
        let offset = node.pos();
        let (line, column) = place(&tree.text, offset);
        let message = format!(
            "template: {}:{line}:{column}: executing {} at <{node}>: {text}",
            tree.parse_name,
            quote(self.variant)
        );
        Err(Error::Execute { message, offset })
    }

    fn step(&mut self) -> Result<(), Error> {
        self.steps += 1;
        if self.steps > self.limits.steps {
            return self.fail(format!("more than {} steps", self.limits.steps));
        }
        Ok(())
    }

    /// Runs `inner` one level deeper.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth >= self.limits.depth {
            return self.fail(format!(
                "exceeded maximum template depth ({})",
                self.limits.depth
            ));
        }
        self.depth += 1;
        let out = inner(self);
        self.depth -= 1;
        out
    }

    fn write(&mut self, text: &str) -> Result<(), Error> {
        if self.out.len() + text.len() > self.limits.output_bytes {
            return self.fail(format!(
                "more than {} bytes of output",
                self.limits.output_bytes
            ));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn walk_block(&mut self, dot: &Value, block: &'t Block) -> Result<Flow, Error> {
        self.deeper(|exec| {
            for node in &block.nodes {
                let flow = exec.walk(dot, node)?;
                if flow != Flow::On {
                    return Ok(flow);
                }
            }
            Ok(Flow::On)
        })
    }

    fn walk(&mut self, dot: &Value, node: &'t Node) -> Result<Flow, Error> {
        self.step()?;
        match node {
            Node::Text(text) => {
                let plan = self.plan;
                let edited = plan.and_then(|plan| plan.text(self.variant, text.id));
                self.write(edited.unwrap_or(&text.text))?;
            }
            Node::Action(action) => self.walk_action(dot, action)?,
            Node::If(branch) => return self.walk_if_or_with(dot, branch, false),
            Node::With(branch) => return self.walk_if_or_with(dot, branch, true),
            Node::Range(branch) => return self.walk_range(dot, branch),
            Node::Template(call) => self.walk_call(dot, call)?,
            Node::Break(_) => return Ok(Flow::Break),
            Node::Continue(_) => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn walk_action(&mut self, dot: &Value, action: &'t Action) -> Result<(), Error> {
        self.node = Some(NodeRef::Action(action));
        let plan = self
            .plan
            .and_then(|plan| plan.action(self.variant, action.id));
        let Some(plan) = plan.filter(|_| action.pipe.declared.is_empty()) else {
            let value = self.eval_pipe(dot, &action.pipe)?;
            if action.pipe.declared.is_empty() {
                self.node = Some(NodeRef::Action(action));
                return self.print(&value);
            }
            return Ok(());
        };
        let mut args = if plan.joins_arguments {
            // `{{html a b}}`: its arguments are printed side by side before they are escaped.
            let mut args = Vec::new();
            for operand in action
                .pipe
                .commands
                .iter()
                .flat_map(|c| c.args.iter().skip(1))
            {
                args.push(self.eval_arg(dot, Type::ANY, operand)?);
            }
            args
        } else {
            let commands = action
                .pipe
                .commands
                .get(..plan.commands)
                .unwrap_or_default();
            vec![self.eval_commands(dot, &action.pipe, commands)?]
        };
        for escaper in &plan.escapers {
            let text = escaper.apply(&args).or_else(|text| self.fail(text))?;
            args = vec![Value::from(text)];
        }
        self.node = Some(NodeRef::Action(action));
        self.print(args.first().unwrap_or(&Value::Nil))
    }

    fn print(&mut self, value: &Value) -> Result<(), Error> {
        match value {
            Value::String(text) | Value::Safe(_, text) => self.write(text),
            value => {
                let text = printf::printable(value).or_else(|text| self.fail(text))?;
                self.write(&text)
            }
        }
    }

    fn walk_if_or_with(
        &mut self,
        dot: &Value,
        branch: &'t Branch,
        sets_dot: bool,
    ) -> Result<Flow, Error> {
        let mark = self.variables.len();
        let value = self.eval_pipe(dot, &branch.pipe)?;
        let flow = if value.truth() {
            self.walk_block(if sets_dot { &value } else { dot }, &branch.list)?
        } else if let Some(otherwise) = &branch.otherwise {
            self.walk_block(dot, otherwise)?
        } else {
            Flow::On
        };
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn walk_range(&mut self, dot: &Value, branch: &'t Branch) -> Result<Flow, Error> {
        let mark = self.variables.len();
        let value = self.eval_pipe(dot, &branch.pipe)?;
        let body = self.variables.len();
        let mut any = false;
        match &value {
            Value::List(list) => {
                for (i, item) in list.items.iter().enumerate() {
                    any = true;
                    if !self.iterate(branch, &Value::Int(i as i64), item, body)? {
                        break;
                    }
                }
            }
            Value::Map(map) => {
                for (key, item) in map.iter() {
                    any = true;
                    if !self.iterate(branch, &Value::from(Arc::clone(key)), item, body)? {
                        break;
                    }
                }
            }
            Value::Int(_) | Value::Uint(_) | Value::Duration(_) | Value::Named(..) => {
                any = self.range_over_number(branch, &value, body)?;
            }
            Value::Nil => {}
            other => {
                let text = printf::sprint(std::slice::from_ref(other));
                return self.fail(format!(
                    "range can't iterate over {}",
                    text.unwrap_or_default()
                ));
            }
        }
        let flow = match &branch.otherwise {
            Some(otherwise) if !any => self.walk_block(dot, otherwise)?,
            _ => Flow::On,
        };
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn range_over_number(
        &mut self,
        branch: &'t Branch,
        value: &Value,
        body: usize,
    ) -> Result<bool, Error> {
        if branch.pipe.declared.len() > 1 {
            let text = printf::sprint(std::slice::from_ref(value)).unwrap_or_default();
            return self.fail(format!(
                "can't use {text} to iterate over more than one variable"
            ));
        }
        let end = match value {
            Value::Uint(v) => i64::try_from(*v).unwrap_or(i64::MAX),
            other => other.as_int().unwrap_or(0),
        };
        for i in 0..end.max(0) {
            let item = match value {
                Value::Uint(_) => Value::Uint(i as u64),
                Value::Duration(_) => Value::Duration(i),
                _ => Value::Int(i),
            };
            self.step()?;
            if !self.iterate(branch, &Value::Nil, &item, body)? {
                break;
            }
        }
        Ok(end > 0)
    }

    /// One turn of a loop; false when it was left by `{{break}}`.
    fn iterate(
        &mut self,
        branch: &'t Branch,
        index: &Value,
        item: &Value,
        body: usize,
    ) -> Result<bool, Error> {
        let declared = &branch.pipe.declared;
        let (first, second) = (declared.first(), declared.get(1));
        if branch.pipe.is_assign {
            match (first, second) {
                (Some(first), Some(second)) => {
                    self.assign(first, index.clone())?;
                    self.assign(second, item.clone())?;
                }
                (Some(first), None) => self.assign(first, item.clone())?,
                _ => {}
            }
        } else if first.is_some() {
            let top = self.variables.len();
            if let Some((_, value)) = self.variables.get_mut(top - 1) {
                *value = item.clone();
            }
            if second.is_some()
                && let Some((_, value)) = self.variables.get_mut(top.saturating_sub(2))
            {
                *value = index.clone();
            }
        }
        let flow = self.walk_block(item, &branch.list)?;
        self.variables.truncate(body);
        Ok(flow != Flow::Break)
    }

    fn walk_call(&mut self, dot: &Value, call: &'t Call) -> Result<(), Error> {
        self.node = Some(NodeRef::Call(call));
        let Some(tree) = self.trees.get(call.name.as_str()) else {
            return self.fail(format!("template {} not defined", quote(&call.name)));
        };
        let data = match &call.pipe {
            Some(pipe) => self.eval_pipe(dot, pipe)?,
            None => Value::Nil,
        };
        let plan = self.plan;
        let variant = plan
            .and_then(|plan| plan.callee(self.variant, call.id))
            .unwrap_or(&tree.name);
        let outer_tree = self.tree.replace(tree);
        let outer_variant = std::mem::replace(&mut self.variant, variant);
        let outer = std::mem::replace(&mut self.variables, vec![("$", data.clone())]);
        self.walk_block(&data, &tree.root)?;
        self.variables = outer;
        self.variant = outer_variant;
        self.tree = outer_tree;
        Ok(())
    }

    fn assign(&mut self, name: &str, value: Value) -> Result<(), Error> {
        match self.variables.iter_mut().rev().find(|(n, _)| *n == name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => self.fail(format!("undefined variable: {name}")),
        }
    }

    fn eval_pipe(&mut self, dot: &Value, pipe: &'t Pipe) -> Result<Value, Error> {
        let value = self.eval_commands(dot, pipe, &pipe.commands)?;
        for name in &pipe.declared {
            if pipe.is_assign {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    fn eval_commands(
        &mut self,
        dot: &Value,
        pipe: &'t Pipe,
        commands: &'t [Command],
    ) -> Result<Value, Error> {
        self.node = Some(NodeRef::Pipe(pipe));
        self.deeper(|exec| {
            let mut value = None;
            for command in commands {
                exec.step()?;
                value = Some(exec.eval_command(dot, command, value)?);
            }
            Ok(value.unwrap_or(Value::Nil))
        })
    }

    fn eval_command(
        &mut self,
        dot: &Value,
        command: &'t Command,
        last: Option<Value>,
    ) -> Result<Value, Error> {
        let Some(first) = command.args.first() else {
            return self.fail("empty command");
        };
        match first {
            Operand::Field(_, names) => {
                self.node = Some(NodeRef::Operand(first));
                return self.eval_fields(dot, dot.clone(), first, names, &command.args, last);
            }
            Operand::Chain { .. } => return self.eval_chain(dot, first, &command.args, last),
            Operand::Identifier(_, name) => {
                self.node = Some(NodeRef::Operand(first));
                return self.eval_function(
                    dot,
                    name,
                    NodeRef::Command(command),
                    &command.args,
                    last,
                );
            }
            Operand::Pipe(pipe) => {
                self.not_a_function(&command.args, last.as_ref())?;
                return self.eval_pipe(dot, pipe);
            }
            Operand::Variable(..) => return self.eval_variable(dot, first, &command.args, last),
            _ => {}
        }
        self.node = Some(NodeRef::Operand(first));
        self.not_a_function(&command.args, last.as_ref())?;
        match first {
            Operand::Bool(_, v) => Ok(Value::Bool(*v)),
            Operand::Dot(_) => Ok(dot.clone()),
            Operand::Nil(_) => self.fail("nil is not a command"),
            Operand::Number(_, number) => self.ideal_constant(number),
            Operand::String { text, .. } => Ok(Value::from(Arc::clone(text))),
            other => self.fail(format!(
                "can't evaluate command {}",
                quote(&other.to_string())
            )),
        }
    }

    fn not_a_function(&self, args: &[Operand], last: Option<&Value>) -> Result<(), Error> {
        if args.len() > 1 || last.is_some() {
            let name = args.first().map(ToString::to_string).unwrap_or_default();
            return self.fail(format!("can't give argument to non-function {name}"));
        }
        Ok(())
    }

    fn ideal_constant(&self, number: &Number) -> Result<Value, Error> {
        if number.reads_as_float()
            && let Some(v) = number.float
        {
            return Ok(Value::Float(v));
        }
        match number.int {
            Some(v) => Ok(Value::Int(v)),
            None => self.fail(format!("{} overflows int", number.text)),
        }
    }

    fn eval_chain(
        &mut self,
        dot: &Value,
        operand: &'t Operand,
        args: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value, Error> {
        let Operand::Chain { node, fields, .. } = operand else {
            return self.fail("internal error: no fields in a chain");
        };
        self.node = Some(NodeRef::Operand(operand));
        if matches!(**node, Operand::Nil(_)) {
            return self.fail(format!("indirection through explicit nil in {operand}"));
        }
        let receiver = self.eval_arg(dot, Type::ANY, node)?;
        self.eval_fields(dot, receiver, operand, fields, args, last)
    }

    fn eval_variable(
        &mut self,
        dot: &Value,
        operand: &'t Operand,
        args: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value, Error> {
        let Operand::Variable(_, names) = operand else {
            return self.fail("internal error: no variable");
        };
        self.node = Some(NodeRef::Operand(operand));
        let (name, fields) = names
            .split_first()
            .map_or(("", &names[..]), |(n, f)| (n.as_str(), f));
        let found = self.variables.iter().rev().find(|(n, _)| *n == name);
        let Some((_, value)) = found else {
            return self.fail(format!("undefined variable: {name}"));
        };
        let value = value.clone();
        if fields.is_empty() {
            self.not_a_function(args, last.as_ref())?;
            return Ok(value);
        }
        self.eval_fields(dot, value, operand, fields, args, last)
    }

    /// Walks `.X.Y.Z` from `receiver`; a method at the end gets the arguments.
    fn eval_fields(
        &mut self,
        dot: &Value,
        mut receiver: Value,
        node: &'t Operand,
        names: &'t [String],
        args: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value, Error> {
        let Some((end, front)) = names.split_last() else {
            return Ok(receiver);
        };
        for name in front {
            receiver = self.eval_field(dot, &receiver, node, name, &[], None)?;
        }
        self.eval_field(dot, &receiver, node, end, args, last)
    }

    fn eval_field(
        &mut self,
        dot: &Value,
        receiver: &Value,
        node: &'t Operand,
        name: &'t str,
        args: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value, Error> {
        if matches!(receiver, Value::Nil) {
            if self.missing_key == MissingKey::Error {
                return self.fail(format!("nil data; no entry for key {}", quote(name)));
            }
            return Ok(Value::Nil);
        }
        if let Some(method) = receiver.method(name) {
            return self.call(dot, &method, NodeRef::Operand(node), name, args, last);
        }
        let has_args = args.len() > 1 || last.is_some();
        match receiver {
            Value::Object(object) => {
                if let Some(value) = object.field(name) {
                    if has_args {
                        return self.fail(format!(
                            "{name} has arguments but cannot be invoked as function"
                        ));
                    }
                    return Ok(value);
                }
            }
            Value::Map(map) => {
                if has_args {
                    return self.fail(format!("{name} is not a method but has arguments"));
                }
                return match map.get(name) {
                    Some(value) => Ok(value.clone()),
                    None if self.missing_key == MissingKey::Error => {
                        self.fail(format!("map has no entry for key {}", quote(name)))
                    }
                    None => Ok(map.zero()),
                };
            }
            _ => {}
        }
        self.fail(format!(
            "can't evaluate field {name} in type {}",
            receiver.type_name()
        ))
    }

    fn eval_function(
        &mut self,
        dot: &Value,
        name: &'t str,
        node: NodeRef<'t>,
        args: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value, Error> {
        let functions = self.functions;
        let Some(function) = functions.get(name) else {
            return self.fail(format!("{} is not a defined function", quote(name)));
        };
        if name == "and" || name == "or" {
            return self.eval_and_or(dot, name, args, last);
        }
        self.call(dot, function, node, name, args, last)
    }

    /// `and` and `or` stop at the first argument that decides.
    fn eval_and_or(
        &mut self,
        dot: &Value,
        name: &str,
        args: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value, Error> {
        let args = args.get(1..).unwrap_or_default();
        if args.is_empty() && last.is_none() {
            return self.fail(format!(
                "wrong number of args for {name}: want at least 1 got 0"
            ));
        }
        let mut value = Value::Nil;
        for arg in args {
            value = self.eval_arg(dot, Type::ANY, arg)?;
            if value.truth() == (name == "or") {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    /// Checks and evaluates the arguments, then calls. The first of `args` is the function itself.
    fn call(
        &mut self,
        dot: &Value,
        function: &Function<'_>,
        node: NodeRef<'t>,
        name: &str,
        args: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value, Error> {
        let args = args.get(1..).unwrap_or_default();
        let given = args.len() + usize::from(last.is_some());
        let fixed = function.params.len();
        if function.variadic.is_some() {
            if given < fixed {
                return self.fail(format!(
                    "wrong number of args for {name}: want at least {fixed} got {}",
                    args.len()
                ));
            }
        } else if given != fixed {
            return self.fail(format!(
                "wrong number of args for {name}: want {fixed} got {given}"
            ));
        }
        let parameter = |at: usize| {
            function
                .params
                .get(at)
                .copied()
                .or(function.variadic)
                .unwrap_or(Type::ANY)
        };
        let mut values = Vec::with_capacity(given);
        for (at, arg) in args.iter().enumerate() {
            values.push(self.eval_arg(dot, parameter(at), arg)?);
        }
        if let Some(value) = last {
            values.push(self.validate(value, parameter(args.len()))?);
        }
        function.call(&values).or_else(|text| {
            self.node = Some(node);
            // compat: the callee is named as it stands in the template.
            let callee = args.first().map_or_else(
                || printf::sprint(values.get(..1).unwrap_or_default()).unwrap_or_default(),
                ToString::to_string,
            );
            let text = text.replace(CALLEE, &callee);
            self.fail(format!("error calling {name}: {text}"))
        })
    }

    /// Checks that a value fits a parameter.
    fn validate(&self, value: Value, ty: Type) -> Result<Value, Error> {
        if matches!(value, Value::Nil) {
            if ty.can_be_nil() {
                return Ok(value);
            }
            return self.fail(format!("invalid value; expected {}", ty.name));
        }
        if ty.accepts(&value) {
            return Ok(value);
        }
        self.fail(format!(
            "wrong type for value; expected {}; got {}",
            ty.name,
            value.type_name()
        ))
    }

    fn eval_arg(&mut self, dot: &Value, ty: Type, operand: &'t Operand) -> Result<Value, Error> {
        self.node = Some(NodeRef::Operand(operand));
        let value = match operand {
            Operand::Dot(_) => dot.clone(),
            Operand::Nil(_) => {
                if ty.can_be_nil() {
                    return Ok(Value::Nil);
                }
                return self.fail(format!("cannot assign nil to {}", ty.name));
            }
            Operand::Field(_, names) => {
                self.eval_fields(dot, dot.clone(), operand, names, &[], None)?
            }
            Operand::Variable(..) => self.eval_variable(dot, operand, &[], None)?,
            Operand::Pipe(pipe) => self.eval_pipe(dot, pipe)?,
            Operand::Identifier(_, name) => {
                self.eval_function(dot, name, NodeRef::Operand(operand), &[], None)?
            }
            Operand::Chain { .. } => self.eval_chain(dot, operand, &[], None)?,
            constant => return self.constant_arg(ty, constant),
        };
        self.validate(value, ty)
    }

    /// A constant where a type is expected.
    fn constant_arg(&self, ty: Type, operand: &Operand) -> Result<Value, Error> {
        let value = match (ty.kind, operand) {
            (Kind::Bool | Kind::Interface, Operand::Bool(_, v)) => Some(Value::Bool(*v)),
            (Kind::Interface, Operand::Number(_, number)) => return self.ideal_constant(number),
            (Kind::String | Kind::Interface, Operand::String { text, .. }) => {
                Some(Value::from(Arc::clone(text)))
            }
            (Kind::Int, Operand::Number(_, number)) => number.int.map(|v| {
                if ty == Type::DURATION {
                    Value::Duration(v)
                } else {
                    Value::Int(v)
                }
            }),
            (Kind::Uint, Operand::Number(_, number)) => number.uint.map(Value::Uint),
            (Kind::Float, Operand::Number(_, number)) => number.float.map(Value::Float),
            _ => None,
        };
        if let Some(value) = value {
            return Ok(value);
        }
        let expected = match ty.kind {
            Kind::Bool => "bool",
            Kind::String => "string",
            Kind::Int => "integer",
            Kind::Uint => "unsigned integer",
            Kind::Float => "float",
            _ => {
                return self.fail(format!(
                    "can't handle {operand} for arg of type {}",
                    ty.name
                ));
            }
        };
        self.fail(format!("expected {expected}; found {operand}"))
    }
}
