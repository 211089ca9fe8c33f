//! Which rules and branches no test sees, on the terminal.

use super::say;
use crate::check::unit_test::coverage::{Coverage, CoveredRule};

pub(super) fn show(coverage: &Coverage) {
    let (rules, branches) = (coverage.rule_counts(), coverage.branch_counts());
    say(&format!(
        "Coverage:  {} of rules ({} of {}), {} of branches ({} of {})",
        percent(rules),
        rules.0,
        rules.1,
        percent(branches),
        branches.0,
        branches.1
    ));
    for rule in &coverage.rules {
        let CoveredRule {
            file, line, name, ..
        } = rule;
        if rule.seen.is_none() {
            say(&format!("  {file}:{line}: {name}: no test reaches it"));
            continue;
        }
        let unseen: Vec<&str> = rule
            .branches()
            .into_iter()
            .filter(|branch| !branch.seen)
            .map(|branch| branch.name)
            .collect();
        if !unseen.is_empty() {
            say(&format!(
                "  {file}:{line}: {name}: no test sees that it {}",
                unseen.join(", ")
            ));
        }
    }
}

fn percent((part, all): (usize, usize)) -> String {
    if all == 0 {
        return "100%".to_owned();
    }
    format!("{:.0}%", (part as f64 * 100.0 / all as f64).floor())
}
