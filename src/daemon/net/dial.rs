//! Finds addresses and opens streams: directly, or through a SOCKS5 proxy.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hyper::Uri;
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tower::Service as _;
use url::Url;

use super::Error;
use super::connect::user_info;
use super::error::io_text;

/// How long an address has to itself before the next one is tried beside it, as in Go.
const HEAD_START: Duration = Duration::from_millis(300);

/// Names that are looked up at once. A resolver that does not answer keeps a thread each, and threads are
/// what takes pages.
static LOOKUPS: Semaphore = Semaphore::const_new(64);

/// Opens a stream to the host of an address.
pub(super) async fn dial(url: &Url) -> Result<TcpStream, Error> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let stream = connect(lookup(host, port(url)).await?).await?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Opens a stream to the host of `target` by way of a SOCKS5 proxy, which looks the name up.
pub(super) async fn through_socks(target: &Url, proxy: &Url) -> Result<TcpStream, Error> {
    let uri = |text: String| {
        text.parse::<Uri>()
            .map_err(|e| Error::Proxy(format!("socks connect: {e}")))
    };
    let mut stream = Some(TokioIo::new(dial(proxy).await?));
    let dialed = tower::service_fn(move |_: Uri| {
        std::future::ready(stream.take().ok_or(io::ErrorKind::NotConnected))
    });
    let mut socks = SocksV5::new(uri(format!("socks5://{}", authority(proxy)))?, dialed);
    if !proxy.username().is_empty() {
        let (name, password) = user_info(proxy);
        socks = socks.with_auth(name, password);
    }
    // The port is written out, as the service takes 443 for one that is not.
    let to = uri(format!("http://{}", authority(target)))?;
    match socks.call(to).await {
        Ok(stream) => Ok(stream.into_inner()),
        Err(why) => Err(Error::Proxy(format!("socks connect: {why}"))),
    }
}

/// Host and port, the port always written.
pub(super) fn authority(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), port(url))
}

fn port(url: &Url) -> u16 {
    let unwritten = if super::proxy::is_socks(url) {
        1080
    } else {
        80
    };
    url.port_or_known_default().unwrap_or(unwritten)
}

async fn lookup(host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    let failed = |text: &str| Error::Lookup {
        host: host.to_owned(),
        text: text.to_owned(),
    };
    let name = host.to_owned();
    // A task of its own: who waits may give up, but the permit is held until the thread is free again.
    let lookup = tokio::spawn(async move {
        let _permit = LOOKUPS.acquire().await;
        let found = tokio::net::lookup_host((name.as_str(), port)).await;
        found.map(Iterator::collect::<Vec<SocketAddr>>)
    });
    match lookup.await {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        Ok(_) => Err(failed("no such host")),
        Err(_) => Err(failed("the lookup was lost")),
    }
}

/// The first stream that opens. An address that does not answer delays the others a little and no more.
async fn connect(addresses: Vec<SocketAddr>) -> Result<TcpStream, Error> {
    let attempt = |address: SocketAddr| async move {
        TcpStream::connect(address)
            .await
            .map_err(|why| (address, why))
    };
    let mut waiting = addresses.into_iter();
    let mut trying = FuturesUnordered::new();
    let mut first_failure: Option<(SocketAddr, io::Error)> = None;
    loop {
        trying.extend(waiting.next().map(attempt));
        let more = waiting.len() > 0;
        let done = if more {
            tokio::time::timeout(HEAD_START, trying.next()).await
        } else {
            Ok(trying.next().await)
        };
        match done {
            // It had its head start, or nothing is being tried.
            Err(_) => {}
            Ok(None) if more => {}
            Ok(Some(Ok(stream))) => return Ok(stream),
            Ok(Some(Err(failure))) => {
                first_failure.get_or_insert(failure);
            }
            Ok(None) => break,
        }
    }
    let (address, text) = match first_failure {
        Some((address, why)) => (address.to_string(), io_text(&why)),
        None => (String::new(), "no address".to_owned()),
    };
    Err(Error::Connect { address, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_refuses_gives_way_to_the_next() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bad = closed.local_addr().unwrap();
        drop(closed);
        let stream = connect(vec![bad, good]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        let why = connect(vec![bad]).await.unwrap_err().to_string();
        assert_eq!(why, format!("dial tcp {bad}: connect: connection refused"));
    }

    #[tokio::test]
    async fn a_name_that_leads_nowhere_is_told() {
        let url = Url::parse("http://no-such-host.invalid:1/").unwrap();
        let why = dial(&url).await.unwrap_err().to_string();
        assert_eq!(why, "dial tcp: lookup no-such-host.invalid: no such host");
    }
}
