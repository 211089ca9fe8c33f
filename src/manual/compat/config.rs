//! Compatibility of configuration with Prometheus 3.14 and exporter-toolkit.
//!
//! Read means: every field, default and check of upstream, with upstream's text for what is refused.
//!
//! | Section of `prometheus.yml` | Status | Proof |
//! |---|---|---|
//! | `global`, `scrape_configs`, `scrape_config_files`, `rule_files` | read and acted on | group config, `config::prometheus::tests` |
//! | `http_config` fields: `basic_auth`, `authorization`, `tls_config`, proxies, `http_headers`, all `*_file` forms | read and acted on; files are read again at each use | group config, `daemon::net` tests |
//! | `oauth2`: client credentials in header or form, `grant_type` jwt-bearer with RS256, RS384 and RS512, its own `tls_config` and proxy | same, and a token that was refused (401) is dropped | `daemon::net::tests::token` |
//! | `enable_http2`, `follow_redirects` | same; after a redirect to another host nothing of the options is sent any more, plain `http_headers` included, which upstream still sends | `daemon::net::tests` |
//! | `proxy_url` | http, https (with the `tls_config` of the target) and socks5 | `daemon::net::tests::proxy` |
//! | `*_ref` fields (secret managers) | read; `serve` refuses the job in upstream's words, as no manager can be configured | `config::http_client` |
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
//! | `--web.config.file`: `tls_server_config` with every kind of `client_auth_type` and `client_allowed_sans`, `basic_auth_users`, `http_server_config`, `rate_limit` | same; looked at for each request, certificates for each connection; CBC suites and CurveP521 are left out with a warning, and refused when nothing else is named | `config::web::tests`, `daemon::server::tests` |
//! | `promtool check config / rules / metrics / web-config` | the verbs of `watchfire check` | group promtool-runs |
//!
//! # Differences that are meant
//!
//! - All mistakes are reported with line and column; upstream stops at the first that is not go-yaml's.
//! - An error in an expression stands at its character in the file, also within a block scalar; upstream
//!   names the line where the field begins.
//! - Texts of malformed YAML are our own; the place is the same. Texts in UTF-16 are refused by name; go-yaml reads them.
//! - `---`: only the first document of a file is read, as upstream does; rule files give no warning.
//! - YAML documents with collections nested deeper than 256, or with aliases that unfold into more than
//!   500000 nodes, are refused.
//! - Label selectors of `kubernetes_sd_configs` are checked for balanced parentheses only.
//! - `aws_sd_configs` without `region` are accepted: the region is asked for when discovery runs, as the
//!   single AWS mechanisms do.
