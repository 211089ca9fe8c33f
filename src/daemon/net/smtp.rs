//! Hands e-mails over: lettre speaks SMTP, our own TLS options secure it.
//!
//! lettre knows neither CRAM-MD5 nor the order in which a server offers its mechanisms, so the
//! authentication is spelled out here as upstream has it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use md5::Md5;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::io_text;
use super::tls::Tls;
use crate::alerting::receivers::{EmailAuth, EmailMessage, Reply};
use crate::model::http_client::TlsOptions;
use crate::text::quote::quote;

/// What a server may say at a time. lettre looks at a reply anew with each of its lines.
const READ_BYTES_MAX: usize = 16 << 10;

/// Sends e-mails with one set of TLS options.
#[derive(Debug)]
pub struct Mailer {
    tls: Tls,
}

impl Mailer {
    /// A sender; files of the TLS options are read at each connection.
    pub fn new(tls: &TlsOptions) -> Self {
        Self {
            tls: Tls::new(tls, false),
        }
    }

    /// Hands a message over within `patience`. Whatever happens, there is a reply.
    pub async fn send(&self, email: &EmailMessage, patience: Duration) -> Reply {
        match tokio::time::timeout(patience, self.deliver(email)).await {
            Ok(Ok(())) => Reply::MailAccepted,
            Ok(Err(failure)) => failure,
            Err(_) => failed("context deadline exceeded"),
        }
    }

    async fn deliver(&self, email: &EmailMessage) -> Result<(), Reply> {
        let address = format!("{}:{}", email.host, email.port);
        let stream = TcpStream::connect((email.host.as_str(), email.port))
            .await
            .map_err(|e| {
                failed(format!(
                    "establish connection to server: dial tcp {address}: {}",
                    io_text(&e)
                ))
            })?;
        let hello = if email.hello.is_empty() {
            "localhost"
        } else {
            &email.hello
        };
        let (link, encrypted) = if email.implicit_tls {
            let stream = self.secure(stream, email).await?;
            (Link::new(Stream::Tls(Box::new(stream)), b""), true)
        } else if email.require_tls {
            let stream = start_tls(stream, email, hello).await?;
            let stream = self.secure(stream, email).await?;
            // The greeting was read before the handshake; lettre waits for one.
            let link = Link::new(Stream::Tls(Box::new(stream)), b"220 ready\r\n");
            (link, true)
        } else {
            (Link::new(Stream::Plain(stream), b""), false)
        };
        let id = ClientId::Domain(hello.to_owned());
        let mut session = AsyncSmtpConnection::connect_with_transport(Box::new(link), &id)
            .await
            .map_err(|e| refused("create SMTP client", &e))?;
        let outcome = talk(&mut session, email, hello, encrypted).await;
        if outcome.is_ok() {
            // The message is theirs already; a failed goodbye changes nothing.
            let _ = session.quit().await;
        } else {
            session.abort().await;
        }
        outcome
    }

    async fn secure(
        &self,
        stream: TcpStream,
        email: &EmailMessage,
    ) -> Result<TlsStream<TcpStream>, Reply> {
        let (config, _) = self.tls.config().await.map_err(|e| failed(e.to_string()))?;
        let name = self.tls.server_name().unwrap_or(&email.host);
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| failed(format!("invalid server name {}", quote(name))))?;
        let mut config = (*config).clone();
        config.alpn_protocols.clear();
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .map_err(|e| failed(format!("send STARTTLS command: {}", io_text(&e))))
    }
}

fn failed(reason: impl Into<String>) -> Reply {
    Reply::Failed {
        reason: reason.into(),
    }
}

fn refused(what: &str, error: &lettre::transport::smtp::Error) -> Reply {
    Reply::MailRefused {
        reason: format!("{what}: {error}"),
        transient: !error.is_permanent(),
    }
}

/// Everything after the greeting.
async fn talk(
    session: &mut AsyncSmtpConnection,
    email: &EmailMessage,
    hello: &str,
    encrypted: bool,
) -> Result<(), Reply> {
    if let Some(auth) = &email.auth {
        let offer = session
            .command(Line(format!("EHLO {hello}")))
            .await
            .map_err(|e| refused("send EHLO command", &e))?;
        log_in(session, auth, &offer, email, encrypted).await?;
    }
    session
        .command(Line(format!("MAIL FROM:<{}>", email.from)))
        .await
        .map_err(|e| refused("send MAIL command", &e))?;
    for to in &email.to {
        session
            .command(Line(format!("RCPT TO:<{to}>")))
            .await
            .map_err(|e| refused("send RCPT command", &e))?;
    }
    session
        .command(Line("DATA".to_owned()))
        .await
        .map_err(|e| refused("send DATA command", &e))?;
    // The end mark brings its own line end.
    let data = email.data.strip_suffix(b"\r\n").unwrap_or(&email.data);
    session
        .message(data)
        .await
        .map_err(|e| refused("delivery failure", &e))?;
    Ok(())
}

/// The first mechanism that the server offers and that we have a secret for.
async fn log_in(
    session: &mut AsyncSmtpConnection,
    auth: &EmailAuth,
    offer: &Response,
    email: &EmailMessage,
    encrypted: bool,
) -> Result<(), Reply> {
    let offered = offer.message().find_map(|line| {
        let (word, rest) = line.split_once([' ', '='])?;
        word.eq_ignore_ascii_case("AUTH").then(|| rest.to_owned())
    });
    // compat: a server that offers nothing is talked to without logging in.
    let Some(offered) = offered else {
        return Ok(());
    };
    let local = matches!(email.host.as_str(), "localhost" | "127.0.0.1" | "::1");
    let mut problems = Vec::new();
    for mechanism in offered.split_whitespace() {
        match mechanism {
            "CRAM-MD5" if auth.secret.is_empty() => {
                problems.push("missing secret for CRAM-MD5 auth mechanism");
            }
            "PLAIN" if auth.password.is_empty() => {
                problems.push("missing password for PLAIN auth mechanism");
            }
            "LOGIN" if auth.password.is_empty() => {
                problems.push("missing password for LOGIN auth mechanism");
            }
            "CRAM-MD5" => return cram_md5(session, auth).await,
            "PLAIN" if !encrypted && !local => {
                // compat: Go does not send passwords in the clear.
                return Err(failed("*smtp.plainAuth auth: unencrypted connection"));
            }
            "PLAIN" => return plain(session, auth).await,
            "LOGIN" => return login(session, auth).await,
            _ => {}
        }
    }
    Err(failed(if problems.is_empty() {
        format!("find auth mechanism: unknown auth mechanism: {offered}")
    } else {
        format!("find auth mechanism: {}", problems.join("; "))
    }))
}

async fn plain(session: &mut AsyncSmtpConnection, auth: &EmailAuth) -> Result<(), Reply> {
    let token = format!(
        "{}\0{}\0{}",
        auth.identity,
        auth.username,
        auth.password.expose()
    );
    let line = Line(format!("AUTH PLAIN {}", STANDARD.encode(token)));
    session
        .command(line)
        .await
        .map(drop)
        .map_err(|e| refused("*smtp.plainAuth auth", &e))
}

async fn login(session: &mut AsyncSmtpConnection, auth: &EmailAuth) -> Result<(), Reply> {
    const WHAT: &str = "*email.loginAuth auth";
    let mut reply = session
        .command(Line("AUTH LOGIN".to_owned()))
        .await
        .map_err(|e| refused(WHAT, &e))?;
    for _ in 0..2 {
        let answer = match challenge(&reply).to_lowercase().trim() {
            "username:" => auth.username.as_str(),
            "password:" => auth.password.expose(),
            _ => return Err(failed(format!("{WHAT}: unexpected server challenge"))),
        };
        reply = session
            .command(Line(STANDARD.encode(answer)))
            .await
            .map_err(|e| refused(WHAT, &e))?;
    }
    Ok(())
}

async fn cram_md5(session: &mut AsyncSmtpConnection, auth: &EmailAuth) -> Result<(), Reply> {
    const WHAT: &str = "*smtp.cramMD5Auth auth";
    let reply = session
        .command(Line("AUTH CRAM-MD5".to_owned()))
        .await
        .map_err(|e| refused(WHAT, &e))?;
    let answer = cram_answer(auth, challenge(&reply).as_bytes());
    session
        .command(Line(STANDARD.encode(answer)))
        .await
        .map(drop)
        .map_err(|e| refused(WHAT, &e))
}

/// The user name and the challenge's digest under the secret.
fn cram_answer(auth: &EmailAuth, challenge: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut mac = Hmac::<Md5>::new_from_slice(auth.secret.expose().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(challenge);
    let mut answer = format!("{} ", auth.username);
    for byte in mac.finalize().into_bytes() {
        let _ = write!(answer, "{byte:02x}");
    }
    answer
}

/// What a server asks, decoded; nothing when it is not base64.
fn challenge(reply: &Response) -> String {
    let line = reply.first_line().unwrap_or_default().trim();
    let bytes = STANDARD.decode(line).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One command line.
struct Line(String);

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Nothing in a line may begin another command.
        let clean: String = self
            .0
            .chars()
            .filter(|c| !c.is_control() || *c == '\0')
            .collect();
        write!(f, "{clean}\r\n")
    }
}

/// The talk before STARTTLS.
async fn start_tls(
    mut stream: TcpStream,
    email: &EmailMessage,
    hello: &str,
) -> Result<TcpStream, Reply> {
    let broken = |e: &io::Error| failed(format!("create SMTP client: {}", io_text(e)));
    read_reply(&mut stream).await.map_err(|e| broken(&e))?;
    let hello = Line(format!("EHLO {hello}")).to_string();
    stream
        .write_all(hello.as_bytes())
        .await
        .map_err(|e| broken(&e))?;
    let offer = read_reply(&mut stream).await.map_err(|e| broken(&e))?;
    let offered = offer.lines().any(|line| {
        line.get(4..)
            .is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS"))
    });
    if !offered {
        let address = quote(&format!("{}:{}", email.host, email.port));
        return Err(failed(format!(
            "'require_tls' is true (default) but {address} does not advertise the STARTTLS extension"
        )));
    }
    stream
        .write_all(b"STARTTLS\r\n")
        .await
        .map_err(|e| broken(&e))?;
    let reply = read_reply(&mut stream).await.map_err(|e| broken(&e))?;
    if !reply.starts_with("220") {
        let reply = reply.trim_end();
        return Err(failed(format!("send STARTTLS command: {reply}")));
    }
    Ok(stream)
}

/// A reply of one or more lines, read byte by byte: what follows it may be the handshake.
async fn read_reply(stream: &mut TcpStream) -> io::Result<String> {
    let mut all = Vec::new();
    let mut line_start = 0;
    loop {
        let byte = stream.read_u8().await?;
        all.push(byte);
        if all.len() > 16 << 10 {
            return Err(io::Error::other("the server's reply is too long"));
        }
        if byte == b'\n' {
            // A hyphen after the code says that more lines follow.
            if all.get(line_start + 3) != Some(&b'-') {
                return Ok(String::from_utf8_lossy(&all).into_owned());
            }
            line_start = all.len();
        }
    }
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection for lettre, with a bound on what the server may say before it is spoken to again.
#[derive(Debug)]
struct Link {
    stream: Stream,
    /// What is read before anything of the stream.
    greeting: &'static [u8],
    budget: usize,
}

impl Link {
    fn new(stream: Stream, greeting: &'static [u8]) -> Self {
        Self {
            stream,
            greeting,
            budget: READ_BYTES_MAX,
        }
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.greeting.is_empty() {
            let length = self.greeting.len().min(buf.remaining());
            let (now, later) = self.greeting.split_at(length);
            buf.put_slice(now);
            self.greeting = later;
            return Poll::Ready(Ok(()));
        }
        if self.budget == 0 {
            return Poll::Ready(Err(io::Error::other("the server says too much")));
        }
        let before = buf.filled().len();
        let result = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        let read = buf.filled().len() - before;
        self.budget = self.budget.saturating_sub(read);
        result
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.budget = READ_BYTES_MAX;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, data),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, data),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl AsyncTokioStream for Link {
    fn peer_addr(&self) -> io::Result<std::net::SocketAddr> {
        match &self.stream {
            Stream::Plain(stream) => stream.peer_addr(),
            Stream::Tls(stream) => stream.get_ref().0.peer_addr(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::*;
    use crate::model::Secret;

    /// A server that plays `script`: what it says after each line it is sent. Yields what it was sent.
    async fn server(
        script: &'static [&'static str],
    ) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut heard = Vec::new();
            for (i, say) in script.iter().enumerate() {
                if i > 0 {
                    let mut line = String::new();
                    let mut in_data = false;
                    loop {
                        line.clear();
                        if stream.read_line(&mut line).await.unwrap() == 0 {
                            return heard;
                        }
                        let text = line.trim_end().to_owned();
                        let ends = !in_data || text == ".";
                        in_data = heard.last().is_some_and(|l| l == "DATA") || in_data;
                        let ends = if in_data { text == "." } else { ends };
                        heard.push(text);
                        if ends {
                            break;
                        }
                    }
                }
                let reply = format!("{say}\r\n");
                stream.get_mut().write_all(reply.as_bytes()).await.unwrap();
            }
            heard
        });
        (port, task)
    }

    fn email(port: u16, auth: Option<EmailAuth>) -> EmailMessage {
        EmailMessage {
            host: "127.0.0.1".to_owned(),
            port,
            hello: "am.example.org".to_owned(),
            auth,
            implicit_tls: false,
            require_tls: false,
            from: "a@example.org".to_owned(),
            to: vec!["b@example.org".to_owned(), "c@example.org".to_owned()],
            data: b"Subject: x\r\n\r\n.dot\r\nend\r\n".to_vec(),
        }
    }

    fn auth() -> EmailAuth {
        EmailAuth {
            username: "tim".to_owned(),
            identity: String::new(),
            password: Secret::new("pw"),
            secret: Secret::new("tanstaaftanstaaf"),
        }
    }

    fn mailer() -> Mailer {
        crate::daemon::net::install_provider();
        Mailer::new(&TlsOptions::default())
    }

    #[tokio::test]
    async fn a_message_is_handed_over_line_by_line() {
        let (port, task) = server(&[
            "220 hi", "250 hi", "250 ok", "250 ok", "250 ok", "354 go", "250 ok", "221 bye",
        ])
        .await;
        let reply = mailer()
            .send(&email(port, None), Duration::from_secs(5))
            .await;
        assert_eq!(reply, Reply::MailAccepted);
        assert_eq!(
            task.await.unwrap(),
            [
                "EHLO am.example.org",
                "MAIL FROM:<a@example.org>",
                "RCPT TO:<b@example.org>",
                "RCPT TO:<c@example.org>",
                "DATA",
                "Subject: x",
                "",
                "..dot",
                "end",
                ".",
                "QUIT"
            ]
        );
    }

    #[tokio::test]
    async fn the_servers_first_mechanism_is_used() {
        let (port, task) = server(&[
            "220 hi",
            "250 hi",
            "250-hi\r\n250 AUTH CRAM-MD5 PLAIN",
            "334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+",
            "235 ok",
            "550 no such sender",
        ])
        .await;
        let reply = mailer()
            .send(&email(port, Some(auth())), Duration::from_secs(5))
            .await;
        let Reply::MailRefused { reason, transient } = reply else {
            panic!("{reply:?}");
        };
        assert!(reason.starts_with("send MAIL command: "), "{reason}");
        assert!(!transient);
        let heard = task.await.unwrap();
        // The example of RFC 2195.
        assert_eq!(heard[3], "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw");
    }

    #[tokio::test]
    async fn nothing_is_sent_to_a_server_without_starttls_that_must_have_it() {
        let (port, task) = server(&["220 hi", "250-hi\r\n250 8BITMIME"]).await;
        let mut email = email(port, None);
        email.require_tls = true;
        let reply = mailer().send(&email, Duration::from_secs(5)).await;
        let Reply::Failed { reason } = reply else {
            panic!("{reply:?}");
        };
        assert!(
            reason.contains("does not advertise the STARTTLS extension"),
            "{reason}"
        );
        assert_eq!(task.await.unwrap(), ["EHLO am.example.org"]);
    }

    #[tokio::test]
    async fn a_server_that_never_ends_its_greeting_is_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let piece = b"220-welcome\r\n".repeat(100);
            while stream.write_all(&piece).await.is_ok() {}
        });
        let reply = mailer()
            .send(&email(port, None), Duration::from_mins(1))
            .await;
        let Reply::MailRefused { reason, .. } = reply else {
            panic!("{reply:?}");
        };
        assert!(reason.contains("the server says too much"), "{reason}");
        task.await.unwrap();
    }

    #[tokio::test]
    async fn a_silent_server_ends_with_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let reply = mailer()
            .send(&email(port, None), Duration::from_millis(50))
            .await;
        assert_eq!(
            reply,
            Reply::Failed {
                reason: "context deadline exceeded".to_owned()
            }
        );
    }
}
