//! Tricky pages, the same for everyone who scrapes them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// One answer.
#[derive(Debug, Clone)]
pub struct Page {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Page {
    /// A good answer of some type; none when empty.
    pub fn of(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = match content_type {
            "" => Vec::new(),
            some => vec![("Content-Type", some.to_owned())],
        };
        Self {
            status: 200,
            headers,
            body: body.into(),
        }
    }

    /// The classic text form.
    pub fn text(body: impl Into<Vec<u8>>) -> Self {
        Self::of("text/plain; version=0.0.4", body)
    }
}

/// How often each scraper (by its agent's name) came for each path.
type Visits = Arc<Mutex<BTreeMap<(String, String), u32>>>;

/// A server of pages.
pub struct Pages {
    pub port: u16,
    visits: Visits,
}

impl Pages {
    /// Serves what `page` makes of a path and of how often its asker came before.
    pub fn start(page: impl Fn(&str, u32) -> Page + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let visits = Visits::default();
        let (page, kept) = (Arc::new(page), Arc::clone(&visits));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (page, kept) = (Arc::clone(&page), Arc::clone(&kept));
                std::thread::spawn(move || serve(stream, &*page, &kept));
            }
        });
        Self { port, visits }
    }

    /// Whether every scraper came for `path` this often.
    pub fn were_visited(&self, path: &str, scrapers: usize, times: u32) -> bool {
        let visits = self.visits.lock().unwrap();
        let counts = visits.iter().filter(|((_, at), _)| at == path);
        counts.filter(|(_, count)| **count >= times).count() >= scrapers
    }
}

fn serve(stream: TcpStream, page: &(dyn Fn(&str, u32) -> Page + Send + Sync), visits: &Visits) {
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
        let mut agent = String::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("user-agent:") {
                let product = value.trim().split('/').next().unwrap_or_default();
                product.clone_into(&mut agent);
            }
        }
        let before = {
            let mut visits = visits.lock().unwrap();
            let count = visits.entry((agent, path.clone())).or_default();
            *count += 1;
            *count - 1
        };
        let answer = page(&path, before);
        let mut head = format!(
            "HTTP/1.1 {} {}\r\nContent-Length: {}\r\n",
            answer.status,
            if answer.status == 404 {
                "Not Found"
            } else {
                "OK"
            },
            answer.body.len()
        );
        for (name, value) in &answer.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        if writer
            .write_all(head.as_bytes())
            .and_then(|()| writer.write_all(&answer.body))
            .is_err()
        {
            return;
        }
    }
}
