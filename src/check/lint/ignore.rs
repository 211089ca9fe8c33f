//! Comments that silence checks or name owners: `# watchfire ignore W012 reason`, `# watchfire owner
//! NAME`, and pint's.
//!
//! A comment counts for the innermost list item (rule, group, route, ...) that it stands in, or that it
//! stands right above of; outside of lists for the object of Kubernetes that it stands in or above of, or
//! for the file. `ignore-file` and `file-owner` count for the whole file.

use std::ops::Range;

use crate::check::Finding;
use crate::text::yaml::{Kind, Node};

use super::{Page, page};

/// What one comment silences.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Directive {
    /// The line of the comment, from 1.
    line: usize,
    /// The lines in which it counts.
    lines: Range<usize>,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    All,
    Checks(Vec<String>),
    /// A check of pint, by its name.
    Pint(String),
    /// Nothing: it says who looks after the rules.
    Owner(String),
}

/// The comments of one file.
#[derive(Debug, Default)]
pub(super) struct Ignores {
    directives: Vec<Directive>,
    /// Words in comments that no check is called, with the bytes of the comment.
    pub(super) unknown: Vec<(Range<usize>, String)>,
}

impl Ignores {
    /// Finds the comments of a file. `roots` are its objects with rules or routes, in order.
    pub(super) fn of(source: &str, roots: &[&Node]) -> Self {
        let mut ignores = Self::default();
        // Most files have none.
        if !source.contains("# watchfire ") && !source.contains("# pint ") {
            return ignores;
        }
        let lines: Vec<&str> = source.lines().collect();
        let blocks = blocks(roots, &lines);
        let mut offset = 0;
        let mut pint_begin: Option<usize> = None;
        for (index, text) in lines.iter().enumerate() {
            let start = offset;
            // `lines` takes the line break away, whichever of the two it is.
            offset += text.len();
            offset += source[offset..].chars().take_while(|c| *c == '\r').count();
            offset += usize::from(source[offset..].starts_with('\n'));
            let Some(at) = text.find('#') else {
                continue;
            };
            let comment = text[at..].trim_start_matches('#').trim();
            let line = index + 1;
            let file = 1..usize::MAX;
            let block = blocks.get(line).cloned().unwrap_or_else(|| file.clone());
            let mut add = |lines, what| ignores.directives.push(Directive { line, lines, what });
            if let Some(rest) = comment.strip_prefix("watchfire ignore-file") {
                add(file, words(rest));
            } else if let Some(rest) = comment.strip_prefix("watchfire ignore") {
                let what = words(rest);
                if let What::Checks(checks) = &what {
                    let unknown = checks.iter().filter(|word| page(word).is_none());
                    let bytes = start + at..start + text.trim_end().len();
                    let none = checks.is_empty().then_some(String::new());
                    let found = unknown
                        .cloned()
                        .chain(none)
                        .map(|word| (bytes.clone(), word));
                    ignores.unknown.extend(found.collect::<Vec<_>>());
                    ignores.directives.push(Directive {
                        line,
                        lines: block,
                        what,
                    });
                } else {
                    add(block, what);
                }
            } else if let Some(name) = comment.strip_prefix("watchfire owner ") {
                add(block, owner(name));
            } else if let Some(name) = comment.strip_prefix("watchfire file-owner ") {
                add(file, owner(name));
            } else if let Some(rest) = comment.strip_prefix("pint ") {
                let mut rest = rest.split_whitespace();
                let check = |word: Option<&str>| {
                    let word = word.unwrap_or_default();
                    What::Pint(word.split('(').next().unwrap_or(word).to_owned())
                };
                match rest.next() {
                    Some("disable") => add(block, check(rest.next())),
                    Some("file/disable") => add(file, check(rest.next())),
                    Some("rule/owner") => add(block, owner(rest.next().unwrap_or_default())),
                    Some("file/owner") => add(file, owner(rest.next().unwrap_or_default())),
                    Some("ignore/file") => add(line..usize::MAX, What::All),
                    Some("ignore/line") => add(line..line + 1, What::All),
                    Some("ignore/next-line") => add(line + 1..line + 2, What::All),
                    Some("ignore/begin") => pint_begin = Some(line),
                    Some("ignore/end") => {
                        if let Some(begin) = pint_begin.take() {
                            add(begin..line + 1, What::All);
                        }
                    }
                    _ => {}
                }
            }
        }
        ignores
    }

    /// Who looks after what stands in a line, as the comment nearest to it says.
    pub(super) fn owner(&self, line: usize) -> Option<&str> {
        let owners = self.directives.iter().filter_map(|directive| {
            let What::Owner(name) = &directive.what else {
                return None;
            };
            let counts = directive.lines.contains(&line);
            counts.then_some((directive.lines.len(), name.as_str()))
        });
        owners.min_by_key(|(lines, _)| *lines).map(|(_, name)| name)
    }

    /// Whether a comment silences a finding.
    pub(super) fn silence(&self, finding: &Finding) -> bool {
        let line = finding.place.as_ref().map_or(1, |place| place.line);
        self.directives.iter().any(|directive| {
            (directive.lines.contains(&line) || directive.line == line)
                && directive.what.covers(finding.page)
        })
    }
}

impl What {
    fn covers(&self, page: &Page) -> bool {
        match self {
            Self::All => true,
            Self::Checks(checks) => checks.iter().any(|word| page.is_called(word)),
            Self::Pint(name) => page.pint == Some(name),
            Self::Owner(_) => false,
        }
    }
}

fn owner(name: &str) -> What {
    What::Owner(name.trim().to_owned())
}

/// The checks that a comment names, up to the reason: `W012, W013 because`.
fn words(rest: &str) -> What {
    let mut checks = Vec::new();
    for part in rest.split_whitespace() {
        let more = part.ends_with(',');
        let names = part.split(',').filter(|word| !word.is_empty());
        checks.extend(names.map(str::to_owned));
        if !more {
            break;
        }
    }
    What::Checks(checks)
}

/// For every line (from 1) the lines of the innermost list item that it belongs to.
fn blocks(roots: &[&Node], lines: &[&str]) -> Vec<Range<usize>> {
    let mut of_line = vec![1..usize::MAX; lines.len() + 2];
    let mut begin = 1;
    // Of several objects each has the lines from the end of the one before.
    for (at, root) in roots.iter().enumerate().filter(|_| roots.len() > 1) {
        let is_last = at + 1 == roots.len();
        let end = if is_last {
            usize::MAX
        } else {
            last_line(root) + 1
        };
        if let Some(painted) = of_line.get_mut(begin..end.min(lines.len() + 2)) {
            painted.fill(begin..end);
        }
        begin = end;
    }
    let mut open = roots.to_vec();
    while let Some(node) = open.pop() {
        match &node.kind {
            Kind::Scalar { .. } => {}
            Kind::Mapping(entries) => open.extend(entries.iter().map(|entry| &entry.value)),
            Kind::Sequence(items) => {
                for item in items.iter().filter(|item| item.as_mapping().is_some()) {
                    let block = block_of(item, lines);
                    let painted = block.start..block.end.min(of_line.len());
                    if let Some(painted) = of_line.get_mut(painted) {
                        painted.fill(block.clone());
                    }
                }
                open.extend(items);
            }
        }
    }
    of_line
}

/// The lines of a list item with the comments right above. A route ends where its children begin.
fn block_of(item: &Node, lines: &[&str]) -> Range<usize> {
    let is_comment = |line: usize| {
        lines
            .get(line.wrapping_sub(1))
            .is_some_and(|text| text.trim_start().starts_with('#'))
    };
    let mut start = item.span.start.line;
    while start > 1 && is_comment(start - 1) {
        start -= 1;
    }
    let entries = item.as_mapping().unwrap_or_default();
    let children = entries
        .iter()
        .find(|entry| entry.key.as_str() == Some("routes"));
    let end = match children {
        Some(entry) => entry.key.span.start.line,
        None => last_line(item) + 1,
    };
    start..end.max(start + 1)
}

/// The last line with something of a node: block scalars end at the start of the line after them.
fn last_line(node: &Node) -> usize {
    let end = node.span.end;
    if end.column <= 1 && end.line > node.span.start.line {
        end.line - 1
    } else {
        end.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::yaml::{parse, parse_first};

    fn of(text: &str) -> Ignores {
        Ignores::of(text, &[&parse_first(text).unwrap().root])
    }

    #[test]
    fn each_object_has_its_own_comments() {
        let text = "# watchfire ignore W001\nspec:\n- a: 1\n---\nspec:\n# watchfire ignore W002\n- b: 1\n- c: 1\n---\n# watchfire owner me\nspec:\n- d: 1\n";
        let documents = parse(text).unwrap();
        let roots: Vec<&Node> = documents.iter().map(|document| &document.root).collect();
        let ignores = Ignores::of(text, &roots);
        let lines: Vec<_> = ignores.directives.iter().map(|d| d.lines.clone()).collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].contains(&3) && !lines[0].contains(&7), "{lines:?}");
        assert!(lines[1].contains(&7) && !lines[1].contains(&8), "{lines:?}");
        assert!(
            lines[2].contains(&12) && !lines[2].contains(&7),
            "{lines:?}"
        );
        assert_eq!((ignores.owner(12), ignores.owner(7)), (Some("me"), None));
    }

    #[test]
    fn the_nearest_owner_counts() {
        let text = "# pint file/owner all\nrules:\n# watchfire owner one\n- a: 1\n- b: 1\n";
        let ignores = of(text);
        assert_eq!(
            (ignores.owner(4), ignores.owner(5)),
            (Some("one"), Some("all"))
        );
    }

    #[test]
    fn comments_count_for_the_item_they_stand_in_or_above() {
        let text = "groups:\n- name: a\n  rules:\n  # watchfire ignore W001, W002 reason\n  - alert: A\n    expr: up\n  - alert: B\n    expr: up # watchfire ignore W003\n  - alert: C\n    # pint disable promql/rate(x)\n    expr: up\n";
        let ignores = of(text);
        let found: Vec<_> = ignores
            .directives
            .iter()
            .map(|d| (d.lines.clone(), d.what.clone()))
            .collect();
        let checks = |names: &[&str]| What::Checks(names.iter().map(|&n| n.to_owned()).collect());
        assert_eq!(found[0].0.start, 4);
        assert!(
            found[0].0.contains(&6) && !found[0].0.contains(&8),
            "{found:?}"
        );
        assert_eq!(found[0].1, checks(&["W001", "W002"]));
        assert!(
            found[1].0.contains(&7) && !found[1].0.contains(&6),
            "{found:?}"
        );
        assert_eq!(found[2].1, What::Pint("promql/rate".to_owned()));
        assert!(
            found[2].0.contains(&9) && !found[2].0.contains(&8),
            "{found:?}"
        );
        assert!(ignores.unknown.is_empty());
    }

    #[test]
    fn unknown_checks_are_told() {
        let text = "# watchfire ignore W999\n# pint ignore/file\na: 1\n";
        let ignores = of(text);
        assert_eq!(ignores.unknown, [(0..23, "W999".to_owned())]);
    }
}
