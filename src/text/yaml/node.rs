use std::sync::Arc;

use smol_str::SmolStr;

use super::place;

/// One document of a YAML text.
#[derive(Debug, Clone)]
pub struct Document {
    /// The outermost node; null when the document is empty.
    pub root: Node,
    /// The whole text that the document was read from.
    pub source: Arc<str>,
}

impl Document {
    /// Where the byte at `offset` of a scalar's value stands in the text. Understands every scalar
    /// style: indentation of block scalars, folding, quotes and escapes. Past the end, or for other
    /// nodes, it answers the nearest place that exists.
    pub fn place_in_scalar(&self, node: &Node, offset: usize) -> Place {
        place::in_scalar(&self.source, node, offset)
    }
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Bytes from the beginning.
    pub offset: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A stretch of text, the end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Where it begins.
    pub start: Place,
    /// Where it ends.
    pub end: Place,
}

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: the only style that can be something else than a string.
    Plain,
    /// `'single'`
    SingleQuoted,
    /// `"double"`
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// A value with its place. Aliases are resolved to copies that keep the place of the anchor.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Its explicit tag, such as `!!str` or `!mine`.
    pub tag: Option<Box<str>>,
    /// Where it stands.
    pub span: Span,
}

/// The three kinds of node.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A text whose meaning its reader decides.
    Scalar {
        /// The value: unquoted, unescaped, unfolded.
        text: SmolStr,
        /// How it was written.
        style: Style,
    },
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping in the order of the text; merged entries (`<<`) come last, and only those whose key
    /// was not given. Keys given twice are kept: the decoder reports them.
    Mapping(Vec<Entry>),
}

/// An entry of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Node,
    /// The value.
    pub value: Node,
    /// Whether it came through a merge key.
    pub merged: bool,
}

impl Node {
    /// A null at a place.
    pub(super) fn null(span: Span) -> Self {
        Self {
            kind: Kind::Scalar {
                text: SmolStr::default(),
                style: Style::Plain,
            },
            tag: None,
            span,
        }
    }

    /// Whether the node is a plain `~`, `null` or nothing.
    pub fn is_null(&self) -> bool {
        match (&self.kind, self.tag.as_deref()) {
            (_, Some("!!null")) => true,
            (
                Kind::Scalar {
                    text,
                    style: Style::Plain,
                },
                None,
            ) => matches!(&**text, "" | "~" | "null" | "Null" | "NULL"),
            _ => false,
        }
    }

    /// The text of a scalar, whatever it may mean.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The style of a scalar.
    pub fn style(&self) -> Option<Style> {
        match self.kind {
            Kind::Scalar { style, .. } => Some(style),
            _ => None,
        }
    }

    /// The items of a sequence.
    pub fn as_sequence(&self) -> Option<&[Self]> {
        match &self.kind {
            Kind::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a mapping.
    pub fn as_mapping(&self) -> Option<&[Entry]> {
        match &self.kind {
            Kind::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of the first entry of a mapping with this key.
    pub fn entry(&self, key: &str) -> Option<&Self> {
        self.as_mapping()?
            .iter()
            .find(|entry| entry.key.as_str() == Some(key))
            .map(|entry| &entry.value)
    }

    /// Nodes in this tree, itself included.
    pub(super) fn count(&self) -> usize {
        match &self.kind {
            Kind::Scalar { .. } => 1,
            Kind::Sequence(items) => 1 + items.iter().map(Self::count).sum::<usize>(),
            Kind::Mapping(entries) => {
                1 + entries
                    .iter()
                    .map(|entry| entry.key.count() + entry.value.count())
                    .sum::<usize>()
            }
        }
    }
}
