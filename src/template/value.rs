use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::function::{Function, Kind, Type};
use super::gotime::Time;

/// How deep lists and maps may be nested in each other.
pub(crate) const DEPTH_MAX: usize = 64;

/// What a template computes with. Strings are UTF-8; Go's could hold other bytes.
#[derive(Debug, Clone)]
pub enum Value {
    /// An untyped nil, which prints as `<no value>` in an action and `<nil>` in `printf`.
    Nil,
    /// A truth value.
    Bool(bool),
    /// An `int`.
    Int(i64),
    /// A `uint64`.
    Uint(u64),
    /// A `float64`.
    Float(f64),
    /// A string.
    String(Arc<str>),
    /// A string that is known to be safe in one place of a page.
    Safe(SafeKind, Arc<str>),
    /// A number with a name of its own, such as a month.
    Named(&'static str, i64, &'static str),
    /// A `time.Time`.
    Time(Time),
    /// A `time.Duration` in nanoseconds.
    Duration(i64),
    /// A slice.
    List(List),
    /// A map from strings.
    Map(Map),
    /// A struct, or a pointer to one.
    Object(Arc<dyn Object>),
}

/// Where a string is safe without escaping, as the types of `html/template` say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SafeKind {
    /// `template.HTML`.
    Html,
    /// `template.URL`.
    Url,
}

impl SafeKind {
    const fn type_name(self) -> &'static str {
        match self {
            Self::Html => "template.HTML",
            Self::Url => "template.URL",
        }
    }
}

/// Structured data: fields and methods by name.
pub trait Object: fmt::Debug + Send + Sync {
    /// Go's name of the type, with a star for pointers.
    fn type_name(&self) -> &'static str;
    /// The exported fields in order.
    fn fields(&self) -> Vec<(&'static str, Value)>;
    /// A field.
    fn field(&self, name: &str) -> Option<Value> {
        self.fields()
            .into_iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value)
    }
    /// A method, bound to this object.
    fn method(&self, name: &str) -> Option<Function<'static>> {
        let _ = name;
        None
    }
    /// The keys of the fields in JSON, in order, when they differ from the fields' names.
    fn json_fields(&self) -> Vec<(&'static str, Value)> {
        self.fields()
    }
}

/// What all slices of one type have in common.
#[derive(Debug)]
pub struct ListType {
    /// Go's name of the type.
    pub name: &'static str,
    /// The type of the elements.
    pub element: Type,
    /// The methods.
    pub method: fn(&List, &str) -> Option<Function<'static>>,
    /// How it prints, when it has a `String` method.
    pub text: Option<fn(&List) -> String>,
}

fn no_list_method(_: &List, _: &str) -> Option<Function<'static>> {
    None
}

impl ListType {
    /// A slice type without methods.
    pub const fn plain(name: &'static str, element: Type) -> Self {
        Self {
            name,
            element,
            method: no_list_method,
            text: None,
        }
    }
}

/// `[]interface {}`.
pub(crate) static ANYS: ListType = ListType::plain("[]interface {}", Type::ANY);
/// `[]string`.
pub(crate) static STRINGS: ListType = ListType::plain("[]string", Type::STRING);

/// A slice.
#[derive(Debug, Clone)]
pub struct List {
    /// Its type.
    pub ty: &'static ListType,
    /// Its elements.
    pub items: Arc<[Value]>,
    depth: usize,
}

impl List {
    /// A slice of a type.
    pub fn new(ty: &'static ListType, items: Vec<Value>) -> Self {
        let depth = 1 + items.iter().map(Value::depth).max().unwrap_or(0);
        Self {
            ty,
            items: items.into(),
            depth,
        }
    }

    /// A `[]string`.
    pub fn strings<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Self {
        Self::new(
            &STRINGS,
            texts
                .into_iter()
                .map(|text| Value::from(text.as_ref()))
                .collect(),
        )
    }
}

/// What all maps of one type have in common.
#[derive(Debug)]
pub struct MapType {
    /// Go's name of the type.
    pub name: &'static str,
    /// The type of the values.
    pub element: Type,
    /// The methods.
    pub method: fn(&Map, &str) -> Option<Function<'static>>,
    /// How it prints, when it has a `String` method.
    pub text: Option<fn(&Map) -> String>,
}

fn no_map_method(_: &Map, _: &str) -> Option<Function<'static>> {
    None
}

impl MapType {
    /// A map type without methods.
    pub const fn plain(name: &'static str, element: Type) -> Self {
        Self {
            name,
            element,
            method: no_map_method,
            text: None,
        }
    }
}

/// `map[string]interface {}`.
pub(crate) static ANY_MAP: MapType = MapType::plain("map[string]interface {}", Type::ANY);
/// `map[string]string`.
pub(crate) static STRING_MAP: MapType = MapType::plain("map[string]string", Type::STRING);

/// A map from strings.
#[derive(Debug, Clone)]
pub struct Map {
    /// Its type.
    pub ty: &'static MapType,
    /// Its entries; `None` is Go's nil map.
    pub entries: Option<Arc<BTreeMap<Arc<str>, Value>>>,
    depth: usize,
}

impl Map {
    /// A map of a type.
    pub fn new(ty: &'static MapType, entries: BTreeMap<Arc<str>, Value>) -> Self {
        let depth = 1 + entries.values().map(Value::depth).max().unwrap_or(0);
        Self {
            ty,
            entries: Some(Arc::new(entries)),
            depth,
        }
    }

    /// The nil map of a type.
    pub const fn nil(ty: &'static MapType) -> Self {
        Self {
            ty,
            entries: None,
            depth: 1,
        }
    }

    /// A map of texts.
    pub fn texts<'a>(
        ty: &'static MapType,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        Self::new(
            ty,
            pairs
                .into_iter()
                .map(|(name, value)| (Arc::from(name), Value::from(value)))
                .collect(),
        )
    }

    /// The entries, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        self.entries.iter().flat_map(|entries| entries.iter())
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.as_ref()?.get(key)
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.as_ref().map_or(0, |entries| entries.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What stands for a missing key: the zero value of the elements' type.
    pub(crate) fn zero(&self) -> Value {
        zero(self.ty.element)
    }
}

/// The zero value of a type, as far as it is known here.
pub(crate) fn zero(ty: Type) -> Value {
    match ty.kind {
        Kind::Bool => Value::Bool(false),
        Kind::Int => Value::Int(0),
        Kind::Uint => Value::Uint(0),
        Kind::Float => Value::Float(0.0),
        Kind::String => Value::from(""),
        Kind::Slice if ty.name == STRINGS.name => Value::List(List::new(&STRINGS, Vec::new())),
        Kind::Slice if ty.name == ANYS.name => Value::List(List::new(&ANYS, Vec::new())),
        Kind::Map if ty.name == STRING_MAP.name => Value::Map(Map::nil(&STRING_MAP)),
        _ => Value::Nil,
    }
}

impl Value {
    /// Go's name of the value's type; `<nil>` for nil.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint64",
            Self::Float(_) => "float64",
            Self::String(_) => "string",
            Self::Safe(kind, _) => kind.type_name(),
            Self::Named(name, ..) => name,
            Self::Time(_) => "time.Time",
            Self::Duration(_) => "time.Duration",
            Self::List(list) => list.ty.name,
            Self::Map(map) => map.ty.name,
            Self::Object(object) => object.type_name(),
        }
    }

    /// The value's kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Nil => Kind::Invalid,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) | Self::Named(..) | Self::Duration(_) => Kind::Int,
            Self::Uint(_) => Kind::Uint,
            Self::Float(_) => Kind::Float,
            Self::String(_) | Self::Safe(..) => Kind::String,
            Self::List(_) => Kind::Slice,
            Self::Map(_) => Kind::Map,
            Self::Time(_) => Kind::Struct,
            Self::Object(object) if object.type_name().starts_with('*') => Kind::Pointer,
            Self::Object(_) => Kind::Struct,
        }
    }

    /// The text of a string of any type.
    pub fn as_text(&self) -> Option<Arc<str>> {
        match self {
            Self::String(text) | Self::Safe(_, text) => Some(Arc::clone(text)),
            _ => None,
        }
    }

    /// The number of a signed integer of any type.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(v) | Self::Named(_, v, _) | Self::Duration(v) => Some(*v),
            _ => None,
        }
    }

    /// Whether the value counts as true: not zero, not empty, not nil.
    pub fn truth(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(v) => *v,
            Self::Int(v) | Self::Named(_, v, _) | Self::Duration(v) => *v != 0,
            Self::Uint(v) => *v != 0,
            Self::Float(v) => *v != 0.0,
            Self::String(text) | Self::Safe(_, text) => !text.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Time(_) | Self::Object(_) => true,
        }
    }

    /// A method of the value, bound to it.
    pub(crate) fn method(&self, name: &str) -> Option<Function<'static>> {
        match self {
            Self::Time(time) => super::gotime::time_method(time, name),
            Self::Duration(ns) => super::gotime::duration_method(*ns, name),
            Self::Named(_, _, text) if name == "String" => {
                let text = *text;
                Some(Function::new(&[], move |_| Ok(Value::from(text))))
            }
            Self::List(list) => (list.ty.method)(list, name),
            Self::Map(map) => (map.ty.method)(map, name),
            Self::Object(object) => object.method(name),
            _ => None,
        }
    }

    /// The text of the value's `String` method, if its type has one.
    pub(crate) fn stringer(&self) -> Option<String> {
        match self {
            Self::Time(time) => Some(time.to_string()),
            Self::Duration(ns) => Some(super::gotime::format_duration(*ns)),
            Self::Named(_, _, text) => Some((*text).to_owned()),
            Self::List(list) => list.ty.text.map(|text| text(list)),
            Self::Map(map) => map.ty.text.map(|text| text(map)),
            _ => None,
        }
    }

    /// How many lists and maps are nested in each other.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::List(list) => list.depth,
            Self::Map(map) => map.depth,
            _ => 0,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<Arc<str>> for Value {
    fn from(text: Arc<str>) -> Self {
        Self::String(text)
    }
}
