//! What tests of the running program share: free ports, child processes that never outlive a test, a plain
//! HTTP client, an exporter and a webhook receiver.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A port that nobody listens on right now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A child process that is killed when the test is done with it.
pub struct Process(Child);

impl Process {
    /// Starts `program`; its output goes to `log`.
    pub fn start(program: &Path, args: &[String], log: &Path) -> Self {
        let out = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        let err = out.try_clone().unwrap();
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn();
        Self(child.unwrap_or_else(|e| panic!("cannot start {}: {e}", program.display())))
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Asks it to end (SIGTERM) and gives its exit code.
    pub fn terminate(mut self) -> Option<i32> {
        let _ = Command::new("kill")
            .args(["-TERM", &self.0.id().to_string()])
            .status();
        self.0.wait().ok().and_then(|status| status.code())
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let _ = Command::new("kill")
            .args([&format!("-{name}"), &self.0.id().to_string()])
            .status();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program under test.
pub fn watchfire() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_watchfire"))
}

/// A peer's binary from the folder that `WATCHFIRE_PEERS` names (default `/tmp/watchfire-peers`), or `None` after saying that it
/// is missing.
pub fn peer(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("WATCHFIRE_PEERS")
        .map_or_else(|| PathBuf::from("/tmp/watchfire-peers"), PathBuf::from);
    let path = folder.join("bin").join(name);
    if path.exists() {
        return Some(path);
    }
    say(&format!(
        "peer {name} not found at {}: skipped; ../shared/oracle/get-peers.sh brings it",
        path.display()
    ));
    assert!(
        std::env::var_os("WATCHFIRE_REQUIRE_PEERS").is_none(),
        "peers are required here"
    );
    None
}

/// Prints past the test runner's capture.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Asks `http://127.0.0.1:PORT/PATH`; gives status and body, or `None` when nobody answers.
pub fn request(port: u16, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let kind = if body.starts_with(['{', '[']) {
        "application/json"
    } else {
        "application/x-www-form-urlencoded"
    };
    let headers = format!("Content-Type: {kind}\r\n");
    request_bytes(port, method, path, &headers, body.as_bytes())
}

/// The same with headers (each ended by `\r\n`) and a body of any bytes.
pub fn request_bytes(
    port: u16,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> Option<(u16, String)> {
    let (status, _, body) = exchange(port, method, path, headers, body)?;
    Some((status, String::from_utf8_lossy(&body).into_owned()))
}

/// As [`request_bytes`]; status, header fields in lower case, and the body as it came.
pub fn exchange(
    port: u16,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> Option<(u16, Vec<String>, Vec<u8>)> {
    let mut stream =
        TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_secs(5)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .ok()?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let status = line.split_whitespace().nth(1)?.parse().ok()?;
    let (mut length, mut chunked) = (None, false);
    let mut fields = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse::<usize>().ok();
        }
        chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
        fields.push(line);
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let size = usize::from_str_radix(line.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    } else if let Some(length) = length {
        body.resize(length, 0);
        reader.read_exact(&mut body).ok()?;
    } else {
        reader.read_to_end(&mut body).ok()?;
    }
    Some((status, fields, body))
}

/// Gets a JSON answer's `data`.
pub fn api(port: u16, path: &str) -> Option<Value> {
    let (_, body) = request(port, "GET", path, "")?;
    let mut answer: Value = serde_json::from_str(&body).ok()?;
    Some(answer["data"].take())
}

/// The elements of an instant query's result.
pub fn query(port: u16, expr: &str) -> Vec<Value> {
    let path = format!("/api/v1/query?query={}", escape(expr));
    api(port, &path)
        .and_then(|data| data["result"].as_array().cloned())
        .unwrap_or_default()
}

/// Percent-encodes a query parameter.
pub fn escape(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Waits until `done` says so; panics with `what` after `limit`, which is there to end a hang: a machine that
/// is busy with other things gets two minutes at least.
pub fn wait_for(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let limit = limit.max(Duration::from_mins(2));
    let started = Instant::now();
    while !done() {
        assert!(
            started.elapsed() < limit,
            "gave up after {limit:?} waiting for {what}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A small HTTP server on its own thread.
pub struct Server {
    /// Where it listens.
    pub port: u16,
    /// Bodies of the POST requests that arrived, in order.
    pub received: Arc<Mutex<Vec<(String, String)>>>,
}

impl Server {
    /// Serves `page` to every GET and keeps what is posted.
    pub fn start(page: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (page, kept) = (Arc::new(page), Arc::clone(&received));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (page, kept) = (Arc::clone(&page), Arc::clone(&kept));
                std::thread::spawn(move || serve(stream, &*page, &kept));
            }
        });
        Self { port, received }
    }

    /// The JSON bodies that arrived so far.
    pub fn notifications(&self) -> Vec<Value> {
        self.received
            .lock()
            .unwrap()
            .iter()
            .filter_map(|(_, body)| serde_json::from_str(body).ok())
            .collect()
    }
}

fn serve(
    stream: TcpStream,
    page: &(dyn Fn(&str) -> String + Send + Sync),
    kept: &Mutex<Vec<(String, String)>>,
) {
    let Ok(mut writer) = stream.try_clone() else {
        return;
    };
    let mut reader = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let path = first.split_whitespace().nth(1).unwrap_or("/").to_owned();
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let answer = if first.starts_with("POST") {
            kept.lock()
                .unwrap()
                .push((path, String::from_utf8_lossy(&body).into_owned()));
            "ok".to_owned()
        } else {
            page(&path)
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        if writer
            .write_all(head.as_bytes())
            .and_then(|()| writer.write_all(answer.as_bytes()))
            .is_err()
        {
            return;
        }
    }
}

/// A running watchfire.
pub struct Daemon {
    /// The process.
    pub process: Process,
    /// Where its API listens.
    pub port: u16,
}

impl Daemon {
    /// Starts `serve` in `folder` and waits until it is ready. `port` is kept across restarts.
    pub fn start(folder: &Path, port: u16, extra: &[&str]) -> Self {
        let mut args = vec![
            "serve".to_owned(),
            format!("--config.file={}", folder.join("prometheus.yml").display()),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        args.extend(extra.iter().map(|arg| (*arg).to_owned()));
        let process = Process::start(&watchfire(), &args, &folder.join("watchfire.log"));
        let daemon = Self { process, port };
        wait_for(
            "watchfire to be ready (see watchfire.log)",
            Duration::from_secs(30),
            || request(port, "GET", "/-/ready", "").is_some_and(|(status, _)| status == 200),
        );
        daemon
    }
}
