//! The client against servers that behave in all the ways that `http_config` is about.

mod mail;
mod proxy;
mod redirect;
mod tls;
mod token;

use std::time::Duration;

use super::{Client, Error, Request, Response};
use crate::model::http_client::ClientOptions;

/// Long, because it ends a hang and measures nothing.
const TIMEOUT: Duration = Duration::from_mins(1);

#[expect(
    clippy::needless_pass_by_value,
    reason = "tests build options in place"
)]
fn client(options: ClientOptions) -> Client {
    Client::new(&options).expect("valid options")
}

async fn fetch(client: &Client, url: &str) -> Result<Response, Error> {
    client.send(Request::get(url, TIMEOUT)).await
}

/// The lines that an echo answered.
async fn lines(client: &Client, url: &str) -> Vec<String> {
    let answer = fetch(client, url).await.expect("answers");
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    text.lines().map(str::to_owned).collect()
}

/// Why there was no answer, without method and address.
async fn cause(client: &Client, url: &str) -> String {
    let error = fetch(client, url).await.expect_err("no answer");
    error.cause().to_string()
}
