use std::path::Path;

use proptest::prelude::*;

use crate::config::{Error, MemoryFiles};
use crate::discovery::Options;

use super::*;

fn load_text(text: &str) -> Result<Config, Error> {
    let mut files = MemoryFiles::new();
    files.insert("conf/prometheus.yml", text);
    files.insert(
        "conf/more/a.yml",
        "scrape_configs:\n- job_name: included\n  file_sd_configs:\n  - files: [x.json]\n",
    );
    let environment = |name: &str| (name == "DC").then(|| "fra".to_owned());
    load(
        Path::new("conf/prometheus.yml"),
        &files,
        &environment,
        LoadOptions::default(),
    )
}

fn problems(text: &str) -> Vec<String> {
    let error = load_text(text).unwrap_err();
    error
        .problems()
        .iter()
        .map(|p| p.problem.to_string())
        .collect()
}

#[test]
fn an_empty_file_holds_the_defaults() {
    let config = load_text("").unwrap();
    assert_eq!(config.global.scrape_interval.to_string(), "1m");
    assert_eq!(config.storage.max_exemplars, 100_000);
    assert!(config.jobs.is_empty());
    assert!(config.to_yaml().starts_with(
        "global:\n  scrape_interval: 1m\n  scrape_timeout: 10s\n  evaluation_interval: 1m\n"
    ));
}

#[test]
fn jobs_take_their_defaults_from_global() {
    let config = load_text(
        "global: {scrape_interval: 5s, sample_limit: 7, external_labels: {dc: '${DC}1', x: $NO}}\n\
         scrape_config_files: [more/*.yml]\n\
         scrape_configs:\n\
         - job_name: a\n  bearer_token_file: t\n  static_configs: [{targets: ['h:1']}]\n  consul_sd_configs: [{}]\n",
    )
    .unwrap();
    let job = &config.jobs[0];
    assert_eq!(job.options.scrape_interval.to_string(), "5s");
    assert_eq!(job.options.scrape_timeout.to_string(), "5s");
    assert_eq!(job.options.sample_limit, 7);
    assert_eq!(config.global.external_labels.to_string(), r#"{dc="fra1"}"#);
    assert_eq!(config.warnings, ["empty environment variable \"NO\""]);
    let token = &job
        .options
        .client
        .authorization
        .as_ref()
        .unwrap()
        .credentials;
    assert_eq!(
        *token,
        crate::model::http_client::SecretSource::File("conf/t".into())
    );
    assert_eq!(config.unsupported[0].section, "consul_sd_configs");
    let Options::File(file) = &config.jobs[1].discovery[0] else {
        panic!("the included job has files");
    };
    assert_eq!(file.files, ["conf/more/x.json"]);
}

#[test]
fn all_mistakes_are_reported_with_their_places() {
    assert_eq!(
        problems(
            "global:\n  scrape_intervall: 5s\n  evaluation_interval: bad\nscrape_configs:\n- job_name: a\n  scrape_interval: 1s\n  scrape_timeout: 2s\n- static_configs:\n  - targets: ['http://x']\nrule_files: ['a/*/b']\nfoo: 1\n"
        ),
        [
            "2:3: field scrape_intervall not found in type config.plain",
            "3:24: not a valid duration string: \"bad\"",
            "7:19: scrape timeout greater than scrape interval for scrape config with job name \"a\"",
            "8:3: job_name is empty",
            "9:5: \"http://x\" is not a valid hostname",
            "10:13: invalid rule file path \"a/*/b\"",
            "11:1: field foo not found in type config.plain",
        ]
    );
}

#[test]
fn secrets_never_show() {
    let config = load_text(
        "scrape_configs:\n- job_name: a\n  basic_auth: {username: u, password: hunter2}\n  proxy_url: http://p:hunter2@h\n  http_sd_configs: [{url: 'http://x', authorization: {credentials: hunter2}}]\n",
    )
    .unwrap();
    assert!(
        !config.to_yaml().contains("hunter2"),
        "{}",
        config.to_yaml()
    );
    assert!(!format!("{:?}", config.jobs[0].options.client.basic_auth).contains("hunter2"));
    assert!(config.to_yaml().contains("password: <secret>"));
}

#[test]
fn what_we_print_reads_back_the_same() {
    let config = load_text(
        "global: {external_labels: {a: 'yes', b: '1', c: 'x: y', d: ''}}\nscrape_configs:\n- job_name: 'a b'\n  params: {x: ['1', \"two\\nlines\"]}\n  static_configs: [{targets: [a, b], labels: {l: v}}]\n  relabel_configs: [{source_labels: [a, b], regex: '(.*):x', target_label: z}]\n  dns_sd_configs: [{names: [x.y]}]\n",
    )
    .unwrap();
    let again = load_text(config.to_yaml()).unwrap();
    assert_eq!(config.to_yaml(), again.to_yaml());
    assert!(diff(&config, &again).is_empty());
}

#[test]
fn a_reload_knows_which_jobs_changed() {
    let job = |name: &str, path: &str| format!("- {{job_name: {name}, metrics_path: {path}}}\n");
    let text = |jobs: &[String]| format!("scrape_configs:\n{}", jobs.concat());
    let old = load_text(&text(&[job("a", "/a"), job("b", "/b"), job("c", "/c")])).unwrap();
    let new = load_text(&text(&[job("a", "/a"), job("c", "/x"), job("d", "/d")])).unwrap();
    let diff = diff(&old, &new);
    assert_eq!(diff.added, ["d"]);
    assert_eq!(diff.removed, ["b"]);
    assert_eq!(diff.changed, ["c"]);
    assert!(!diff.alerting && !diff.rules);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_can_hurt(text in "(global|scrape_configs|alerting|[a-z]{0,3}):[ \\n\\-a-z:\\[\\]{}0-9&*<!|]{0,60}") {
        let _ = load_text(&text);
    }
}
