//! Targets found in files, and many of them.

use std::time::Duration;

use crate::support::{Daemon, Server, api, free_port, query, wait_for};

fn active(port: u16) -> Vec<(String, String)> {
    let answer = api(port, "/api/v1/targets?state=active").unwrap_or_default();
    let targets = answer["activeTargets"].as_array().cloned();
    let mut found: Vec<(String, String)> = targets
        .unwrap_or_default()
        .iter()
        .map(|target| {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            (
                text(&target["scrapePool"]),
                text(&target["discoveredLabels"]["__address__"]),
            )
        })
        .collect();
    found.sort();
    found
}

#[test]
fn jobs_and_targets_come_from_files_and_follow_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let page = Server::start(|_| "ok 1\n".to_owned());
    let here = format!("127.0.0.1:{}", page.port);
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    write(
        "prometheus.yml",
        "global: {scrape_interval: 1s}\nscrape_config_files: ['jobs/*.yml']\n".to_owned(),
    );
    std::fs::create_dir(folder.join("jobs")).unwrap();
    std::fs::create_dir(folder.join("targets")).unwrap();
    let job = |name: &str| {
        format!(
            "scrape_configs:\n- job_name: {name}\n  file_sd_configs: [{{files: ['../targets/{name}-*.json', '../targets/{name}-*.yml']}}]\n"
        )
    };
    write("jobs/one.yml", job("one"));
    write("jobs/two.yml", job("two"));
    write(
        "targets/one-a.json",
        format!("[{{\"targets\": [\"{here}\"]}}]"),
    );
    write(
        "targets/two-a.yml",
        "- targets: ['two.invalid:1']\n".to_owned(),
    );
    let daemon = Daemon::start(folder, free_port(), &[]);
    let wants = |what: &str, wanted: &[(&str, &str)]| {
        wait_for(what, Duration::from_mins(2), || {
            let found = active(daemon.port);
            let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (&**a, &**b)).collect();
            found == wanted
        });
    };
    wants("both jobs", &[("one", &*here), ("two", "two.invalid:1")]);
    wait_for("a scrape", Duration::from_mins(2), || {
        query(daemon.port, "up{job=\"one\"} == 1").len() == 1
    });
    // Replaced in one step, as configuration management does it.
    write(
        "targets/.new",
        format!("[{{\"targets\": [\"{here}\", \"more.invalid:1\"]}}]"),
    );
    std::fs::rename(
        folder.join("targets/.new"),
        folder.join("targets/one-a.json"),
    )
    .unwrap();
    let both = [
        ("one", &*here),
        ("one", "more.invalid:1"),
        ("two", "two.invalid:1"),
    ];
    wants("the replaced file", &both);
    std::fs::remove_file(folder.join("targets/two-a.yml")).unwrap();
    wants("the removed file", &both[..2]);
    std::fs::remove_file(folder.join("jobs/one.yml")).unwrap();
    daemon.process.signal("HUP");
    wants("the removed job", &[]);
}

#[test]
fn a_thousand_targets_start_together() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let page = Server::start(|_| "ok 1\n".to_owned());
    let targets: Vec<String> = (0..1000)
        .map(|i| {
            format!(
                "- {{targets: ['127.0.0.1:{}'], labels: {{number: '{i}'}}}}\n",
                page.port
            )
        })
        .collect();
    std::fs::write(folder.join("targets.yml"), targets.concat()).unwrap();
    std::fs::write(
        folder.join("prometheus.yml"),
        "global: {scrape_interval: 15s}\nscrape_configs:\n- {job_name: many, file_sd_configs: [{files: [targets.yml]}]}\n",
    )
    .unwrap();
    let daemon = Daemon::start(folder, free_port(), &[]);
    wait_for("all to be up", Duration::from_mins(4), || {
        let up = query(daemon.port, "count(up == 1)");
        up.first().is_some_and(|row| row["value"][1] == "1000")
    });
}
