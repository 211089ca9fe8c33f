use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, CNAME, MX, NS, SRV};
use hickory_resolver::proto::rr::{Name, Record as Resource};
use tokio::net::UdpSocket;

use super::*;
use crate::time::Span;

fn name(text: &str) -> Name {
    Name::from_str(text).unwrap()
}

#[test]
fn records_are_told_as_the_core_wants_them_and_aliases_left_out() {
    let srv = RData::SRV(SRV::new(1, 2, 3306, name("db.example.com.")));
    let wanted = Record::Srv {
        target: "db.example.com.".to_owned(),
        port: 3306,
    };
    assert_eq!(record(&srv), Some(wanted));
    let a = RData::A(A::new(10, 0, 0, 1));
    let wanted = Record::Address("10.0.0.1".parse().unwrap());
    assert_eq!(record(&a), Some(wanted));
    assert_eq!(record(&RData::CNAME(CNAME(name("x.")))), None);
}

/// What the zone of the tests holds.
fn zone(kind: Kind, name_asked: &str) -> Option<Vec<RData>> {
    Some(match (kind, name_asked) {
        (Kind::A, "web.example.") => {
            vec![RData::A(A::new(10, 0, 0, 1)), RData::A(A::new(10, 0, 0, 2))]
        }
        (Kind::AAAA, "web.example.") => vec![RData::AAAA("2001:db8::1".parse().unwrap())],
        (Kind::SRV, "_db._tcp.example.") => vec![
            RData::SRV(SRV::new(1, 1, 3306, name("db1.example."))),
            RData::SRV(SRV::new(1, 1, 3307, name("db2.example."))),
        ],
        (Kind::MX, "example.") => vec![RData::MX(MX::new(10, name("mail.example.")))],
        (Kind::NS, "example.") => vec![RData::NS(NS(name("ns.example.")))],
        _ => return None,
    })
}

/// A name server in this process. While `broken` it fails; names that it does not have do not exist.
async fn name_server(broken: Arc<AtomicBool>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut packet = [0; 1500];
        loop {
            let (length, asker) = socket.recv_from(&mut packet).await.unwrap();
            let question = Message::from_vec(&packet[..length]).unwrap();
            let query = question.queries[0].clone();
            let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
            let found = zone(query.query_type(), &query.name().to_ascii());
            answer.metadata.response_code = match &found {
                _ if broken.load(Ordering::SeqCst) => ResponseCode::ServFail,
                None => ResponseCode::NXDomain,
                Some(_) => ResponseCode::NoError,
            };
            for data in found.into_iter().flatten() {
                answer.add_answer(Resource::from_rdata(query.name().clone(), 60, data));
            }
            answer.add_query(query);
            let _ = socket.send_to(&answer.to_vec().unwrap(), asker).await;
        }
    });
    address
}

fn resolver_at(server: SocketAddr) -> TokioResolver {
    let mut connection = ConnectionConfig::udp();
    connection.port = server.port();
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let server = NameServerConfig::new(ip, true, vec![connection]);
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    finish(builder).unwrap()
}

fn options(names: &[&str], record_type: RecordType) -> DnsOptions {
    DnsOptions {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        refresh_interval: Span::seconds(30),
        record_type,
        port: 9100,
    }
}

fn targets(groups: &[TargetGroup]) -> Vec<String> {
    let all = groups.iter().flat_map(|group| &group.targets);
    let mut all: Vec<String> = all.map(ToString::to_string).collect();
    all.sort();
    all
}

#[tokio::test]
async fn each_kind_of_record_becomes_targets() {
    let resolver = resolver_at(name_server(Arc::default()).await);
    for (name, kind, wanted) in [
        (
            "web.example.",
            RecordType::A,
            &[
                r#"{__address__="10.0.0.1:9100", __meta_dns_name="web.example."}"#,
                r#"{__address__="10.0.0.2:9100", __meta_dns_name="web.example."}"#,
            ][..],
        ),
        (
            "web.example.",
            RecordType::Aaaa,
            &[r#"{__address__="[2001:db8::1]:9100", __meta_dns_name="web.example."}"#],
        ),
        (
            "_db._tcp.example.",
            RecordType::Srv,
            &[
                r#"{__address__="db1.example:3306", __meta_dns_name="_db._tcp.example.", __meta_dns_srv_record_port="3306", __meta_dns_srv_record_target="db1.example."}"#,
                r#"{__address__="db2.example:3307", __meta_dns_name="_db._tcp.example.", __meta_dns_srv_record_port="3307", __meta_dns_srv_record_target="db2.example."}"#,
            ],
        ),
        (
            "example.",
            RecordType::Mx,
            &[
                r#"{__address__="mail.example:9100", __meta_dns_mx_record_target="mail.example.", __meta_dns_name="example."}"#,
            ],
        ),
        (
            "example.",
            RecordType::Ns,
            &[
                r#"{__address__="ns.example:9100", __meta_dns_name="example.", __meta_dns_ns_record_target="ns.example."}"#,
            ],
        ),
    ] {
        let groups = refresh(&resolver, "job", &options(&[name], kind)).await;
        assert_eq!(targets(&groups), wanted, "{name} {kind:?}");
        assert_eq!(groups[0].source, name);
    }
}

#[tokio::test]
async fn a_name_that_is_gone_has_no_targets_and_a_failure_tells_nothing() {
    let broken = Arc::new(AtomicBool::new(false));
    let resolver = resolver_at(name_server(Arc::clone(&broken)).await);
    let both = options(&["web.example.", "gone.example."], RecordType::A);
    let groups = refresh(&resolver, "job", &both).await;
    let counts: Vec<usize> = groups.iter().map(|group| group.targets.len()).collect();
    assert_eq!(counts, [2, 0]);
    broken.store(true, Ordering::SeqCst);
    assert!(refresh(&resolver, "job", &both).await.is_empty());
}
