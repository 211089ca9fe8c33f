//! What does the template of an alerting rule read? Found in its tree, without running it.

use super::ast::{Block, Branch, Command, Node, Operand, Pipe};

/// Something that a template reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// A label of the alert's expression: `$labels.instance`, `index $labels "instance"`.
    Label(String),
    /// An external label.
    ExternalLabel(String),
    /// The value, printed; a value that only decides a branch does not count.
    Value,
    /// The text of a query.
    Query(String),
}

/// A use and where it stands: bytes of the text of the label or annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedUse {
    /// What is read.
    pub what: Use,
    /// Where.
    pub offset: usize,
}

/// Collects the uses of a tree.
pub(super) fn collect(root: &Block) -> Vec<PlacedUse> {
    let mut collector = Collector {
        uses: Vec::new(),
        dot_is_alert: true,
    };
    collector.block(root);
    collector.uses
}

struct Collector {
    uses: Vec<PlacedUse>,
    /// Whether the dot is still the alert, as it is outside of `range` and `with`.
    dot_is_alert: bool,
}

/// The parser bounds how deep blocks and pipes nest.
impl Collector {
    fn block(&mut self, list: &Block) {
        for node in &list.nodes {
            match node {
                Node::Action(action) => self.pipe(&action.pipe, action.pipe.declared.is_empty()),
                Node::If(branch) => self.branch(branch, false, false),
                Node::Range(branch) => self.branch(branch, false, true),
                Node::With(branch) => self.branch(branch, true, true),
                Node::Template(call) => {
                    if let Some(argument) = &call.pipe {
                        self.pipe(argument, true);
                    }
                }
                Node::Text(_) | Node::Break(_) | Node::Continue(_) => {}
            }
        }
    }

    fn branch(&mut self, branch: &Branch, prints: bool, moves_dot: bool) {
        self.pipe(&branch.pipe, prints);
        let before = self.dot_is_alert;
        self.dot_is_alert &= !moves_dot;
        self.block(&branch.list);
        self.dot_is_alert = before;
        if let Some(otherwise) = &branch.otherwise {
            self.block(otherwise);
        }
    }

    fn pipe(&mut self, pipe: &Pipe, prints: bool) {
        for command in &pipe.commands {
            indexed(command, &mut self.uses);
            query(command, &mut self.uses);
            for operand in &command.args {
                self.operand(operand, prints);
            }
        }
        // A text that is handed on: `"up" | query`.
        for pair in pipe.commands.windows(2) {
            if let ([Operand::String { pos, text, .. }], [Operand::Identifier(_, name)]) =
                (pair[0].args.as_slice(), pair[1].args.as_slice())
                && name == "query"
            {
                self.uses.push(PlacedUse {
                    what: Use::Query(text.to_string()),
                    offset: *pos,
                });
            }
        }
    }

    fn operand(&mut self, operand: &Operand, prints: bool) {
        let (offset, names): (usize, Vec<&str>) = match operand {
            Operand::Variable(pos, names) => (*pos, names.iter().map(String::as_str).collect()),
            Operand::Field(pos, names) if self.dot_is_alert => {
                (*pos, names.iter().map(String::as_str).collect())
            }
            Operand::Pipe(inner) => return self.pipe(inner, prints),
            Operand::Chain { node, .. } => return self.operand(node, prints),
            _ => return,
        };
        let what = match names.as_slice() {
            ["$labels" | "Labels", label, ..] | ["$", "Labels", label, ..] => {
                Use::Label((*label).to_owned())
            }
            ["$externalLabels" | "ExternalLabels", label, ..]
            | ["$", "ExternalLabels", label, ..] => Use::ExternalLabel((*label).to_owned()),
            ["$value" | "Value"] | ["$", "Value"] if prints => Use::Value,
            _ => return,
        };
        self.uses.push(PlacedUse { what, offset });
    }
}

/// `index $labels "name"`.
fn indexed(command: &Command, uses: &mut Vec<PlacedUse>) {
    let [
        Operand::Identifier(_, name),
        Operand::Variable(pos, names),
        Operand::String { text, .. },
    ] = command.args.as_slice()
    else {
        return;
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let what = match names.as_slice() {
        ["$labels"] | ["$", "Labels"] => Use::Label(text.to_string()),
        ["$externalLabels"] | ["$", "ExternalLabels"] => Use::ExternalLabel(text.to_string()),
        _ => return,
    };
    if name == "index" {
        let offset = *pos;
        uses.push(PlacedUse { what, offset });
    }
}

/// `query "up"`.
fn query(command: &Command, uses: &mut Vec<PlacedUse>) {
    if let [
        Operand::Identifier(_, name),
        Operand::String { pos, text, .. },
    ] = command.args.as_slice()
        && name == "query"
    {
        uses.push(PlacedUse {
            what: Use::Query(text.to_string()),
            offset: *pos,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::rules;

    #[test]
    fn uses_are_found_where_they_stand() {
        let label = |name: &str| Use::Label(name.to_owned());
        for (text, wanted) in [
            ("plain", vec![]),
            ("on {{ $labels.a }}", vec![(label("a"), 6)]),
            ("{{ .Labels.a }}", vec![(label("a"), 10)]),
            ("{{ index $labels \"a\" }}", vec![(label("a"), 9)]),
            (
                "{{ with $labels.a }}{{ . }}{{ end }}",
                vec![(label("a"), 8)],
            ),
            (
                "{{ range query \"up\" }}{{ .Labels.a }}{{ end }}",
                vec![(Use::Query("up".to_owned()), 15)],
            ),
            ("{{ if gt $value 1.0 }}a{{ end }}", vec![]),
            ("{{ $value | humanize }}", vec![(Use::Value, 3)]),
            ("{{ $x := $value }}", vec![]),
            (
                "{{ $externalLabels.c }}",
                vec![(Use::ExternalLabel("c".to_owned()), 3)],
            ),
        ] {
            let found: Vec<_> = rules::uses(text)
                .into_iter()
                .map(|used| used.what)
                .collect();
            let names: Vec<_> = wanted.iter().map(|(what, _)| what.clone()).collect();
            assert_eq!(found, names, "{text}");
            for (used, (_, near)) in rules::uses(text).iter().zip(&wanted) {
                assert!(used.offset.abs_diff(*near) <= 16, "{text}: {}", used.offset);
            }
        }
    }
}
