//! Checks of files that load but are likely not to do what is wanted: no server is asked.
//!
//! Each check has a [`Page`]; [`catalogue`] lists all of them, [`page`] finds one. Findings carry the page
//! of the check that made them.

pub(super) mod duplicate;
pub(super) mod errors;
mod page;

pub use page::Page;

/// Every page, sorted by id.
static CATALOGUE: &[&Page] = &[
    &errors::YAML_SYNTAX,
    &errors::UNKNOWN_FIELD,
    &errors::DUPLICATE_KEY,
    &errors::WRONG_TYPE,
    &errors::EXPRESSION_SYNTAX,
    &errors::TEMPLATE_SYNTAX,
    &errors::RULE,
    &errors::CONFIG,
    &errors::UNREADABLE,
    &duplicate::PAGE,
    &errors::SCRAPE_INTERVAL,
    &errors::CONFIG_WARNING,
    &errors::UNSUPPORTED,
];

/// Every page, sorted by id.
pub fn catalogue() -> &'static [&'static Page] {
    CATALOGUE
}

/// The page with this id or name.
pub fn page(word: &str) -> Option<&'static Page> {
    CATALOGUE.iter().copied().find(|page| page.is_called(word))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn pages_are_complete_and_sorted() {
        assert!(CATALOGUE.is_sorted_by_key(|page| page.id));
        let ids: BTreeSet<_> = CATALOGUE.iter().map(|page| page.id).collect();
        let names: BTreeSet<_> = CATALOGUE.iter().map(|page| page.name).collect();
        assert_eq!(ids.len(), CATALOGUE.len());
        assert_eq!(names.len(), CATALOGUE.len());
        for page in CATALOGUE {
            assert!(
                !page.summary.is_empty() && !page.why.is_empty(),
                "{}",
                page.id
            );
            assert!(page.text().contains("## How to silence it"), "{}", page.id);
            assert_eq!(super::page(page.id), Some(*page));
            assert_eq!(super::page(page.name), Some(*page));
        }
    }
}
