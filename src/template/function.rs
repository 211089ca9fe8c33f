use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::value::Value;

/// Go's kinds, as far as templates can tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: an untyped nil.
    Invalid,
    /// `bool`.
    Bool,
    /// Signed integers, `time.Duration` included.
    Int,
    /// Unsigned integers.
    Uint,
    /// `float64`.
    Float,
    /// Strings, named ones included.
    String,
    /// `interface{}`, as a parameter.
    Interface,
    /// Slices.
    Slice,
    /// Maps with string keys.
    Map,
    /// Structs.
    Struct,
    /// Pointers to structs.
    Pointer,
}

/// A Go type as it appears in signatures and in error texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Type {
    /// Go's spelling, such as `[]string`.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
}

impl Type {
    /// A type of this name and kind.
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind }
    }

    /// `interface{}`: everything fits.
    pub const ANY: Self = Self::new("interface {}", Kind::Interface);
    /// `string`.
    pub const STRING: Self = Self::new("string", Kind::String);
    /// `int`.
    pub const INT: Self = Self::new("int", Kind::Int);
    /// `float64`.
    pub const FLOAT: Self = Self::new("float64", Kind::Float);
    /// `[]string`.
    pub const STRINGS: Self = Self::new("[]string", Kind::Slice);
    /// `[]interface {}`.
    pub const ANYS: Self = Self::new("[]interface {}", Kind::Slice);
    /// `time.Time`.
    pub const TIME: Self = Self::new("time.Time", Kind::Struct);
    /// `time.Duration`.
    pub const DURATION: Self = Self::new("time.Duration", Kind::Int);

    /// Whether an untyped nil can stand for the type.
    pub(crate) fn can_be_nil(self) -> bool {
        matches!(
            self.kind,
            Kind::Interface | Kind::Slice | Kind::Map | Kind::Pointer
        )
    }

    /// Whether a value may be passed where this type is declared.
    pub(crate) fn accepts(self, value: &Value) -> bool {
        self.kind == Kind::Interface || self.name == value.type_name()
    }
}

type Body<'a> = dyn Fn(&[Value]) -> Result<Value, String> + 'a;

/// A function that templates can call, or a method bound to its receiver.
#[derive(Clone)]
pub struct Function<'a> {
    pub(crate) params: &'static [Type],
    pub(crate) variadic: Option<Type>,
    body: Rc<Body<'a>>,
}

impl<'a> Function<'a> {
    /// A function of a fixed number of parameters. The engine checks number and types before it calls.
    pub fn new(
        params: &'static [Type],
        body: impl Fn(&[Value]) -> Result<Value, String> + 'a,
    ) -> Self {
        Self {
            params,
            variadic: None,
            body: Rc::new(body),
        }
    }

    /// A function whose last parameter may be given any number of times.
    pub fn variadic(
        params: &'static [Type],
        rest: Type,
        body: impl Fn(&[Value]) -> Result<Value, String> + 'a,
    ) -> Self {
        Self {
            params,
            variadic: Some(rest),
            body: Rc::new(body),
        }
    }

    /// A function from one string to another.
    pub fn text(body: impl Fn(&str) -> String + 'a) -> Self {
        Self::new(&[Type::STRING], move |args| {
            Ok(Value::from(body(&text(args, 0))))
        })
    }

    pub(crate) fn call(&self, args: &[Value]) -> Result<Value, String> {
        (self.body)(args)
    }
}

impl fmt::Debug for Function<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("params", &self.params)
            .field("variadic", &self.variadic)
            .finish_non_exhaustive()
    }
}

/// The string argument at a place; empty when it is not one, which the engine has excluded.
pub(crate) fn text(args: &[Value], at: usize) -> Arc<str> {
    args.get(at)
        .and_then(Value::as_text)
        .unwrap_or_else(|| Arc::from(""))
}

/// The functions a template may call, by name.
#[derive(Debug, Clone)]
pub struct FunctionSet<'a> {
    functions: BTreeMap<&'static str, Function<'a>>,
}

impl<'a> FunctionSet<'a> {
    /// Go's builtin functions alone.
    pub fn new() -> Self {
        Self {
            functions: super::builtins::all(),
        }
    }

    /// Adds a function; it replaces one of the same name.
    pub fn insert(&mut self, name: &'static str, function: Function<'a>) -> &mut Self {
        self.functions.insert(name, function);
        self
    }

    /// The function of a name.
    pub fn get(&self, name: &str) -> Option<&Function<'a>> {
        self.functions.get(name)
    }

    /// Whether there is a function of a name.
    pub fn contains(&self, name: &str) -> bool {
        self.functions.contains_key(name)
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.functions.keys().copied()
    }
}

impl Default for FunctionSet<'_> {
    fn default() -> Self {
        Self::new()
    }
}
