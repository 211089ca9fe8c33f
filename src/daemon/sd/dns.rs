//! `dns_sd_configs`: resolvers are asked now and then.

use std::net::IpAddr;
use std::time::Instant;

use futures_util::future::join_all;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{RData, RecordType as Kind};
use hickory_resolver::{ResolverBuilder, TokioResolver};

use super::{Finds, Refreshes};
use crate::daemon::Clock;
use crate::discovery::dns::{self, Record};
use crate::discovery::{DnsOptions, RecordType, TargetGroup};

/// Asks and tells for ever.
pub(super) async fn run(owner: String, options: DnsOptions, finds: Finds, clock: Clock) {
    let refreshes = Refreshes::new(&finds.metrics, "dns", &owner);
    let lookups = finds.metrics.counter(
        "prometheus_sd_dns_lookups_total",
        "The number of DNS-SD lookups.",
    );
    let failures = finds.metrics.counter(
        "prometheus_sd_dns_lookup_failures_total",
        "The number of DNS-SD lookup failures.",
    );
    loop {
        let began = Instant::now();
        // The system's settings are read anew, so that a change of resolvers needs no restart.
        match TokioResolver::builder_tokio().and_then(finish) {
            Ok(resolver) => {
                lookups.add(options.names.len() as f64);
                let groups = refresh(&resolver, &owner, &options).await;
                failures.add((options.names.len() - groups.len()) as f64);
                finds.update(groups);
            }
            Err(why) => {
                refreshes.failures.inc();
                tracing::error!(job = owner, "could not load resolv.conf: {why}");
            }
        }
        refreshes.seconds.observe(began.elapsed().as_secs_f64());
        clock.sleep(options.refresh_interval).await;
    }
}

fn finish(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> Result<TokioResolver, NetError> {
    // Every refresh asks; what lives shorter than the interval must not be remembered.
    builder.options_mut().cache_size = 0;
    builder.build()
}

/// Asks for every name. Those about which there is no answer are left out.
async fn refresh(resolver: &TokioResolver, owner: &str, options: &DnsOptions) -> Vec<TargetGroup> {
    let asked = options
        .names
        .iter()
        .map(|name| ask(resolver, name, options));
    let mut groups = Vec::new();
    for (name, answer) in options.names.iter().zip(join_all(asked).await) {
        match answer {
            Ok(group) => groups.push(group),
            // compat: what a name resolved to before stays.
            Err(why) => {
                tracing::error!(job = owner, name, "Error refreshing DNS targets: {why}");
            }
        }
    }
    groups
}

async fn ask(
    resolver: &TokioResolver,
    name: &str,
    options: &DnsOptions,
) -> Result<TargetGroup, String> {
    let kind = match options.record_type {
        RecordType::Srv => Kind::SRV,
        RecordType::A => Kind::A,
        RecordType::Aaaa => Kind::AAAA,
        RecordType::Mx => Kind::MX,
        RecordType::Ns => Kind::NS,
    };
    let records = match resolver.lookup(name, kind).await {
        Ok(lookup) => lookup
            .answers()
            .iter()
            .filter_map(|r| record(&r.data))
            .collect(),
        // A name that does not exist is an answer too: it has no targets.
        Err(NetError::Dns(DnsError::NoRecordsFound(_))) => Vec::new(),
        Err(why) => return Err(why.to_string()),
    };
    Ok(dns::group(name, options.port, &records))
}

fn record(data: &RData) -> Option<Record> {
    Some(match data {
        RData::A(ip) => Record::Address(IpAddr::V4(ip.0)),
        RData::AAAA(ip) => Record::Address(IpAddr::V6(ip.0)),
        RData::SRV(srv) => Record::Srv {
            target: srv.target.to_ascii(),
            port: srv.port,
        },
        RData::MX(mx) => Record::Mx(mx.exchange.to_ascii()),
        RData::NS(ns) => Record::Ns(ns.0.to_ascii()),
        // compat: aliases on the way are passed over.
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
