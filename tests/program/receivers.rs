//! Every kind of receiver meets a server that misbehaves in every way: nobody else is delayed, nothing
//! crashes, memory stays bounded, and the verdict is Alertmanager's or a better one.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Daemon, Server, escape, free_port, request, wait_for};

/// How a server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// As the real one.
    Right,
    /// Takes the request and says nothing.
    Hang,
    /// Answers 200 and never sends the body.
    HangInBody,
    /// A body without end.
    Flood,
    /// Header fields without end.
    FloodHeaders,
    /// 200 with bytes that are no text.
    Garbage,
    /// 200 with JSON in which everything has the wrong type.
    WrongTypes,
    /// 200 with JSON without any field.
    NoFields,
    /// JSON nested deeper than any stack.
    Deep,
    /// Closes when the request has come.
    CloseEarly,
    /// Closes in the middle of the body.
    Torn,
    /// Another protocol.
    NotHttp,
    /// 429 with `Retry-After`, and right at the second try.
    Throttle,
    /// 200 with a body that says no.
    SaysNo,
    /// 503.
    Unavailable,
    /// 404.
    NotFound,
}

impl Mood {
    const ALL: [Self; 16] = [
        Self::Right,
        // Before anything fails whose retries would be counted.
        Self::Throttle,
        Self::Flood,
        Self::FloodHeaders,
        Self::Garbage,
        Self::WrongTypes,
        Self::NoFields,
        Self::Deep,
        Self::CloseEarly,
        Self::Torn,
        Self::NotHttp,
        Self::SaysNo,
        Self::Unavailable,
        Self::NotFound,
        Self::HangInBody,
        Self::Hang,
    ];
}

/// Receivers: name, the section's key and its options, `HTTP` and `SMTP` being addresses of the server.
const RECEIVERS: &[(&str, &str, &str)] = &[
    ("webhook", "webhook", "url: http://HTTP/webhook/"),
    (
        "slack",
        "slack",
        "api_url: http://HTTP/slack/, channel: '#x'",
    ),
    (
        "slackapp",
        "slack",
        "app_token: t, app_url: http://HTTP/slackapp/, channel: '#x'",
    ),
    (
        "pagerduty",
        "pagerduty",
        "url: http://HTTP/pagerduty/, routing_key: k",
    ),
    (
        "opsgenie",
        "opsgenie",
        "api_url: http://HTTP/opsgenie/, api_key: k",
    ),
    (
        "victorops",
        "victorops",
        "api_url: http://HTTP/victorops/, api_key: k, routing_key: r",
    ),
    (
        "pushover",
        "pushover",
        "user_key: u, token: t, http_config: {proxy_url: 'http://HTTP'}",
    ),
    (
        "telegram",
        "telegram",
        "api_url: http://HTTP/telegram, bot_token: t, chat_id: 1",
    ),
    ("discord", "discord", "webhook_url: http://HTTP/discord/"),
    ("msteams", "msteams", "webhook_url: http://HTTP/msteams/"),
    (
        "msteamsv2",
        "msteamsv2",
        "webhook_url: http://HTTP/msteamsv2/",
    ),
    (
        "webex",
        "webex",
        "api_url: http://HTTP/webex/, room_id: r, http_config: {authorization: {credentials: c}}",
    ),
    (
        "wechat",
        "wechat",
        "api_url: http://HTTP/wechat/, api_secret: s, corp_id: c",
    ),
    (
        "sns",
        "sns",
        "api_url: http://HTTP/sns/, topic_arn: 'arn:aws:sns:us-east-1:1:x', sigv4: {region: us-east-1, access_key: a, secret_key: s}",
    ),
    (
        "jira",
        "jira",
        "api_url: http://HTTP/jira/, project: P, issue_type: Bug",
    ),
    (
        "mattermost",
        "mattermost",
        "webhook_url: http://HTTP/mattermost/",
    ),
    (
        "rocketchat",
        "rocketchat",
        "api_url: http://HTTP/rocketchat/, token: t, token_id: i, channel: '#x'",
    ),
    (
        "incidentio",
        "incidentio",
        "url: http://HTTP/incidentio/, alert_source_token: t",
    ),
    (
        "email",
        "email",
        "smarthost: 'SMTP', to: a@x.org, from: b@x.org, require_tls: false",
    ),
];

/// What the first attempt must come to, as the decision record names it.
fn verdict(receiver: &str, mood: Mood) -> &'static str {
    use Mood::{
        CloseEarly, Deep, Flood, FloodHeaders, Garbage, Hang, HangInBody, NoFields, NotFound,
        NotHttp, Right, SaysNo, Throttle, Torn, Unavailable, WrongTypes,
    };
    match (receiver, mood) {
        (_, FloodHeaders | CloseEarly | NotHttp | Hang) => "failed",
        // Behind a proxy that never lets us through.
        ("pushover", _) => "failed",
        ("email", Right | NoFields) => "sent",
        ("email", _) => "failed",
        (_, Throttle | Unavailable) => "failed",
        (_, Right) => "sent",
        // compat: whatever Telegram says but yes is tried again.
        ("telegram", _) => "failed",
        (_, NotFound) => "refused",
        // These read the body: what is cut off says nothing.
        ("slack" | "slackapp" | "wechat" | "rocketchat" | "jira", Flood | Torn | HangInBody) => {
            "failed"
        }
        ("slack", Garbage) => "refused",
        ("slack" | "slackapp" | "rocketchat", Garbage | Deep | WrongTypes) => "failed",
        ("wechat" | "jira", Garbage | Deep) => "refused",
        ("jira", WrongTypes) => "sent",
        ("wechat", WrongTypes) => "refused",
        ("slack" | "slackapp" | "rocketchat" | "wechat", NoFields | SaysNo) => "refused",
        _ => "sent",
    }
}

/// What a server was asked: the receiver's part of the path, and when.
type Asked = Arc<Mutex<Vec<(String, Instant)>>>;

/// An HTTP server in a mood.
fn hostile_http(mood: &Arc<Mutex<Mood>>, asked: &Asked) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (mood, asked) = (Arc::clone(mood), Arc::clone(asked));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (mood, asked) = (Arc::clone(&mood), Arc::clone(&asked));
            std::thread::spawn(move || answer_http(stream, &mood, &asked));
        }
    });
    port
}

fn answer_http(stream: TcpStream, mood: &Mutex<Mood>, asked: &Asked) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let path = first.split_whitespace().nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mood = *mood.lock().unwrap();
    let kind = path.split('/').nth(1).unwrap_or("pushover").to_owned();
    let again = {
        let mut asked = asked.lock().unwrap();
        asked.push((kind.clone(), Instant::now()));
        // A notification of several requests is throttled at its first one.
        asked.iter().filter(|(k, _)| *k == kind).count() > 1
    };
    let whole = |status: &str, kind: &str, body: &[u8]| {
        let mut out = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        out.extend_from_slice(body);
        out
    };
    let json = "application/json; charset=utf-8";
    let out = match mood {
        Mood::Right => whole("200 OK", right_type(&kind), right(&kind, &path).as_bytes()),
        Mood::Throttle if again => whole("200 OK", right_type(&kind), right(&kind, &path).as_bytes()),
        Mood::Throttle => b"HTTP/1.1 429 Slow Down\r\nRetry-After: 2\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec(),
        Mood::Garbage => whole("200 OK", right_type(&kind), b"\0\xff\xfe}{\"\x80\r\n\r\nHTTP"),
        Mood::WrongTypes => whole("200 OK", json, br#"{"ok":"yes","success":7,"ts":{},"channel":[],"errcode":"x","access_token":5,"issues":"x","error":{},"message":[],"errors":"e","id":{}}"#),
        Mood::NoFields => whole("200 OK", json, b"{}"),
        Mood::Deep => whole("200 OK", json, "[".repeat(200_000).as_bytes()),
        Mood::SaysNo => whole("200 OK", json, br#"{"ok":false,"success":false,"error":"channel_not_found","errcode":40001,"errmsg":"no","description":"no"}"#),
        Mood::Unavailable => whole("503 Service Unavailable", json, b"{\"message\":\"later\"}"),
        Mood::NotFound => whole("404 Not Found", json, b"{\"message\":\"no\"}"),
        Mood::Torn => format!("HTTP/1.1 200 OK\r\nContent-Type: {json}\r\nContent-Length: 1000\r\n\r\n{{\"ok\":tr").into_bytes(),
        Mood::NotHttp => b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
        Mood::CloseEarly => return None,
        Mood::Hang => {
            // Until the other side gives up.
            let _ = reader.read_line(&mut String::new());
            return None;
        }
        Mood::HangInBody => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {json}\r\nContent-Length: 10\r\n\r\n");
            writer.write_all(head.as_bytes()).ok()?;
            let _ = reader.read_line(&mut String::new());
            return None;
        }
        Mood::Flood => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {json}\r\n\r\n[");
            writer.write_all(head.as_bytes()).ok()?;
            let piece = b"\"flood\",".repeat(8192);
            while writer.write_all(&piece).is_ok() {}
            return None;
        }
        Mood::FloodHeaders => {
            writer.write_all(b"HTTP/1.1 200 OK\r\n").ok()?;
            let piece = b"X-Flood: 0123456789\r\n".repeat(4096);
            while writer.write_all(&piece).is_ok() {}
            return None;
        }
    };
    writer.write_all(&out).ok()
}

fn right_type(kind: &str) -> &'static str {
    if kind == "slack" {
        "text/plain"
    } else {
        "application/json"
    }
}

/// What the real server says.
fn right(kind: &str, path: &str) -> &'static str {
    match kind {
        "slack" => "ok",
        "slackapp" => r#"{"ok":true,"ts":"1.2","channel":"C1"}"#,
        "telegram" => r#"{"ok":true,"result":{"message_id":1}}"#,
        "wechat" if path.contains("gettoken") => r#"{"access_token":"t"}"#,
        "wechat" => r#"{"errcode":0,"errmsg":"ok"}"#,
        "jira" if path.contains("search") => r#"{"issues":[]}"#,
        "rocketchat" => r#"{"success":true}"#,
        _ => "{}",
    }
}

/// A mail server in a mood.
fn hostile_smtp(mood: &Arc<Mutex<Mood>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mood = Arc::clone(mood);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mood = Arc::clone(&mood);
            std::thread::spawn(move || answer_smtp(stream, &mood));
        }
    });
    port
}

fn answer_smtp(stream: TcpStream, mood: &Mutex<Mood>) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    let mood = *mood.lock().unwrap();
    match mood {
        Mood::CloseEarly => return None,
        Mood::Garbage | Mood::WrongTypes | Mood::Deep => {
            writer.write_all(b"\0\xff\xfe hello?\r\nabc\r\n").ok()?;
            return None;
        }
        Mood::NotHttp => {
            writer.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").ok()?;
            return None;
        }
        Mood::Flood | Mood::FloodHeaders => {
            let piece = b"220-welcome, and more\r\n".repeat(4096);
            while writer.write_all(&piece).is_ok() {}
            return None;
        }
        Mood::Hang => {
            let _ = reader.read_line(&mut String::new());
            return None;
        }
        Mood::Throttle | Mood::Unavailable => {
            writer.write_all(b"421 busy\r\n").ok()?;
            return None;
        }
        _ => writer.write_all(b"220 mail\r\n").ok()?,
    }
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let word = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply: &[u8] = match (word.as_str(), mood) {
            ("DATA", Mood::Torn) => return None,
            ("DATA", Mood::HangInBody) => {
                let _ = reader.read_line(&mut String::new());
                return None;
            }
            ("RCPT", Mood::NotFound | Mood::SaysNo) => b"550 nobody here\r\n",
            ("DATA", _) => {
                writer.write_all(b"354 go on\r\n").ok()?;
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).ok()? == 0 || line == ".\r\n" {
                        break;
                    }
                }
                b"250 taken\r\n"
            }
            ("QUIT", _) => {
                let _ = writer.write_all(b"221 bye\r\n");
                return None;
            }
            _ => b"250 ok\r\n",
        };
        writer.write_all(reply).ok()?;
    }
}

/// A daemon that tells every receiver and a good one of everything.
struct World {
    daemon: Daemon,
    mood: Arc<Mutex<Mood>>,
    asked: Asked,
    good: Server,
}

fn start(folder: &Path, group_interval: &str) -> World {
    let mood = Arc::new(Mutex::new(Mood::Right));
    let asked = Asked::default();
    let http = format!("127.0.0.1:{}", hostile_http(&mood, &asked));
    let smtp = format!("127.0.0.1:{}", hostile_smtp(&mood));
    let good = Server::start(|_| String::new());
    let routes = RECEIVERS
        .iter()
        .map(|(name, _, _)| format!("  - {{receiver: {name}, continue: true}}\n"));
    let receivers = RECEIVERS.iter().map(|(name, section, options)| {
        let options = options.replace("HTTP", &http).replace("SMTP", &smtp);
        format!("- {{name: {name}, {section}_configs: [{{{options}}}]}}\n")
    });
    let router = format!(
        "route:\n  receiver: good\n  group_by: [alertname]\n  group_wait: 0s\n  group_interval: {group_interval}\n  repeat_interval: 4h\n  routes:\n{}  - {{receiver: good}}\n\
         receivers:\n- {{name: good, webhook_configs: [{{url: 'http://127.0.0.1:{}/good'}}]}}\n{}",
        routes.collect::<String>(),
        good.port,
        receivers.collect::<String>()
    );
    std::fs::write(folder.join("alertmanager.yml"), router).unwrap();
    std::fs::write(folder.join("prometheus.yml"), "global: {}\n").unwrap();
    let file = folder.join("alertmanager.yml");
    let flag = format!("--alertmanager.config.file={}", file.display());
    let daemon = Daemon::start(folder, free_port(), &[&flag]);
    World {
        daemon,
        mood,
        asked,
        good,
    }
}

impl World {
    fn fire(&self, name: &str) {
        let body = format!(r#"[{{"labels":{{"alertname":"{name}"}}}}]"#);
        let (status, text) = request(self.daemon.port, "POST", "/api/v2/alerts", &body).unwrap();
        assert_eq!(status, 200, "{text}");
    }

    /// The first outcome that the record has for each receiver of an alert, with its words.
    fn outcomes(&self, name: &str) -> BTreeMap<String, (String, String)> {
        let filter = escape(&format!("alertname=\"{name}\""));
        let path = format!("/api/watchfire/v1/decisions?limit=100000&filter={filter}");
        let (_, text) = request(self.daemon.port, "GET", &path, "").unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        let mut first = BTreeMap::new();
        for decision in answer["data"].as_array().unwrap() {
            let text = |field: &str| decision[field].as_str().unwrap_or_default().to_owned();
            if matches!(text("stage").as_str(), "sent" | "failed" | "refused") {
                first
                    .entry(text("receiver"))
                    .or_insert_with(|| (text("stage"), text("detail")));
            }
        }
        first
    }

    fn good_has(&self, name: &str) -> bool {
        let all = self.good.notifications();
        all.iter().any(|n| n["groupLabels"]["alertname"] == *name)
    }

    /// The most memory that the process ever used, in bytes.
    fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.daemon.process.id()));
        let status = status.unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM"));
        let kib: u64 = line
            .unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        kib * 1024
    }
}

#[test]
fn every_receiver_survives_every_server_with_the_right_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(folder.path(), "10s");
    let mut wrong = Vec::new();
    for mood in Mood::ALL {
        world.asked.lock().unwrap().clear();
        *world.mood.lock().unwrap() = mood;
        let name = format!("{mood:?}");
        world.fire(&name);
        wait_for("everybody's verdict", Duration::from_mins(3), || {
            let outcomes = world.outcomes(&name);
            outcomes.len() == RECEIVERS.len() + 1
        });
        let outcomes = world.outcomes(&name);
        assert_eq!(outcomes["good"].0, "sent");
        for (receiver, _, _) in RECEIVERS {
            let (seen, words) = &outcomes[*receiver];
            if seen != verdict(receiver, mood) {
                wrong.push(format!("{receiver} {mood:?}: {seen}: {words}"));
            }
        }
        if mood == Mood::Throttle {
            await_retry(&world);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let peak = world.peak_memory();
    assert!(peak < 500 << 20, "{peak} bytes");
}

/// Whoever is told to wait waits, and delivers then.
fn await_retry(world: &World) {
    let times = |kind: &str| -> Vec<Instant> {
        let asked = world.asked.lock().unwrap();
        asked
            .iter()
            .filter(|(k, _)| k == kind)
            .map(|(_, at)| *at)
            .collect()
    };
    for (kind, _, _) in RECEIVERS {
        if matches!(*kind, "email" | "pushover") {
            continue;
        }
        wait_for("the second attempt", Duration::from_mins(2), || {
            times(kind).len() > 1
        });
        let times = times(kind);
        let waited = times[1] - times[0];
        assert!(waited >= Duration::from_millis(1900), "{kind}: {waited:?}");
    }
}

#[test]
fn receivers_that_hang_delay_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(folder.path(), "1h");
    *world.mood.lock().unwrap() = Mood::Hang;
    // More alerts than an integration has attempts at once.
    for at in 0..40 {
        world.fire(&format!("Hang{at}"));
    }
    for at in 0..40 {
        wait_for("the good receiver", Duration::from_mins(2), || {
            world.good_has(&format!("Hang{at}"))
        });
    }
    for (kind, _, _) in RECEIVERS {
        if *kind != "email" {
            wait_for("a request that hangs", Duration::from_mins(2), || {
                let asked = world.asked.lock().unwrap();
                asked.iter().any(|(k, _)| k == kind)
            });
        }
    }
    let outcomes = world.outcomes("Hang0");
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["good"]);
    assert_eq!(world.daemon.process.terminate(), Some(0));
}
