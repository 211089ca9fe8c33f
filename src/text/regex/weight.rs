//! How large an automaton will a pattern have?

use regex_syntax::hir::{Class, Hir, HirKind};

/// Automata up to this weight are far below every limit. A unit stands for one state, of some 50 bytes.
const LIGHT: usize = 20_000;

/// States that a range of characters takes at most: few sequences of up to four bytes.
const STATES_PER_RANGE: usize = 40;

/// Whether the automaton of a pattern is so small that building it cannot fail.
pub(super) fn is_light(hir: &Hir) -> bool {
    weight(hir) <= LIGHT
}

/// An upper bound of the states. The parser bounds how deep patterns nest.
fn weight(hir: &Hir) -> usize {
    let sum = |parts: &[Hir]| {
        let parts = parts.iter().map(weight);
        parts.fold(2_usize, |sum, part| sum.saturating_add(part + 1))
    };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(Class::Unicode(class)) => class.ranges().len() * STATES_PER_RANGE,
        HirKind::Class(Class::Bytes(class)) => class.ranges().len(),
        HirKind::Repetition(repetition) => {
            let times = repetition
                .max
                .unwrap_or_else(|| repetition.min.saturating_add(1));
            let times = usize::try_from(times).unwrap_or(usize::MAX).max(1);
            (weight(&repetition.sub) + 2).saturating_mul(times)
        }
        HirKind::Capture(capture) => weight(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => sum(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::is_light;
    use crate::text::regex::syntax;

    #[test]
    fn weight_follows_the_size_of_the_automaton() {
        for (pattern, light) in [
            ("node-3.?", true),
            ("(a|b+)*c{2,5}", true),
            (r"\pL+", false),
            ("(abc{10}){100}", true),
            ("(.{10}){100}", false),
            (r"[[:^alpha:]]{1000}", false),
        ] {
            let parsed = syntax::parse(pattern, true).unwrap();
            assert_eq!(is_light(&parsed.hir), light, "{pattern}");
        }
    }
}
