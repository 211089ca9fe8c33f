use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::show::Notification;

const LINE_MAX: u64 = 64 << 10;
const MESSAGE_MAX: usize = 8 << 20;
/// A client that says nothing for so long is let go.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) async fn serve(listener: TcpListener, sender: mpsc::Sender<Notification>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = sender.closed() => return,
        };
        if let Ok((stream, _)) = accepted {
            let sender = sender.clone();
            // A client that breaks the protocol or leaves loses its own session only.
            tokio::spawn(async move {
                let _ = session(stream, sender).await;
            });
        }
    }
}

struct Session {
    stream: BufReader<TcpStream>,
    recipients: Vec<String>,
}

impl Session {
    async fn line(&mut self) -> std::io::Result<Option<String>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LINE_MAX);
        let read = tokio::time::timeout(PATIENCE, limited.read_until(b'\n', &mut line))
            .await
            .map_err(std::io::Error::other)??;
        Ok((read > 0).then(|| {
            String::from_utf8_lossy(&line)
                .trim_end_matches(['\r', '\n'])
                .to_owned()
        }))
    }

    async fn say(&mut self, reply: &str) -> std::io::Result<()> {
        self.stream
            .get_mut()
            .write_all(format!("{reply}\r\n").as_bytes())
            .await
    }

    async fn message(&mut self) -> std::io::Result<Option<String>> {
        let mut message = String::new();
        while let Some(line) = self.line().await? {
            if line == "." {
                return Ok(Some(message));
            }
            if message.len() + line.len() < MESSAGE_MAX {
                message.push_str(line.strip_prefix('.').unwrap_or(&line));
                message.push('\n');
            }
        }
        Ok(None)
    }

    /// Takes any credentials, in all the ways that clients offer them.
    async fn login(&mut self, argument: &str) -> std::io::Result<()> {
        let mut words = argument.split_whitespace();
        let method = words.next().unwrap_or_default().to_ascii_uppercase();
        let rounds = match (method.as_str(), words.next()) {
            ("LOGIN", None) => 2,
            ("LOGIN", Some(_)) | ("PLAIN", None) | ("CRAM-MD5", _) => 1,
            ("PLAIN", Some(_)) => 0,
            _ => return self.say("504 method not known").await,
        };
        for _ in 0..rounds {
            self.say("334 VXNlcm5hbWU6").await?;
            self.line().await?;
        }
        self.say("235 welcome").await
    }
}

async fn session(stream: TcpStream, sender: mpsc::Sender<Notification>) -> std::io::Result<()> {
    let mut session = Session {
        stream: BufReader::new(stream),
        recipients: Vec::new(),
    };
    session.say("220 watchfire inbox").await?;
    while let Some(line) = session.line().await? {
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                session
                    .say("250-watchfire inbox\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN CRAM-MD5")
                    .await?;
            }
            "HELO" | "MAIL" | "NOOP" => session.say("250 ok").await?,
            "RSET" => {
                session.recipients.clear();
                session.say("250 ok").await?;
            }
            "RCPT" => {
                let address = argument
                    .split_once('<')
                    .and_then(|(_, rest)| rest.split_once('>'))
                    .map_or(argument, |(address, _)| address);
                session
                    .recipients
                    .push(address.chars().filter(|c| !c.is_control()).collect());
                session.say("250 ok").await?;
            }
            "AUTH" => {
                let argument = argument.to_owned();
                session.login(&argument).await?;
            }
            "DATA" => {
                session.say("354 go on").await?;
                let Some(message) = session.message().await? else {
                    return Ok(());
                };
                let notification =
                    Notification::from_mail(&std::mem::take(&mut session.recipients), &message);
                if sender.send(notification).await.is_err() {
                    return session.say("421 closing").await;
                }
                session.say("250 taken").await?;
            }
            "QUIT" => return session.say("221 bye").await,
            _ => session.say("502 not known").await?,
        }
    }
    Ok(())
}
