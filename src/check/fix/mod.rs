//! Repairs: edits on byte ranges of a file, so that comments and layout stay.
//!
//! A [`Fix`] comes with the finding that it mends. [`repair`] applies the fixes of a file, reads the result
//! again and finds what is to be mended next; it refuses a result that does not load, or that means
//! something else than before.

mod duplicates;
mod format;
mod lines;
mod matchers;
mod meaning;
mod misplaced;
mod order;
mod quotes;

use std::ops::Range;

use crate::check::Finding;
use crate::check::source::{RuleSource, rule_source};
use crate::rules::file::FileOptions;

pub(super) use duplicates::of_duplicate_keys;
pub(super) use format::PAGE as FORMAT_PAGE;
pub use format::unformatted;
pub(super) use matchers::PAGE as MATCHERS_PAGE;
pub use matchers::deprecated_matchers;
pub(super) use misplaced::of_misplaced_fields;
pub(super) use order::{PAGE as ORDER_PAGE, unordered_keys};
pub(super) use quotes::of_unquoted_templates;

/// The edits that repair what a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What they do, such as ``move `severity` under `labels:` ``.
    pub title: String,
    /// The edits, in the order of the file; they do not overlap.
    pub edits: Vec<Edit>,
}

/// One replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The bytes of the file that go away; empty to insert.
    pub bytes: Range<usize>,
    /// What comes in their place.
    pub text: String,
}

/// A file after its repair.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repaired {
    /// The new text; the old one when nothing could be mended.
    pub text: String,
    /// What was done, in order.
    pub done: Vec<String>,
    /// What was not done, and why.
    pub refused: Vec<(String, &'static str)>,
}

/// What sort of file is repaired.
#[derive(Debug, Clone, Copy)]
pub enum FileKind<'a> {
    /// A rule file, read with these options.
    Rules(&'a FileOptions),
    /// An `alertmanager.yml`.
    Router,
}

/// Edits of one pass; each pass may bring to light what the one before hid.
const PASSES_MAX: usize = 8;

/// Repairs a text. `find` finds what is wrong with it; it is asked again after each pass.
pub fn repair(text: &str, kind: FileKind<'_>, find: &dyn Fn(&str) -> Vec<Finding>) -> Repaired {
    let mut repaired = Repaired {
        text: text.to_owned(),
        ..Repaired::default()
    };
    for _ in 0..PASSES_MAX {
        let mut fixes: Vec<Fix> = Vec::new();
        for fix in find(&repaired.text)
            .into_iter()
            .filter_map(|finding| finding.fix)
        {
            let known = fixes.contains(&fix)
                || repaired
                    .refused
                    .iter()
                    .any(|(title, _)| *title == fix.title);
            if !known {
                fixes.push(fix);
            }
        }
        if fixes.is_empty() {
            break;
        }
        pass(&mut repaired, kind, fixes);
    }
    repaired
}

/// Applies as many of the fixes as do not overlap: all at once when that is good, else one by one.
fn pass(repaired: &mut Repaired, kind: FileKind<'_>, fixes: Vec<Fix>) {
    let before = repaired.text.clone();
    let (chosen, _) = without_overlap(fixes);
    let all: Vec<&Fix> = chosen.iter().collect();
    if let Some(after) = apply(&before, &all)
        && meaning::check(&before, &after, kind).is_ok()
    {
        repaired.text = after;
        repaired
            .done
            .extend(chosen.into_iter().map(|fix| fix.title));
        return;
    }
    // The last ones first, so that the places of the others stay.
    let mut text = before;
    for fix in chosen.into_iter().rev() {
        let outcome = match apply(&text, &[&fix]) {
            Some(after) => meaning::check(&text, &after, kind).map(|()| after),
            None => Err("its edits do not fit the file"),
        };
        match outcome {
            Ok(after) => {
                text = after;
                repaired.done.push(fix.title);
            }
            Err(why) => repaired.refused.push((fix.title, why)),
        }
    }
    repaired.text = text;
}

/// Fixes whose edits touch none of another fix, and the others for the next pass.
fn without_overlap(mut fixes: Vec<Fix>) -> (Vec<Fix>, Vec<Fix>) {
    let start = |fix: &Fix| fix.edits.first().map_or(0, |edit| edit.bytes.start);
    fixes.sort_by_key(start);
    let mut chosen: Vec<Fix> = Vec::new();
    let (mut later, mut free) = (Vec::new(), 0);
    for fix in fixes {
        if start(&fix) < free {
            later.push(fix);
            continue;
        }
        free = fix
            .edits
            .iter()
            .map(|edit| edit.bytes.end + 1)
            .max()
            .unwrap_or(free);
        chosen.push(fix);
    }
    (chosen, later)
}

/// The text with the edits of some fixes made; nothing when they overlap or lie outside.
pub fn apply(text: &str, fixes: &[&Fix]) -> Option<String> {
    let mut edits: Vec<&Edit> = fixes.iter().flat_map(|fix| &fix.edits).collect();
    edits.sort_by_key(|edit| (edit.bytes.start, edit.bytes.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        out.push_str(text.get(at..edit.bytes.start)?);
        out.push_str(&edit.text);
        text.get(edit.bytes.clone())?;
        at = edit.bytes.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// What is found in the text of a rule file, or of objects of Kubernetes, and can be mended; for [`repair`]. `format` mends the layout
/// of expressions too.
pub fn findings_of_rules(
    name: &str,
    text: &str,
    options: &FileOptions,
    format: bool,
) -> Vec<Finding> {
    let RuleSource {
        files,
        mut findings,
        ..
    } = rule_source(name, text.as_bytes(), options);
    for file in &files {
        findings.extend(unordered_keys(file));
        if format {
            findings.extend(unformatted(file));
        }
    }
    findings
}

#[cfg(test)]
mod tests;
