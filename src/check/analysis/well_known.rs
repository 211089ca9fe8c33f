//! Metrics that everybody's exporters have, by the names of their families.

use std::collections::HashSet;
use std::sync::LazyLock;

/// One family a line, sorted. They were collected from pages of exporters and from packs of rules, and
/// are no complete list: that a name is not here says nothing.
const LIST: &str = include_str!("well_known.txt");

static FAMILIES: LazyLock<HashSet<&'static str, foldhash::fast::FixedState>> =
    LazyLock::new(|| LIST.lines().collect());

/// Every family.
pub fn families<'a>() -> impl Iterator<Item = &'a str> {
    LIST.lines()
}

/// Whether a metric is one of the families, or a series of a histogram or summary among them.
pub fn contains(metric: &str) -> bool {
    FAMILIES.contains(metric) || family(metric).is_some_and(|family| FAMILIES.contains(family))
}

/// The family that a metric would belong to as a part of a histogram or summary.
pub fn family(metric: &str) -> Option<&str> {
    ["_bucket", "_count", "_sum"]
        .iter()
        .find_map(|end| metric.strip_suffix(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_has_every_name_once() {
        let names: Vec<&str> = families().collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(names.len() > 2000 && names.iter().all(|name| !name.contains([' ', '\t'])));
    }

    #[test]
    fn parts_of_histograms_are_known() {
        assert!(
            contains("http_requests_total") && contains("http_request_duration_seconds_bucket")
        );
        assert!(!contains("http_reqests_total") && !contains("my_own_metric"));
    }
}
