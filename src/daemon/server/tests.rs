use std::path::Path;

use axum::routing::get;
use rcgen::{CertificateParams, SanType};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;

use super::*;
use crate::daemon::net::{Client, Error, Request, Response};
use crate::daemon::testing::{Authority, Pair, secret, self_signed_authority};
use crate::model::http_client::{BasicAuth, ClientOptions, TlsVersion};

/// Long, because it ends a hang and measures nothing.
const TIMEOUT: Duration = Duration::from_mins(1);

fn bounds(read_timeout: Duration) -> Bounds {
    Bounds {
        connections: Arc::new(Semaphore::new(8)),
        read_timeout,
    }
}

/// Sends `text` to a server that echoes query and body, and gives what comes back until it hangs up.
async fn exchange(text: &str, read_timeout: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound");
    let (_stop, stopped) = watch::channel(false);
    let echo = |request: axum::extract::Request| async move {
        let query = request.uri().query().unwrap_or_default().to_owned();
        match axum::body::to_bytes(request.into_body(), 100).await {
            Ok(body) => format!("[{query} {}]", String::from_utf8_lossy(&body)),
            Err(_) => "[no body]".to_owned(),
        }
    };
    let router = Router::new().route("/q", axum::routing::any(echo));
    tokio::spawn(serve(listener, router, None, bounds(read_timeout), stopped));
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(text.as_bytes()).await.expect("writes");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("reads");
    answer
}

#[tokio::test]
async fn raw_quotes_in_a_query_are_taken_as_go_takes_them() {
    let answer = exchange(
        "GET /q?query=up{job=\"x\"}>0 HTTP/1.1\r\nHost: x\r\n\r\n\
         POST /q?a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n\"<\"\
         GET /q?<> HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        Duration::from_secs(30),
    )
    .await;
    for part in ["[query=up{job=%22x%22}%3E0 ]", "[a \"<\"]", "[%3C%3E ]"] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
}

#[tokio::test]
async fn a_request_that_does_not_arrive_in_time_is_given_up() {
    let timeout = Duration::from_millis(100);
    let head = exchange("GET /q HTTP/1.1\r\nHost: x\r\n", timeout).await;
    assert!(!head.contains("200 OK"), "{head}");
    let body = "POST /q HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nConnection: close\r\n\r\nab";
    let answer = exchange(body, timeout).await;
    assert!(answer.contains("[no body]"), "{answer}");
}

#[tokio::test]
async fn requests_that_run_may_finish_when_the_end_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound");
    let (stop, stopped) = watch::channel(false);
    let (begun, running) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, go_on) = (Arc::clone(&begun), Arc::clone(&running));
    let slow = move || async move {
        tell.notify_one();
        go_on.notified().await;
        "done"
    };
    let router = Router::new().route("/slow", get(slow));
    let limits = bounds(Duration::from_mins(1));
    let server = tokio::spawn(serve(listener, router, None, limits, stopped));
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream
        .write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("writes");
    begun.notified().await;
    stop.send(true).expect("the server listens");
    running.notify_one();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("reads");
    assert!(answer.ends_with("done"), "{answer}");
    server.await.expect("ends");
}

/// A server with a `web.yml` in a folder of its own.
struct Served {
    folder: TempDir,
    port: u16,
    authority: Authority,
    _stop: watch::Sender<bool>,
}

impl Served {
    /// Serves with what `web.yml` says; `cert.pem` and `key.pem` lie beside it, and `clients.pem` holds the
    /// authority that signed them.
    async fn start(web: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("writes");
        };
        let pair = authority.issue(&["localhost"]);
        write("cert.pem", &pair.cert);
        write("key.pem", &pair.key);
        write("clients.pem", &authority.pem);
        write("web.yml", web);
        let web = Web::open(&folder.path().join("web.yml")).expect("a good file");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("bound").port();
        let (stop, stopped) = watch::channel(false);
        let router = Router::new().route("/", get(|| async { "in" }));
        let limits = bounds(Duration::from_mins(1));
        tokio::spawn(serve(
            listener,
            router,
            Some(Arc::new(web)),
            limits,
            stopped,
        ));
        Self {
            folder,
            port,
            authority,
            _stop: stop,
        }
    }

    fn rewrite(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("writes");
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}/", self.port)
    }

    /// Asks over TLS, with a certificate or without.
    async fn ask(&self, pair: Option<&Pair>) -> Result<Response, Error> {
        let mut options = ClientOptions::default();
        options.tls.ca = secret(&self.authority.pem);
        if let Some(pair) = pair {
            options.tls.cert = secret(&pair.cert);
            options.tls.key = secret(&pair.key);
        }
        self.ask_as(&options).await
    }

    async fn ask_as(&self, options: &ClientOptions) -> Result<Response, Error> {
        let client = Client::new(options).expect("valid options");
        client.send(Request::get(self.url("https"), TIMEOUT)).await
    }
}

const TLS: &str = "tls_server_config: {cert_file: cert.pem, key_file: key.pem";

fn as_user(name: &str, password: &str) -> ClientOptions {
    ClientOptions {
        basic_auth: Some(BasicAuth {
            username: secret(name),
            password: secret(password),
        }),
        ..ClientOptions::default()
    }
}

fn status(answer: Result<Response, Error>) -> u16 {
    answer.expect("answers").status.as_u16()
}

async fn status_of(client: Client, url: String) -> u16 {
    status(client.send(Request::get(url, TIMEOUT)).await)
}

fn users(password: &str) -> String {
    let hash = bcrypt::hash(password, 4).expect("hashes");
    format!("basic_auth_users: {{alice: '{hash}'}}\n")
}

#[tokio::test]
async fn passwords_hold_from_the_next_request_on_even_on_an_open_connection() {
    let served = Served::start(&users("one")).await;
    let url = served.url("http");
    let client = Client::new(&as_user("alice", "one")).expect("valid options");
    let other = Client::new(&as_user("alice", "two")).expect("valid options");
    let stranger = Client::new(&as_user("bob", "one")).expect("valid options");
    let anonymous = Client::new(&ClientOptions::default()).expect("valid options");
    let ask = |client: &Client| status_of(client.clone(), url.clone());
    for _ in 0..2 {
        assert_eq!(ask(&client).await, 200);
        assert_eq!(ask(&other).await, 401);
    }
    assert_eq!(ask(&stranger).await, 401);
    assert_eq!(ask(&anonymous).await, 401);
    served.rewrite("web.yml", &users("two"));
    assert_eq!(ask(&client).await, 401);
    assert_eq!(ask(&other).await, 200);
    served.rewrite("web.yml", "basic_auth_users: [");
    assert_eq!(ask(&other).await, 500);
    served.rewrite("web.yml", "");
    assert_eq!(ask(&anonymous).await, 200);
}

#[tokio::test]
async fn headers_stand_on_refusals_too() {
    let text = "http_server_config: {headers: {X-Frame-Options: deny, Strict-Transport-Security: max-age=9}}\n";
    let served = Served::start(&format!("{text}{}", users("one"))).await;
    let ask = async |options: ClientOptions| {
        let client = Client::new(&options).expect("valid options");
        let request = Request::get(served.url("http"), TIMEOUT);
        client.send(request).await.expect("answers")
    };
    for options in [as_user("alice", "one"), ClientOptions::default()] {
        let answer = ask(options).await;
        assert_eq!(answer.header("x-frame-options"), "deny");
        assert_eq!(answer.header("strict-transport-security"), "max-age=9");
    }
    let refused = ask(ClientOptions::default()).await;
    assert_eq!(refused.header("www-authenticate"), "Basic");
    assert_eq!(&refused.body[..], b"Unauthorized\n");
}

#[tokio::test]
async fn requests_beyond_the_rate_are_told_so() {
    let served = Served::start("rate_limit: {burst: 2, interval: 10h}").await;
    let client = Client::new(&ClientOptions::default()).expect("valid options");
    let url = served.url("http");
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(status_of(client.clone(), url.clone()).await);
    }
    assert_eq!(seen, [200, 200, 429, 429]);
    served.rewrite("web.yml", "rate_limit: {burst: 9, interval: 10h}");
    assert_eq!(status_of(client, url).await, 200);
}

#[tokio::test]
async fn certificates_are_read_again_when_they_change() {
    let served = Served::start(&format!("{TLS}}}")).await;
    assert_eq!(status(served.ask(None).await), 200);
    let other = self_signed_authority("localhost");
    served.rewrite("cert.pem", &other.cert);
    served.rewrite("key.pem", &other.key);
    let why = served
        .ask(None)
        .await
        .expect_err("another authority")
        .to_string();
    assert!(why.contains("unknown authority"), "{why}");
    let mut options = ClientOptions::default();
    options.tls.ca = secret(&other.cert);
    assert_eq!(status(served.ask_as(&options).await), 200);
}

#[tokio::test]
async fn each_kind_of_client_authentication_admits_whom_it_names() {
    let stranger = Authority::new().issue(&["someone"]);
    for (kind, known_too, strange_too, nobody_too) in [
        ("NoClientCert", true, true, true),
        ("RequestClientCert", true, true, true),
        ("RequireAnyClientCert", true, true, false),
        ("VerifyClientCertIfGiven", true, false, true),
        ("RequireAndVerifyClientCert", true, false, false),
    ] {
        let ca = match kind {
            "NoClientCert" => "",
            _ => ", client_ca_file: clients.pem",
        };
        let served = Served::start(&format!("{TLS}, client_auth_type: {kind}{ca}}}")).await;
        let known = served.authority.issue(&["us"]);
        let admitted = async |pair: Option<&Pair>| served.ask(pair).await.is_ok();
        assert_eq!(admitted(Some(&known)).await, known_too, "{kind}, known");
        assert_eq!(
            admitted(Some(&stranger)).await,
            strange_too,
            "{kind}, strange"
        );
        assert_eq!(admitted(None).await, nobody_too, "{kind}, nobody");
    }
}

#[tokio::test]
async fn a_client_needs_one_of_the_names_to_the_letter() {
    let text = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: clients.pem, \
                client_allowed_sans: [good.example, 'ops@example.org', '10.0.0.7', '::1', 'spiffe://a/b', '*.wild.example']";
    let served = Served::start(&format!("{TLS}, {text}}}")).await;
    let mail = |text: &str| SanType::Rfc822Name(text.try_into().expect("ASCII"));
    let uri = |text: &str| SanType::URI(text.try_into().expect("ASCII"));
    let dns = |text: &str| SanType::DnsName(text.try_into().expect("ASCII"));
    let ip = |text: &str| SanType::IpAddress(text.parse().expect("an address"));
    for (san, good) in [
        (dns("good.example"), true),
        (dns("bad.example"), false),
        (dns("a.wild.example"), false),
        (dns("*.wild.example"), true),
        (mail("ops@example.org"), true),
        (mail("dev@example.org"), false),
        (ip("10.0.0.7"), true),
        (ip("10.0.0.8"), false),
        (ip("::1"), true),
        (uri("spiffe://a/b"), true),
        (uri("spiffe://a/c"), false),
    ] {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![dns("other.example"), san.clone()];
        let pair = served.authority.sign(&params);
        assert_eq!(served.ask(Some(&pair)).await.is_ok(), good, "{san:?}");
    }
}

#[tokio::test]
async fn versions_suites_and_protocols_are_as_the_file_says() {
    let at_most = |version| {
        let mut options = ClientOptions::default();
        options.tls.max_version = Some(version);
        options.tls.insecure_skip_verify = true;
        options
    };
    let served = Served::start(&format!("{TLS}, min_version: TLS13}}")).await;
    assert!(served.ask_as(&at_most(TlsVersion::Tls12)).await.is_err());
    assert_eq!(
        status(served.ask_as(&at_most(TlsVersion::Tls13)).await),
        200
    );
    // A suite for RSA alone has nothing to say to a key on a curve.
    let rsa = "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]";
    let served = Served::start(&format!("{TLS}, {rsa}}}")).await;
    assert!(served.ask_as(&at_most(TlsVersion::Tls12)).await.is_err());
    assert_eq!(
        status(served.ask_as(&at_most(TlsVersion::Tls13)).await),
        200
    );
}

#[tokio::test]
async fn http2_is_spoken_over_tls_unless_it_is_switched_off() {
    async fn spoken(served: &Served) -> Option<Vec<u8>> {
        let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .expect("good versions")
        .with_root_certificates(roots(&served.authority))
        .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = TcpStream::connect(("127.0.0.1", served.port))
            .await
            .expect("connects");
        let name = "localhost".try_into().expect("a name");
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, stream).await.expect("shakes hands");
        stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec)
    }
    let modern = Served::start(&format!("{TLS}}}")).await;
    assert_eq!(spoken(&modern).await.as_deref(), Some(&b"h2"[..]));
    assert_eq!(status(modern.ask(None).await), 200);
    let plain = Served::start(&format!("{TLS}}}\nhttp_server_config: {{http2: false}}\n")).await;
    assert_eq!(spoken(&plain).await.as_deref(), Some(&b"http/1.1"[..]));
    assert_eq!(status(plain.ask(None).await), 200);
}

fn roots(authority: &Authority) -> rustls::RootCertStore {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    let der = CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("good PEM");
    roots.add(der).expect("an authority");
    roots
}

#[test]
fn what_cannot_be_spoken_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = self_signed_authority("localhost");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writes");
        path
    };
    write("cert.pem", &pair.cert);
    write("key.pem", &pair.key);
    let why = |more: &str| {
        let path: &Path = &write("web.yml", &format!("{TLS}{more}}}"));
        Web::open(path).expect_err("refused")
    };
    for (more, wanted) in [
        (
            ", max_version: TLS11, min_version: TLS10",
            "TLS12 and TLS13 are spoken here",
        ),
        (
            ", curve_preferences: [CurveP521]",
            "none of curve_preferences is spoken here: CurveP521",
        ),
        (
            ", max_version: TLS12, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]",
            "none of cipher_suites is spoken here: TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        ),
    ] {
        let text = why(more);
        assert!(text.contains(wanted), "{text}");
    }
    write("key.pem", &self_signed_authority("other").key);
    let text = why("");
    assert!(text.contains("failed to load X509KeyPair"), "{text}");
}
