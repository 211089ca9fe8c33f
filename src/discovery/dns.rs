//! `dns_sd_configs`: what a resolver's answer says.

use std::net::IpAddr;

use crate::model::{Labels, LabelsBuilder};

use super::TargetGroup;

/// One record of an answer. Names are as the resolver gave them, the final dot included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An address.
    Address(IpAddr),
    /// A service.
    Srv {
        /// The host.
        target: String,
        /// Its port.
        port: u16,
    },
    /// A mail exchanger.
    Mx(String),
    /// A name server.
    Ns(String),
}

/// The group of `name`: a target for each record. `port` is for records that have none. An empty
/// answer is an empty group, which removes earlier targets.
pub fn group(name: &str, port: u16, records: &[Record]) -> TargetGroup {
    TargetGroup {
        source: name.to_owned(),
        labels: Labels::empty(),
        targets: records
            .iter()
            .map(|record| target(name, port, record))
            .collect(),
    }
}

fn target(name: &str, port: u16, record: &Record) -> Labels {
    let mut labels = LabelsBuilder::from(&Labels::empty());
    labels.set("__meta_dns_name", name);
    let address = match record {
        Record::Address(IpAddr::V4(ip)) => format!("{ip}:{port}"),
        Record::Address(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
        Record::Srv { target, port } => {
            labels.set("__meta_dns_srv_record_target", target);
            labels.set("__meta_dns_srv_record_port", &port.to_string());
            host_port(target, *port)
        }
        Record::Mx(host) => {
            labels.set("__meta_dns_mx_record_target", host);
            host_port(host, port)
        }
        Record::Ns(host) => {
            labels.set("__meta_dns_ns_record_target", host);
            host_port(host, port)
        }
    };
    labels.set("__address__", &address);
    labels.build()
}

/// compat: the final dot of a rooted name is left out of the address, but not of the meta labels.
fn host_port(host: &str, port: u16) -> String {
    format!("{}:{port}", host.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_become_targets_with_upstreams_labels() {
        let records = [
            Record::Srv {
                target: "db.example.com.".to_owned(),
                port: 3306,
            },
            Record::Address("2001:db8::1".parse().unwrap()),
            Record::Mx("mail.example.com.".to_owned()),
        ];
        let group = group("_mysql._tcp.db", 80, &records);
        assert_eq!(group.source, "_mysql._tcp.db");
        let texts: Vec<String> = group.targets.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                r#"{__address__="db.example.com:3306", __meta_dns_name="_mysql._tcp.db", __meta_dns_srv_record_port="3306", __meta_dns_srv_record_target="db.example.com."}"#,
                r#"{__address__="[2001:db8::1]:80", __meta_dns_name="_mysql._tcp.db"}"#,
                r#"{__address__="mail.example.com:80", __meta_dns_mx_record_target="mail.example.com.", __meta_dns_name="_mysql._tcp.db"}"#,
            ]
        );
    }
}
