//! `watchfire inbox`: a local sink that shows what receivers would get.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::{Arg, ArgMatches, Command};
use tokio::net::TcpListener;

use super::{Error, output};
use crate::daemon::inbox::{self, Notification};

pub(super) fn command() -> Command {
    Command::new("inbox")
        .about("Shows what Slack, PagerDuty, webhooks and a mail server would get")
        .long_about(
            "Listens like Slack, PagerDuty, a webhook and a mail server, accepts everything, and shows each \
             notification as it arrives. Point api_url, url or smarthost of a receiver at it.",
        )
        .after_help("Examples:\n  watchfire inbox\n  watchfire inbox --listen 0.0.0.0:9095 --smtp 0.0.0.0:9025")
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .default_value("127.0.0.1:9095")
                .help("Where to take HTTP"),
        )
        .arg(
            Arg::new("smtp")
                .long("smtp")
                .value_name("ADDRESS")
                .default_value("127.0.0.1:9025")
                .help("Where to take mail; an empty text takes none"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let (http, smtp) = (text("listen"), text("smtp"));
    super::query::block_on(async {
        let http_listener = listen(&http).await?;
        let smtp_listener = if smtp.is_empty() {
            None
        } else {
            Some(listen(&smtp).await?)
        };
        output::line(&format!(
            "inbox: HTTP on http://{http} (any path), mail on {smtp}; Ctrl-C ends it"
        ));
        let mut arriving = inbox::start(http_listener, smtp_listener);
        loop {
            tokio::select! {
                arrived = arriving.recv() => match arrived {
                    // A closed pipe means that nobody reads any more.
                    Some(notification) if show("", &notification) => {}
                    _ => return Ok(ExitCode::SUCCESS),
                },
                _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
            }
        }
    })?
}

async fn listen(address: &str) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|e| {
        Error::new(format!("cannot listen on {address}: {e}"))
            .with_hint("is another inbox running? --listen and --smtp choose other ports")
    })
}

/// Shows a notification after a `prefix`, red while something fires and green when it is over; false when
/// nobody reads.
pub(super) fn show(prefix: &str, notification: &Notification) -> bool {
    let color = if notification.resolved {
        AnsiColor::Green
    } else {
        AnsiColor::Red
    };
    let style = Style::new().fg_color(Some(color.into())).bold();
    let block = notification.block();
    let (title, rest) = block.split_once('\n').unwrap_or((&block, ""));
    output::line(&format!("{prefix}{style}{title}{style:#}\n{rest}"))
}
