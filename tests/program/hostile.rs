//! Targets that mean harm. Each may cost its own scrape, and nothing else.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Daemon, Server, api, free_port, query, say, wait_for};

/// How much memory the daemon may hold beyond what it held before it met them, in KiB.
const GROWTH_MAX: u64 = 300 << 10;

/// Longer than any scrape.
const LONG: Duration = Duration::from_mins(10);

/// What a target does with a connection after it has read the request's head.
type Deed = fn(&mut TcpStream) -> std::io::Result<()>;

/// A target: its job's name, more options of the job, what it does, and what we say of it.
struct Enemy {
    job: &'static str,
    options: &'static str,
    deed: Deed,
    /// Part of `lastError`; on a busy machine the deadline may come first.
    told: &'static str,
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n";

const ENEMIES: &[Enemy] = &[
    Enemy {
        job: "silent",
        options: "",
        deed: |_| {
            std::thread::sleep(LONG);
            Ok(())
        },
        told: "context deadline exceeded",
    },
    Enemy {
        job: "endless",
        options: "body_size_limit: 8MB",
        deed: |stream| {
            stream.write_all(OK)?;
            stream.write_all(b"\r\n")?;
            let lines = b"x 1\n".repeat(16 << 10);
            loop {
                stream.write_all(&lines)?;
            }
        },
        told: "body size limit exceeded",
    },
    Enemy {
        job: "one-endless-line",
        options: "body_size_limit: 8MB",
        deed: |stream| {
            stream.write_all(OK)?;
            stream.write_all(b"\r\nx{a=\"")?;
            loop {
                stream.write_all(&[b'y'; 1 << 16])?;
            }
        },
        told: "body size limit exceeded",
    },
    Enemy {
        job: "promises-too-much",
        options: "",
        deed: |stream| {
            stream.write_all(OK)?;
            stream.write_all(b"Content-Length: 1000000000000\r\n\r\nx 1\n")?;
            std::thread::sleep(LONG);
            Ok(())
        },
        told: "context deadline exceeded",
    },
    Enemy {
        job: "breaks-off",
        options: "",
        deed: |stream| {
            stream.write_all(OK)?;
            stream.write_all(b"Content-Length: 100\r\n\r\nx 1\n")
        },
        told: "unexpected EOF",
    },
    Enemy {
        job: "lies-about-chunks",
        options: "",
        deed: |stream| {
            stream.write_all(OK)?;
            stream.write_all(b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffff0\r\nx 1\n")
        },
        told: "",
    },
    Enemy {
        job: "garbage",
        options: "",
        deed: |stream| stream.write_all(&(0..=255).cycle().take(1 << 16).collect::<Vec<u8>>()),
        told: "",
    },
    Enemy {
        job: "garbage-page",
        options: "",
        deed: |stream| {
            stream.write_all(OK)?;
            let body: Vec<u8> = (0x80..=0xff).cycle().take(1 << 16).collect();
            stream.write_all(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes())?;
            stream.write_all(&body)
        },
        told: "",
    },
    Enemy {
        job: "bomb",
        options: "body_size_limit: 8MB",
        deed: |stream| {
            let body = gzip_bomb();
            stream.write_all(OK)?;
            stream.write_all(b"Content-Encoding: gzip\r\n")?;
            stream.write_all(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes())?;
            stream.write_all(body)
        },
        told: "body size limit exceeded",
    },
    Enemy {
        job: "endless-headers",
        options: "",
        deed: |stream| {
            stream.write_all(OK)?;
            loop {
                stream.write_all(&b"X-More: and more\r\n".repeat(1 << 10))?;
            }
        },
        told: "",
    },
    Enemy {
        job: "drips",
        options: "",
        deed: |stream| {
            stream.write_all(OK)?;
            stream.write_all(b"Content-Length: 100000\r\n\r\n")?;
            loop {
                stream.write_all(b"x")?;
                std::thread::sleep(Duration::from_millis(20));
            }
        },
        told: "context deadline exceeded",
    },
    Enemy {
        job: "resets",
        options: "",
        deed: |stream| {
            let socket = socket2::SockRef::from(&*stream);
            socket.set_linger(Some(Duration::ZERO))
        },
        told: "",
    },
    Enemy {
        job: "no-tls",
        options: "scheme: https",
        deed: |stream| stream.write_all(b"this is no handshake, it is prose"),
        told: "tls: first record does not look like a TLS handshake",
    },
    Enemy {
        job: "goes-round",
        options: "",
        deed: |stream| {
            stream
                .write_all(b"HTTP/1.1 302 Found\r\nLocation: /metrics\r\nContent-Length: 0\r\n\r\n")
        },
        told: "stopped after 10 redirects",
    },
    Enemy {
        job: "many-lines",
        options: "sample_limit: 1000, scrape_interval: 5s, scrape_timeout: 5s",
        deed: |stream| {
            let body = many_lines();
            stream.write_all(OK)?;
            stream.write_all(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes())?;
            stream.write_all(body)
        },
        told: "sample limit exceeded",
    },
];

/// Half a gigabyte of blank lines: a packed megabyte again and again, without an end. Packed once, because a target
/// must not cost more than the daemon that is tested.
fn gzip_bomb() -> &'static [u8] {
    static BODY: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut piece = Vec::with_capacity(1 << 20);
        // A full flush forgets what came before, so that the piece may follow itself.
        flate2::Compress::new(flate2::Compression::fast(), false)
            .compress_vec(&[b'\n'; 1 << 20], &mut piece, flate2::FlushCompress::Full)
            .unwrap();
        let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        [&head[..], &piece.repeat(512)].concat()
    });
    &BODY
}

/// A page of far more samples than are allowed.
fn many_lines() -> &'static [u8] {
    static BODY: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let lines: Vec<String> = (0..200_000)
            .map(|i| format!("m{{i=\"{i}\"}} {i}\n"))
            .collect();
        lines.concat().into_bytes()
    });
    &BODY
}

fn start(enemy: &'static Enemy) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut seen = Vec::new();
                let mut piece = [0; 1024];
                // A handshake has no blank line; its first piece is enough.
                while !seen.ends_with(b"\r\n\r\n") && !seen.starts_with(&[0x16]) {
                    match stream.read(&mut piece) {
                        Ok(0) | Err(_) => return,
                        Ok(n) => seen.extend_from_slice(&piece[..n]),
                    }
                }
                // Whoever hangs up on an enemy is right.
                let _ = (enemy.deed)(&mut stream);
            });
        }
    });
    port
}

fn resident_kib(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.process.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

fn target(port: u16, job: &str) -> Option<Value> {
    let answer = api(port, "/api/v1/targets?state=active")?;
    let mut targets = answer["activeTargets"].as_array()?.clone().into_iter();
    targets.find(|target| target["labels"]["job"] == job)
}

fn scrapes(port: u16, job: &str) -> f64 {
    let counted = query(port, &format!("count_over_time(up{{job=\"{job}\"}}[1h])"));
    let text = counted.first().and_then(|row| row["value"][1].as_str());
    text.and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

#[test]
fn hostile_targets_cost_their_own_scrapes_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let good = Server::start(|_| "good 1\n".to_owned());
    let config = |enemies: bool| {
        let mut text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n\
             - {{job_name: good, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}\n",
            good.port
        );
        for enemy in ENEMIES.iter().filter(|_| enemies) {
            let more = match enemy.options {
                "" => String::new(),
                some => format!(", {some}"),
            };
            let _ = writeln!(
                text,
                "- {{job_name: {}, static_configs: [{{targets: ['127.0.0.1:{}']}}]{more}}}",
                enemy.job,
                start(enemy)
            );
        }
        std::fs::write(folder.join("prometheus.yml"), text).unwrap();
    };
    // Made before the attack, so that no scrape waits for them.
    assert!(gzip_bomb().len() < 8 << 20 && many_lines().len() < 8 << 20);
    config(false);
    let daemon = Daemon::start(folder, free_port(), &[]);
    wait_for("a first scrape", Duration::from_mins(1), || {
        scrapes(daemon.port, "good") >= 2.0
    });
    let before = resident_kib(&daemon);
    config(true);
    daemon.process.signal("HUP");
    for enemy in ENEMIES {
        wait_for(enemy.job, Duration::from_mins(2), || {
            target(daemon.port, enemy.job).is_some_and(|target| {
                let told = target["lastError"].as_str().unwrap_or_default();
                let known = told.contains(enemy.told) || told.contains("deadline exceeded");
                target["health"] == "down" && !told.is_empty() && known
            })
        });
    }
    let met = scrapes(daemon.port, "good");
    wait_for(
        "the good target to be scraped on",
        Duration::from_mins(2),
        || scrapes(daemon.port, "good") >= met + 5.0,
    );
    wait_for(
        "the good target alone to be up",
        Duration::from_mins(2),
        || {
            let up = query(daemon.port, "up == 1");
            up.len() == 1 && up[0]["metric"]["job"] == "good"
        },
    );
    let after = resident_kib(&daemon);
    say(&format!(
        "resident before {before} KiB, under attack {after} KiB"
    ));
    assert!(
        after < before + GROWTH_MAX,
        "{before} KiB grew to {after} KiB"
    );
    assert_eq!(daemon.process.terminate(), Some(0));
}
