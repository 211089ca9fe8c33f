//! What `serve` runs when no file is given.

/// A configuration that scrapes the server itself.
pub(super) fn configuration(port: &str) -> String {
    format!(
        "global:\n  scrape_interval: 15s\n  evaluation_interval: 15s\nscrape_configs:\n  \
         - job_name: watchfire\n    static_configs:\n      - targets: ['localhost:{port}']\n"
    )
}

/// The rule packs of `alert-rules/` that speak of any machine; that for Kubernetes wants its exporters.
pub(super) fn rules() -> Vec<(String, String)> {
    [
        (
            "alert-rules/essential.yaml",
            include_str!("../../../alert-rules/essential.yaml"),
        ),
        (
            "alert-rules/prometheus.yaml",
            include_str!("../../../alert-rules/prometheus.yaml"),
        ),
    ]
    .into_iter()
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .collect()
}
