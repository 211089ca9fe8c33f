//! # Which library serves what
//!
//! A well-kept library beats our own code outside what the project exists for. C is allowed where plain gcc builds it.
//!
//! | need | library | why this one |
//! |---|---|---|
//! | async runtime | tokio | the ground that hyper and rustls bindings stand on |
//! | HTTP | hyper, hyper-util; axum for the server's routes | the server, HTTP/2 and proxy tunnels of the client, and the oracle that tests hold our HTTP/1.1 against |
//! | HTTP/1.1 to targets and receivers | httparse | hyper's parser of heads, on which hyper stands as well; the exchange around it is ours (`daemon::net::http1`), because hyper's task, channels and buffers for each request were a tenth of what a scrape costs |
//! | TLS | rustls with ring, tokio-rustls, webpki-roots, rustls-native-certs | no OpenSSL; ring builds with gcc alone; one provider, installed once |
//! | certificates | x509-parser | alternative names and validity, which rustls keeps to itself |
//! | SOCKS5 | hyper-util (`client-proxy`) | the handshake of a kept library that is there anyway |
//! | e-mail transport | lettre | SMTP with STARTTLS and implicit TLS on rustls; messages are built by our receiver so that headers equal upstream's |
//! | DNS discovery | hickory-resolver | SRV, MX and NS besides addresses |
//! | YAML events | saphyr-parser | spans and scalar styles for every event; the tree and the decoder on top are ours |
//! | regular expressions | regex-automata, regex-syntax | automata without backtracking; the translation from Go's syntax is ours |
//! | protobuf | prost | derive only, types are checked in, no protoc |
//! | compression | flate2 on zlib-rs, snap | pure Rust, size caps in our hands |
//! | gzip pages of targets | libdeflater | a page at once in half the time of zlib-rs and a quarter of its streaming; builds with gcc; what is not one good member, flate2 decides |
//! | numbers, hashes | itoa, xxhash-rust, crc32c, md-5, sha1, sha2, hmac | upstream's hashes to the bit |
//! | time zones | jiff | IANA zones for mute windows |
//! | command line | clap, clap_complete, anstream, anstyle, indicatif, comfy-table, annotate-snippets | help, completion, colours that respect `NO_COLOR`, tables, snippets as rustc draws them |
//! | logs | tracing, tracing-subscriber | fields, JSON |
//! | passwords | bcrypt | the format of `basic_auth_users` |
//! | allocator | tikv-jemallocator (feature `jemalloc`, on by default) | gives churned memory back; builds with gcc |
//! | line diffs | similar | bounded in time; insta brings it along anyway |
//! | short texts of YAML trees | smol_str | most keys and values fit into 23 bytes and need no allocation; from the makers of rust-analyzer |
//! | locks, maps | parking_lot, arc-swap, hashbrown, foldhash, smallvec | |
//! | tests | proptest, insta, criterion, tempfile, rcgen | rcgen makes authorities and certificates while a test runs |
//!
//! Four packages that are often named for such a project are used as baselines or not at all, because they were
//! tried and fell short: `promql-parser` (no spans, refuses 13 % of the grammar, overflows the stack on hostile
//! input) and `prometheus-parse` (drops valid lines silently) are development dependencies, as benchmark
//! baselines; `serde_yaml` is deprecated; `tokio-cron-scheduler` loses repeated jobs under load.
