//! Mail servers that encrypt from the first byte or after STARTTLS, and ask for passwords in each way.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::TIMEOUT;
use crate::alerting::receivers::{EmailAuth, EmailMessage, Reply};
use crate::daemon::net::Mailer;
use crate::daemon::testing::{Authority, TlsServer, secret};
use crate::model::Secret;
use crate::model::http_client::TlsOptions;

/// A mail server's manners.
#[derive(Clone, Copy)]
struct Manners {
    implicit: bool,
    /// The mechanisms that are offered once the connection is encrypted.
    offer: &'static str,
    accepts: bool,
}

/// Says what a mail server says until the end; yields whether STARTTLS is asked for.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    manners: Manners,
    encrypted: bool,
    heard: &Mutex<Vec<String>>,
) -> std::io::Result<bool> {
    let mut in_data = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(false);
        }
        let line = line.trim_end().to_owned();
        heard.lock().push(line.clone());
        if in_data && line != "." {
            continue;
        }
        let word = line.split(' ').next().unwrap_or_default();
        let answer = match word {
            "EHLO" if encrypted => format!("250-hi\r\n250 AUTH {}", manners.offer),
            "EHLO" => "250-hi\r\n250 STARTTLS".to_owned(),
            "STARTTLS" => "220 go".to_owned(),
            "AUTH" if line == "AUTH LOGIN" => format!("334 {}", STANDARD.encode("Username:")),
            "AUTH" if manners.accepts => "235 welcome".to_owned(),
            "AUTH" => "535 go away".to_owned(),
            "DATA" => "354 go on".to_owned(),
            _ if line == STANDARD.encode("tim") => format!("334 {}", STANDARD.encode("Password:")),
            _ if line == STANDARD.encode("pw") => "235 welcome".to_owned(),
            _ => "250 ok".to_owned(),
        };
        in_data = word == "DATA";
        stream
            .get_mut()
            .write_all(format!("{answer}\r\n").as_bytes())
            .await?;
        if word == "STARTTLS" || word == "QUIT" {
            return Ok(word == "STARTTLS");
        }
    }
}

/// Serves one message; what was heard, and how the sender fared.
async fn send(manners: Manners, trusted: bool) -> (Vec<String>, Reply) {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let acceptor = TlsServer::default().acceptor(&ours.issue(&["localhost"]));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("bound").port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let mut stream = BufReader::new(stream);
        if !manners.implicit {
            stream.get_mut().write_all(b"220 hi\r\n").await?;
            if !talk(&mut stream, manners, false, &hears).await? {
                return Ok(());
            }
        }
        let mut stream = BufReader::new(acceptor.accept(stream.into_inner()).await?);
        if manners.implicit {
            stream.get_mut().write_all(b"220 hi\r\n").await?;
        }
        hears.lock().push("(encrypted)".to_owned());
        talk(&mut stream, manners, true, &hears).await.map(drop)
    });
    let authority = if trusted { &ours } else { &theirs };
    let mailer = Mailer::new(&TlsOptions {
        ca: secret(&authority.pem),
        ..TlsOptions::default()
    });
    let email = EmailMessage {
        host: "localhost".to_owned(),
        port,
        hello: String::new(),
        auth: Some(EmailAuth {
            username: "tim".to_owned(),
            identity: "id".to_owned(),
            password: Secret::new("pw"),
            secret: Secret::new("s"),
        }),
        implicit_tls: manners.implicit,
        require_tls: true,
        from: "a@example.org".to_owned(),
        to: vec!["b@example.org".to_owned()],
        data: b"Subject: x\r\n\r\nbody\r\n".to_vec(),
    };
    crate::daemon::net::install_provider();
    let reply = mailer.send(&email, TIMEOUT).await;
    drop(mailer);
    let _: std::io::Result<()> = task.await.expect("ends");
    let heard = heard.lock().clone();
    (heard, reply)
}

#[tokio::test]
async fn passwords_and_mails_go_over_encrypted_connections_alone() {
    for implicit in [false, true] {
        for (offer, said) in [
            (
                "PLAIN LOGIN",
                vec![format!("AUTH PLAIN {}", STANDARD.encode("id\0tim\0pw"))],
            ),
            (
                "LOGIN PLAIN",
                vec![
                    "AUTH LOGIN".to_owned(),
                    STANDARD.encode("tim"),
                    STANDARD.encode("pw"),
                ],
            ),
            (
                "XOAUTH2 PLAIN",
                vec![format!("AUTH PLAIN {}", STANDARD.encode("id\0tim\0pw"))],
            ),
        ] {
            let manners = Manners {
                implicit,
                offer,
                accepts: true,
            };
            let (heard, reply) = send(manners, true).await;
            assert_eq!(reply, Reply::MailAccepted, "{offer}: {heard:?}");
            let encrypted = heard.iter().position(|l| l == "(encrypted)").expect("TLS");
            let (before, after) = heard.split_at(encrypted);
            let clear: &[&str] = if implicit {
                &[]
            } else {
                &["EHLO localhost", "STARTTLS"]
            };
            assert_eq!(before, clear);
            let auth = after.iter().position(|l| *l == said[0]).expect("logs in");
            assert_eq!(after[auth..auth + said.len()], said);
            assert!(after.contains(&"body".to_owned()), "{after:?}");
        }
    }
}

#[tokio::test]
async fn a_refused_password_and_a_stranger_end_the_attempt() {
    let manners = Manners {
        implicit: false,
        offer: "PLAIN",
        accepts: false,
    };
    let (heard, reply) = send(manners, true).await;
    let Reply::MailRefused { reason, transient } = reply else {
        panic!("{reply:?}");
    };
    assert!(reason.contains("535") && !transient, "{reason}");
    assert!(
        !heard.iter().any(|line| line.starts_with("MAIL")),
        "{heard:?}"
    );
    for implicit in [false, true] {
        let manners = Manners {
            implicit,
            offer: "PLAIN",
            accepts: true,
        };
        let (heard, reply) = send(manners, false).await;
        assert!(matches!(reply, Reply::Failed { .. }), "{reply:?}");
        assert!(
            !heard.iter().any(|line| line.starts_with("AUTH")),
            "{heard:?}"
        );
    }
}
