use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{cause, client, lines};
use crate::daemon::testing::{self, Authority, TlsServer, echo, secret};
use crate::model::http_client::{ClientOptions, SecretSource, TlsOptions, TlsVersion};

fn router() -> Router {
    Router::new().route("/", get(echo))
}

fn with_tls(tls: TlsOptions) -> ClientOptions {
    ClientOptions {
        tls,
        ..ClientOptions::default()
    }
}

fn trusting(authority: &Authority) -> TlsOptions {
    TlsOptions {
        ca: secret(&authority.pem),
        ..TlsOptions::default()
    }
}

fn file(path: &Path) -> SecretSource {
    SecretSource::File(path.to_owned())
}

#[tokio::test]
async fn http2_is_spoken_where_both_sides_want_it() {
    let authority = Authority::new();
    let pair = authority.issue(&["localhost"]);
    let connections = Arc::new(AtomicUsize::new(0));
    let server = TlsServer {
        protocols: vec!["h2", "http/1.1"],
        connections: Arc::clone(&connections),
        ..TlsServer::default()
    };
    let port = server.serve(&pair, router()).await.port();
    let url = format!("https://localhost:{port}/");
    let modern = client(with_tls(trusting(&authority)));
    for _ in 0..3 {
        let seen = lines(&modern, &url).await;
        assert!(seen[0].ends_with("HTTP/2.0"), "{seen:?}");
        assert!(
            seen.contains(&"x-tls: TLSv1_3 h2 localhost".to_owned()),
            "{seen:?}"
        );
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    let plain = client(ClientOptions {
        enable_http2: false,
        ..with_tls(trusting(&authority))
    });
    let seen = lines(&plain, &url).await;
    assert!(seen[0].ends_with("HTTP/1.1"), "{seen:?}");
}

#[tokio::test]
async fn only_those_who_are_trusted_are_talked_to() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let pair = ours.issue(&["localhost"]);
    let port = TlsServer::default().serve(&pair, router()).await.port();
    let url = format!("https://localhost:{port}/");
    let strict = client(with_tls(trusting(&theirs)));
    assert_eq!(
        cause(&strict, &url).await,
        "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    );
    let careless = client(with_tls(TlsOptions {
        insecure_skip_verify: true,
        ..trusting(&theirs)
    }));
    assert!(lines(&careless, &url).await[0].starts_with("GET /"));
    let both = TlsOptions {
        ca: secret(&format!("{}{}", theirs.pem, ours.pem)),
        ..TlsOptions::default()
    };
    assert!(lines(&client(with_tls(both)), &url).await[0].starts_with("GET /"));
}

#[tokio::test]
async fn the_name_that_is_verified_can_be_given() {
    let authority = Authority::new();
    let pair = authority.issue(&["example.org"]);
    let port = TlsServer::default().serve(&pair, router()).await.port();
    let url = format!("https://127.0.0.1:{port}/");
    let by_address = client(with_tls(trusting(&authority)));
    assert_eq!(
        cause(&by_address, &url).await,
        "tls: failed to verify certificate: x509: certificate is valid for example.org, not 127.0.0.1"
    );
    let named = client(with_tls(TlsOptions {
        server_name: "example.org".to_owned(),
        ..trusting(&authority)
    }));
    let seen = lines(&named, &url).await;
    assert!(
        seen.contains(&"x-tls: TLSv1_3 none example.org".to_owned()),
        "{seen:?}"
    );
    assert!(
        seen.contains(&format!("host: 127.0.0.1:{port}")),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_self_signed_certificate_may_be_its_own_authority() {
    let pair = testing::self_signed_authority("localhost");
    let port = TlsServer::default().serve(&pair, router()).await.port();
    let trusting = TlsOptions {
        ca: secret(&pair.cert),
        ..TlsOptions::default()
    };
    let known = client(with_tls(trusting));
    let url = format!("https://localhost:{port}/");
    assert!(lines(&known, &url).await[0].starts_with("GET /"));
    let other_name = format!("https://127.0.0.1:{port}/");
    let why = cause(&known, &other_name).await;
    assert!(why.contains("failed to verify certificate"), "{why}");
}

#[tokio::test]
async fn our_certificate_is_read_again_when_it_changes() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let pair = authority.issue(&["localhost"]);
    let server = TlsServer {
        clients_of: Some(authority.pem.clone()),
        ..TlsServer::default()
    };
    let port = server.serve(&pair, router()).await.port();
    let url = format!("https://localhost:{port}/");
    let anonymous = client(with_tls(trusting(&authority)));
    assert_eq!(
        cause(&anonymous, &url).await,
        "remote error: tls: certificate required"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    let write = |authority: &Authority| {
        let ours = authority.issue(&["us"]);
        std::fs::write(&cert, ours.cert).expect("writes");
        std::fs::write(&key, ours.key).expect("writes");
    };
    write(&stranger);
    let ours = client(with_tls(TlsOptions {
        cert: file(&cert),
        key: file(&key),
        ..trusting(&authority)
    }));
    let why = cause(&ours, &url).await;
    assert!(why.starts_with("remote error: tls: "), "{why}");
    write(&authority);
    assert!(lines(&ours, &url).await[0].starts_with("GET /"));
    write(&stranger);
    let why = cause(&ours, &url).await;
    assert!(
        why.starts_with("remote error: tls: "),
        "kept the old connection: {why}"
    );
}

#[tokio::test]
async fn authorities_are_read_again_when_they_change() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let pair = ours.issue(&["localhost"]);
    let port = TlsServer::default().serve(&pair, router()).await.port();
    let url = format!("https://localhost:{port}/");
    let ca = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(ca.path(), &theirs.pem).expect("writes");
    let client = client(with_tls(TlsOptions {
        ca: file(ca.path()),
        ..TlsOptions::default()
    }));
    let why = cause(&client, &url).await;
    assert!(why.contains("unknown authority"), "{why}");
    std::fs::write(ca.path(), &ours.pem).expect("writes");
    assert!(lines(&client, &url).await[0].starts_with("GET /"));
    std::fs::remove_file(ca.path()).expect("removes");
    let why = cause(&client, &url).await;
    assert!(
        why.starts_with("unable to read CA cert: unable to read file"),
        "{why}"
    );
}

#[tokio::test]
async fn versions_are_bounded_from_both_sides() {
    let authority = Authority::new();
    let pair = authority.issue(&["localhost"]);
    let modern = TlsServer::default().serve(&pair, router()).await.port();
    let old = TlsServer {
        versions: vec![&rustls::version::TLS12],
        ..TlsServer::default()
    };
    let old = old.serve(&pair, router()).await.port();
    let bounded = |min, max| {
        client(with_tls(TlsOptions {
            min_version: min,
            max_version: max,
            ..trusting(&authority)
        }))
    };
    let at_most_12 = bounded(None, Some(TlsVersion::Tls12));
    let seen = lines(&at_most_12, &format!("https://localhost:{modern}/")).await;
    assert!(
        seen.contains(&"x-tls: TLSv1_2 none localhost".to_owned()),
        "{seen:?}"
    );
    let at_least_13 = bounded(Some(TlsVersion::Tls13), None);
    let url = format!("https://localhost:{old}/");
    assert_eq!(
        cause(&at_least_13, &url).await,
        "remote error: tls: protocol version not supported"
    );
    let too_old = bounded(None, Some(TlsVersion::Tls11));
    let why = cause(&too_old, &url).await;
    assert!(why.contains("below TLS 1.2"), "{why}");
}

#[tokio::test]
async fn who_does_not_speak_tls_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            let mut hello = [0; 64];
            let _ = stream.read(&mut hello).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let client = client(ClientOptions::default());
    assert_eq!(
        cause(&client, &format!("https://localhost:{port}/")).await,
        "tls: first record does not look like a TLS handshake"
    );
}
