use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use smol_str::SmolStr;

use super::body::{Body, end_of_quoted};
use super::node::{Document, Entry, Kind, Node, Place, Span, Style};
use super::pieces::{self, Piece};
use super::problem::{Problem, ProblemKind};

/// Collections nested deeper than this are refused.
pub const DEPTH_MAX: usize = 256;

/// Nodes that aliases and merge keys may copy in one text.
const COPIES_MAX: usize = 500_000;

/// Places that one text may have which the parser refuses and go-yaml does not. Each costs a pass: a short text may have
/// more.
const REPAIRS_MAX: usize = 64;
/// Bytes that all passes together may read.
const PASSES_BYTES_MAX: usize = 32 << 20;

/// Reads all documents of a text.
pub fn parse(text: &str) -> Result<Vec<Document>, Problem> {
    documents(text, usize::MAX)
}

fn documents(text: &str, wanted: usize) -> Result<Vec<Document>, Problem> {
    Reader::new(text)
        .and_then(|reader| reader.documents(wanted))
        .map_err(|problem| problem.of_kind(ProblemKind::Syntax))
}

/// Reads the first document; what follows it is not looked at.
///
/// compat: go-yaml's `Unmarshal` does the same. An empty text is a null document.
pub fn parse_first(text: &str) -> Result<Document, Problem> {
    if let Some(document) = pieces::parse_first(text) {
        return Ok(document);
    }
    parse_whole(text)
}

/// As [`parse_first`], always at a stretch.
pub(super) fn parse_whole(text: &str) -> Result<Document, Problem> {
    let first = documents(text, 1)?.pop();
    Ok(first.unwrap_or_else(|| Document {
        root: Node::null(start_of_text()),
        source: Arc::from(text),
    }))
}

/// The text in `bytes`, or where it stops being UTF-8.
pub fn utf8(bytes: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(bytes).map_err(|error| {
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            let problem = Problem::new(start_of_text(), "yaml: the text is UTF-16, not UTF-8");
            return problem
                .of_kind(ProblemKind::Syntax)
                .with_hint("save it as UTF-8; PowerShell does so with `-Encoding utf8`");
        }
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let good = std::str::from_utf8(good).unwrap_or_default();
        let line_start = good.rfind('\n').map_or(0, |at| at + 1);
        let place = Place {
            offset: good.len(),
            line: good.bytes().filter(|b| *b == b'\n').count() + 1,
            column: good[line_start..].chars().count() + 1,
        };
        Problem::at(place, "yaml: invalid leading UTF-8 octet").of_kind(ProblemKind::Syntax)
    })
}

fn start_of_text() -> Span {
    let start = Place {
        offset: 0,
        line: 1,
        column: 1,
    };
    Span { start, end: start }
}

/// What the parser says of a tab between a colon and a value.
const TAB_BEFORE_VALUE: &str = "':' must be followed by a valid YAML whitespace";

/// compat: go-yaml reads texts that say they are YAML 1.1 or say nothing, and knows no directives but two.
fn foreign_directive(body: &str, skipped: usize) -> Option<Problem> {
    let mut offset = 0;
    for (number, line) in body.split_inclusive('\n').enumerate() {
        let mut words = line.split_whitespace();
        let message = match words.next() {
            Some("%YAML") if words.next() != Some("1.1") => "found incompatible YAML document",
            Some("%YAML" | "%TAG") | None => "",
            Some(word) if word.starts_with('#') => "",
            Some(_) if line.starts_with('%') => "found unknown directive name",
            Some(_) => return None,
        };
        if !message.is_empty() {
            let place = Place {
                offset: offset + skipped,
                line: number + 1,
                column: 1,
            };
            let problem = Problem::at(place, format!("yaml: line {}: {message}", number + 1));
            return Some(problem.with_hint("leave the line away, as all do: the text is YAML 1.1"));
        }
        offset += line.len();
    }
    None
}

/// A collection that is not closed yet.
struct Open {
    is_mapping: bool,
    tag: Option<Box<str>>,
    span: Span,
    anchor: usize,
    /// How many finished nodes belong to the collections around it.
    before: usize,
}

pub(super) struct Reader<'t> {
    text: &'t str,
    body: Body<'t>,
    open: Vec<Open>,
    /// The finished nodes of all open collections, keys and values in turn. A collection takes its own when
    /// it is closed: it then knows how many they are, and nothing grows or shrinks in steps.
    finished: Vec<Node>,
    /// Finished anchors and the nodes in each.
    anchors: BTreeMap<usize, (Node, usize)>,
    copies: usize,
}

/// Why a pass over the text ended early.
enum Halt {
    Problem(Problem),
    /// A quoted scalar that begins at this character goes on at too small an indentation.
    Quoted(Marker),
    /// What stands at this character is parted from the colon before it by a tab.
    Tab(Marker),
}

impl From<Problem> for Halt {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Result<Self, Problem> {
        let body = text.strip_prefix('\u{feff}').unwrap_or(text);
        let skipped = text.len() - body.len();
        // compat: go-yaml's reader refuses what YAML calls not printable.
        let mut others = if is_plain(body) {
            "".char_indices()
        } else {
            body.char_indices()
        };
        if let Some((offset, _)) = others.find(|(_, c)| !is_allowed(*c)) {
            let line_start = body[..offset].rfind('\n').map_or(0, |at| at + 1);
            let place = Place {
                offset: offset + skipped,
                line: body[..offset].bytes().filter(|b| *b == b'\n').count() + 1,
                column: body[line_start..offset].chars().count() + 1,
            };
            return Err(Problem::at(
                place,
                "yaml: control characters are not allowed",
            ));
        }
        if let Some(problem) = foreign_directive(body, skipped) {
            return Err(problem);
        }
        Ok(Self {
            text,
            body: Body::new(body, skipped),
            open: Vec::new(),
            finished: Vec::new(),
            anchors: BTreeMap::new(),
            copies: 0,
        })
    }

    fn documents(mut self, wanted: usize) -> Result<Vec<Document>, Problem> {
        let passes_max = REPAIRS_MAX.max(PASSES_BYTES_MAX / self.text.len().max(1));
        for _ in 0..=passes_max {
            let text = self.body.text.clone();
            match self.pass(&text, wanted) {
                Ok(roots) => {
                    let source: Arc<str> = Arc::from(self.text);
                    let document = |root| Document {
                        root,
                        source: Arc::clone(&source),
                    };
                    return Ok(roots.into_iter().map(document).collect());
                }
                Err(Halt::Problem(problem)) => return Err(problem),
                Err(Halt::Quoted(start)) if self.body.indent(start) => self.begin_again(),
                Err(Halt::Tab(value)) if self.body.untab(value) => self.begin_again(),
                Err(Halt::Quoted(start)) => {
                    let text = "yaml: invalid indentation in quoted scalar";
                    return Err(Problem::at(self.place(start), text));
                }
                Err(Halt::Tab(value)) => {
                    let text = format!("yaml: {TAB_BEFORE_VALUE}");
                    return Err(Problem::at(self.place(value), text));
                }
            }
        }
        let text = "yaml: too many quoted scalars that are not indented, or tabs after colons";
        Err(Problem::new(start_of_text(), text))
    }

    fn begin_again(&mut self) {
        self.open.clear();
        self.finished.clear();
        self.anchors.clear();
        self.copies = 0;
    }

    /// Reads `piece`, whose text with the head in front is `joined`.
    pub(super) fn of_piece(joined: &'t str, piece: &Piece<'t>) -> Option<Self> {
        let mut reader = Self::new(joined).ok()?;
        reader.body.stands_in(piece);
        reader.text = piece.text;
        Some(reader)
    }

    /// The root of the first document. Nothing when there is a mistake, or anything that could make a
    /// difference to what stands elsewhere in the text.
    pub(super) fn only_document(mut self) -> Option<Node> {
        let text = self.body.text.clone();
        let root = self.pass(&text, 1).ok()?.pop()?;
        (self.anchors.is_empty() && self.copies == 0).then_some(root)
    }

    /// The roots of the first so many documents.
    fn pass(&mut self, body: &str, wanted: usize) -> Result<Vec<Node>, Halt> {
        let mut roots = Vec::new();
        let mut root = None;
        for event in Parser::new_from_str(body) {
            let (event, span) = event.map_err(|error| {
                match error.info() {
                    "invalid indentation in quoted scalar" => {
                        return Halt::Quoted(*error.marker());
                    }
                    TAB_BEFORE_VALUE => return Halt::Tab(*error.marker()),
                    _ => {}
                }
                let place = self.place(*error.marker());
                Halt::Problem(tab_after(self.text, place).unwrap_or_else(|| {
                    let text = format!("yaml: line {}: {}", place.line, error.info());
                    Problem::at(place, text)
                }))
            })?;
            let span = Span {
                start: self.place(span.start),
                end: self.place(span.end),
            };
            let done = match event {
                Event::DocumentStart(_) => {
                    root = None;
                    self.anchors.clear();
                    continue;
                }
                Event::DocumentEnd => {
                    roots.push(root.take().unwrap_or_else(|| Node::null(span)));
                    if roots.len() >= wanted {
                        break;
                    }
                    continue;
                }
                Event::Nothing | Event::StreamStart | Event::StreamEnd => continue,
                Event::Alias(anchor) => Some((self.copy_of(anchor, span)?, 0)),
                Event::Scalar(text, style, anchor, tag) => {
                    let span = self.without_what_follows(span, style);
                    let node = Node {
                        kind: Kind::Scalar {
                            text: SmolStr::new(&*text),
                            style: style_of(style),
                        },
                        tag: tag.map(|tag| short_tag(&tag)),
                        span,
                    };
                    Some((node, anchor))
                }
                Event::SequenceStart(anchor, tag) => {
                    self.push(false, span, anchor, tag.as_deref())?;
                    None
                }
                Event::MappingStart(anchor, tag) => {
                    self.push(true, span, anchor, tag.as_deref())?;
                    None
                }
                Event::SequenceEnd | Event::MappingEnd => self.pop(span)?,
            };
            if let Some((node, anchor)) = done {
                root = self.attach(node, anchor).or(root);
            }
        }
        Ok(roots)
    }

    fn place(&self, marker: Marker) -> Place {
        self.body.place(self.text, marker)
    }

    /// The parser lets block and quoted scalars end where the next token begins.
    fn without_what_follows(&self, span: Span, style: ScalarStyle) -> Span {
        let raw = self.text.get(span.start.offset..span.end.offset);
        let raw = raw.and_then(|raw| match style {
            ScalarStyle::Literal | ScalarStyle::Folded => Some(raw.trim_end()),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => raw
                .get(..end_of_quoted(raw))
                .filter(|_| raw.starts_with(['"', '\''])),
            ScalarStyle::Plain => None,
        });
        let Some(raw) = raw else {
            return span;
        };
        let last_line = raw.rfind('\n').map_or(raw, |at| &raw[at + 1..]);
        let lines = raw.bytes().filter(|b| *b == b'\n').count();
        let column = if lines == 0 { span.start.column } else { 1 };
        let end = Place {
            offset: span.start.offset + raw.len(),
            line: span.start.line + lines,
            column: column + last_line.chars().count(),
        };
        Span { end, ..span }
    }

    fn push(
        &mut self,
        is_mapping: bool,
        span: Span,
        anchor: usize,
        tag: Option<&Tag>,
    ) -> Result<(), Problem> {
        if self.open.len() >= DEPTH_MAX {
            let text = format!("yaml: collections are nested more than {DEPTH_MAX} deep");
            return Err(Problem::new(span, text));
        }
        self.open.push(Open {
            is_mapping,
            tag: tag.map(short_tag),
            span,
            anchor,
            before: self.finished.len(),
        });
        Ok(())
    }

    fn pop(&mut self, end: Span) -> Result<Option<(Node, usize)>, Problem> {
        let Some(open) = self.open.pop() else {
            return Ok(None);
        };
        let mut span = open.span;
        span.end = span.end.max(end.end);
        let mut nodes = self.finished.drain(open.before..);
        let kind = if open.is_mapping {
            let mut entries = Vec::with_capacity(nodes.len() / 2);
            while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
                entries.push(Entry {
                    key,
                    value,
                    merged: false,
                });
            }
            drop(nodes);
            self.merge(&mut entries)?;
            Kind::Mapping(entries)
        } else {
            Kind::Sequence(nodes.collect())
        };
        let node = Node {
            kind,
            tag: open.tag,
            span,
        };
        Ok(Some((node, open.anchor)))
    }

    /// Puts a finished node where it belongs; gives it back when it is the document's root.
    fn attach(&mut self, node: Node, anchor: usize) -> Option<Node> {
        if anchor != 0 {
            let count = node.count();
            self.anchors.insert(anchor, (node.clone(), count));
        }
        if self.open.is_empty() {
            return Some(node);
        }
        self.finished.push(node);
        None
    }

    fn copy_of(&mut self, anchor: usize, span: Span) -> Result<Node, Problem> {
        let Some((node, count)) = self.anchors.get(&anchor) else {
            return Err(Problem::new(span, "yaml: anchor value contains itself"));
        };
        // An anchor inside an anchor was copied and counted before; together they cannot exceed the
        // budget by more than the text's own size.
        self.copies = self.copies.saturating_add(*count);
        if self.copies > COPIES_MAX {
            return Err(Problem::new(
                span,
                "yaml: document contains excessive aliasing",
            ));
        }
        Ok(node.clone())
    }

    /// Replaces merge keys (`<<`) by the entries that they bring in.
    fn merge(&mut self, entries: &mut Vec<Entry>) -> Result<(), Problem> {
        if !entries.iter().any(|entry| is_merge(&entry.key)) {
            return Ok(());
        }
        let (merges, mut own): (Vec<_>, Vec<_>) = std::mem::take(entries)
            .into_iter()
            .partition(|entry| is_merge(&entry.key));
        let mut known: HashSet<SmolStr> = own.iter().filter_map(|e| key_text(&e.key)).collect();
        for merge in merges {
            let sources = match merge.value.kind {
                Kind::Sequence(items) => items,
                _ => vec![merge.value],
            };
            for source in sources {
                let Kind::Mapping(entries) = source.kind else {
                    let text = "yaml: map merge requires map or sequence of maps as the value";
                    return Err(Problem::new(source.span, text));
                };
                self.copies = self.copies.saturating_add(entries.len());
                for mut entry in entries {
                    entry.merged = true;
                    if key_text(&entry.key).is_none_or(|key| known.insert(key)) {
                        own.push(entry);
                    }
                }
            }
        }
        *entries = own;
        Ok(())
    }
}

fn key_text(key: &Node) -> Option<SmolStr> {
    match &key.kind {
        Kind::Scalar { text, .. } => Some(text.clone()),
        _ => None,
    }
}

fn is_merge(key: &Node) -> bool {
    match &key.kind {
        Kind::Scalar { text, style } => {
            &**text == "<<"
                && match key.tag.as_deref() {
                    None => *style == Style::Plain,
                    Some(tag) => tag == "!!merge",
                }
        }
        _ => false,
    }
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    }
}

fn short_tag(tag: &Tag) -> Box<str> {
    let handle = if tag.is_yaml_core_schema() {
        "!!"
    } else {
        tag.handle.as_str()
    };
    format!("{handle}{}", tag.suffix).into_boxed_str()
}

/// The tab in an indentation that made the parser stop at `place` or in the line before it.
fn tab_after(text: &str, place: Place) -> Option<Problem> {
    let line_start = text.get(..place.offset)?.rfind('\n').map_or(0, |at| at + 1);
    let mut offset = line_start;
    let lines = text.get(line_start..)?.split_inclusive('\n').take(2);
    for (number, line) in lines.enumerate() {
        let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..blank].find('\t') {
            let line = place.line + number;
            let place = Place {
                offset: offset + tab,
                line,
                column: tab + 1,
            };
            let message = format!("yaml: line {line}: found a tab in the indentation");
            return Some(
                Problem::at(place, message).with_hint("indent with spaces: YAML takes no tabs"),
            );
        }
        offset += line.len();
    }
    None
}

/// Whether a text is of printable ASCII, as most are. Without a way out of the inner loop it is done for
/// many bytes at once.
fn is_plain(text: &str) -> bool {
    let odd = |b: u8| !matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    text.as_bytes()
        .chunks(256)
        .all(|chunk| !chunk.iter().fold(false, |found, b| found | odd(*b)))
}

/// YAML's printable characters.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}
