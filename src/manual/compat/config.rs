//! Compatibility of configuration with Prometheus 3.14 and exporter-toolkit.
//!
//! Read means: every field, default and check of upstream, with upstream's text for what is refused.
//!
//! | Section of `prometheus.yml` | Status | Proof |
//! |---|---|---|
//! | `global`, `scrape_configs`, `scrape_config_files`, `rule_files` | read and acted on | group config, `config::prometheus::tests` |
//! | `http_config` fields: `basic_auth`, `authorization`, `oauth2`, `tls_config`, proxies, `http_headers`, all `*_file` forms | read and acted on | group config |
//! | `*_ref` fields (secret managers), JWT grants of `oauth2` | read; there is no secret manager to ask | - |
//! | `relabel_configs` and its siblings | read and acted on | groups config, relabel |
//! | `static_configs`, `file_sd_configs`, `http_sd_configs`, `dns_sd_configs` | read and acted on | group config, `discovery` |
//! | every other `*_sd_configs` of 3.14 | read and checked; `check config` accepts them with a note, `serve` refuses them by name | group config |
//! | `alerting` | read and acted on; `sigv4` is refused by `serve` | group config |
//! | `storage` | read; `retention`, `out_of_order_time_window` and `exemplars` are handed on | group config |
//! | `remote_write`, `remote_read`, `tracing`, `otlp` | read and checked; `serve` refuses them by name | group config |
//! | `runtime` | read; there is no Go runtime to tune | group config |
//! | `${VARIABLE}` in `external_labels` | expanded as Go's `os.Expand` | `variables_are_expanded_as_go_does` |
//! | `/api/v1/status/config` | marshalled in upstream's order with defaults, secrets as `<secret>` | `what_we_print_reads_back_the_same` |
//!
//! | Other files | Status | Proof |
//! |---|---|---|
//! | rule files | read as `rulefmt` does | groups rule-format, rules-wild |
//! | `--web.config.file` | read; `rate_limit` is read and not acted on | `config::web::tests` |
//! | `promtool check config / rules / metrics / web-config` | the verbs of `watchfire check` | group promtool-runs |
//!
//! # Differences that are meant
//!
//! - All mistakes are reported with line and column; upstream stops at the first that is not go-yaml's.
//! - An error in an expression stands at its character in the file, also within a block scalar; upstream
//!   names the line where the field begins.
//! - Texts of malformed YAML are our own; the place is the same.
//! - `---`: only the first document of a file is read, as upstream does; rule files give no warning.
//! - YAML documents with collections nested deeper than 256, or with aliases that unfold into more than
//!   500000 nodes, are refused.
//! - Label selectors of `kubernetes_sd_configs` are checked for balanced parentheses only.
//! - `aws_sd_configs` without `region` are accepted: the region is asked for when discovery runs, as the
//!   single AWS mechanisms do.
