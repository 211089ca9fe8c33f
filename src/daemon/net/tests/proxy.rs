use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::{any, get};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{cause, client, lines};
use crate::daemon::testing::{Authority, Pair, TlsServer, echo, secret, serve};
use crate::model::Secret;
use crate::model::http_client::{ClientOptions, ProxyOptions, TlsOptions};

/// What proxies were asked, in order.
type Asked = Arc<Mutex<Vec<String>>>;

fn through(url: String) -> ClientOptions {
    ClientOptions {
        proxy: ProxyOptions {
            url: Some(url),
            ..ProxyOptions::default()
        },
        ..ClientOptions::default()
    }
}

/// Takes a CONNECT and joins the two ends; whatever was asked for, `target` is where it leads.
async fn tunnel<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, target: u16, asked: &Asked) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    asked
        .lock()
        .expect("unpoisoned")
        .push(String::from_utf8(head).expect("text"));
    stream
        .write_all(b"HTTP/1.1 200 OK\r\n\r\n")
        .await
        .expect("writes");
    let mut onward = TcpStream::connect(("127.0.0.1", target))
        .await
        .expect("connects");
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
}

/// A proxy that tunnels to `target`, over TLS when it has a certificate.
async fn connect_proxy(target: u16, pair: Option<Pair>) -> (u16, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("bound").port();
    let asked = Asked::default();
    let kept = Arc::clone(&asked);
    let acceptor = pair.map(|pair| TlsServer::default().acceptor(&pair));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("accepts");
            let (acceptor, kept) = (acceptor.clone(), Arc::clone(&kept));
            tokio::spawn(async move {
                match acceptor {
                    None => tunnel(stream, target, &kept).await,
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            tunnel(stream, target, &kept).await;
                        }
                    }
                }
            });
        }
    });
    (port, asked)
}

#[tokio::test]
async fn plain_requests_go_through_an_http_proxy_in_absolute_form() {
    let proxy = serve(Router::new().fallback(any(echo))).await.port();
    let client = client(through(format!("http://u:p%40@127.0.0.1:{proxy}")));
    let seen = lines(&client, "http://target.invalid/metrics?a=b").await;
    assert!(
        seen[0].starts_with("GET http://target.invalid/metrics?a=b"),
        "{seen:?}"
    );
    assert!(
        seen.contains(&"proxy-authorization: Basic dTpwQA==".to_owned()),
        "{seen:?}"
    );
    assert!(
        seen.contains(&"host: target.invalid".to_owned()),
        "{seen:?}"
    );
}

#[tokio::test]
async fn secure_requests_are_tunnelled_and_the_tunnel_gets_its_headers() {
    let authority = Authority::new();
    let pair = authority.issue(&["target.invalid"]);
    let server = TlsServer {
        protocols: vec!["h2", "http/1.1"],
        ..TlsServer::default()
    };
    let target = server
        .serve(&pair, Router::new().route("/", get(echo)))
        .await
        .port();
    let (proxy, asked) = connect_proxy(target, None).await;
    let mut options = through(format!("http://u:p@127.0.0.1:{proxy}"));
    options.tls.ca = secret(&authority.pem);
    options.proxy.connect_headers = vec![(
        "X-Team".to_owned(),
        vec![Secret::new("a"), Secret::new("b")],
    )];
    let seen = lines(&client(options), "https://target.invalid/").await;
    assert!(seen[0].ends_with("HTTP/2.0"), "{seen:?}");
    assert!(
        !seen.iter().any(|line| line.starts_with("x-team")),
        "{seen:?}"
    );
    let asked = asked.lock().expect("unpoisoned")[0].to_lowercase();
    for wanted in [
        "connect target.invalid:443 http/1.1\r\n",
        "x-team: a\r\n",
        "x-team: b\r\n",
        "proxy-authorization: basic dtpw\r\n",
    ] {
        assert!(asked.contains(wanted), "{asked}");
    }
}

#[tokio::test]
async fn a_proxy_over_tls_is_verified_as_the_target_is() {
    let authority = Authority::new();
    let target = TlsServer::default();
    let target = target
        .serve(
            &authority.issue(&["target.invalid"]),
            Router::new().route("/", get(echo)),
        )
        .await
        .port();
    let (proxy, asked) = connect_proxy(target, Some(authority.issue(&["localhost"]))).await;
    let mut options = through(format!("https://localhost:{proxy}"));
    let why = cause(&client(options.clone()), "https://target.invalid/").await;
    assert!(why.contains("unknown authority"), "{why}");
    options.tls.ca = secret(&authority.pem);
    let seen = lines(&client(options), "https://target.invalid/").await;
    assert!(seen[0].starts_with("GET /"), "{seen:?}");
    assert_eq!(asked.lock().expect("unpoisoned").len(), 1);
}

#[tokio::test]
async fn a_proxy_that_refuses_is_quoted() {
    let refusing = || async { hyper::StatusCode::PROXY_AUTHENTICATION_REQUIRED };
    let proxy = serve(Router::new().fallback(any(refusing))).await.port();
    let client = client(through(format!("http://127.0.0.1:{proxy}")));
    let why = cause(&client, "https://target.invalid/").await;
    assert_eq!(why, "Proxy Authentication Required");
}

#[tokio::test]
async fn exceptions_go_directly() {
    let direct = serve(Router::new().route("/", get(echo))).await.port();
    let mut options = through("http://127.0.0.1:1".to_owned());
    let url = format!("http://127.0.0.1:{direct}/");
    assert!(
        cause(&client(options.clone()), &url)
            .await
            .contains("refused")
    );
    options.proxy.no_proxy = "example.org,127.0.0.0/8".to_owned();
    assert!(lines(&client(options), &url).await[0].starts_with("GET / "));
}

/// A SOCKS5 proxy that wants a name and a password and leads to `target`.
async fn socks_proxy(target: u16) -> (u16, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("bound").port();
    let asked = Asked::default();
    let kept = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("accepts");
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                // Who breaks off has been refused.
                let _ = socks(stream, target, &kept).await;
            });
        }
    });
    (port, asked)
}

async fn socks(mut stream: TcpStream, target: u16, asked: &Asked) -> std::io::Result<()> {
    async fn short(stream: &mut TcpStream) -> std::io::Result<String> {
        let mut text = vec![0; usize::from(stream.read_u8().await?)];
        stream.read_exact(&mut text).await?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
    assert_eq!(stream.read_u8().await?, 5);
    short(&mut stream).await?;
    stream.write_all(&[5, 2]).await?;
    assert_eq!(stream.read_u8().await?, 1);
    let login = format!(
        "{}:{}",
        short(&mut stream).await?,
        short(&mut stream).await?
    );
    if login != "user:word" {
        stream.write_all(&[1, 1]).await?;
        return Ok(());
    }
    stream.write_all(&[1, 0]).await?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    assert_eq!(head, [5, 1, 0, 3], "connect to a name");
    let host = short(&mut stream).await?;
    let port = stream.read_u16().await?;
    asked
        .lock()
        .expect("unpoisoned")
        .push(format!("{host}:{port}"));
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    let mut onward = TcpStream::connect(("127.0.0.1", target)).await?;
    tokio::io::copy_bidirectional(&mut stream, &mut onward).await?;
    Ok(())
}

#[tokio::test]
async fn socks5_proxies_get_the_name_and_lead_anywhere() {
    let authority = Authority::new();
    let plain = serve(Router::new().route("/", get(echo))).await.port();
    let pair = authority.issue(&["far.invalid"]);
    let secure = TlsServer::default();
    let secure = secure
        .serve(&pair, Router::new().route("/", get(echo)))
        .await
        .port();
    for (url, target, wanted) in [
        ("http://far.invalid/", plain, "far.invalid:80"),
        ("https://far.invalid/", secure, "far.invalid:443"),
    ] {
        let (proxy, asked) = socks_proxy(target).await;
        let mut options = through(format!("socks5://user:word@127.0.0.1:{proxy}"));
        options.tls = TlsOptions {
            ca: secret(&authority.pem),
            ..TlsOptions::default()
        };
        let seen = lines(&client(options), url).await;
        // Not in absolute form: the proxy does not read what passes.
        assert!(seen[0].starts_with("GET / "), "{seen:?}");
        assert_eq!(*asked.lock().expect("unpoisoned"), [wanted]);
        let wrong = client(through(format!("socks5://user:wrong@127.0.0.1:{proxy}")));
        let why = cause(&wrong, url).await;
        assert!(why.starts_with("socks connect: "), "{why}");
    }
}
