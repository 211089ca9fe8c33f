//! Every service-discovery section of upstream: fields, defaults and checks.

mod checks;
mod cloud;
mod kubernetes;
mod network;

use crate::config::http_client;
use crate::config::schema::{Record, Section};
use crate::discovery::{DnsOptions, FileOptions, HttpOptions, Options, RecordType};
use crate::text::yaml::Decoder;

/// One kind of section.
#[derive(Debug)]
pub(super) struct Mechanism {
    /// The field in `scrape_configs` and `alertmanagers`.
    pub(super) field: &'static str,
    pub(super) section: &'static Section,
    check: fn(&Decoder, &mut Record),
}

impl Mechanism {
    const fn new(
        field: &'static str,
        section: &'static Section,
        check: fn(&Decoder, &mut Record),
    ) -> Self {
        Self {
            field,
            section,
            check,
        }
    }

    /// Checks a section that was read.
    pub(super) fn check(&self, decoder: &Decoder, record: &mut Record) {
        (self.check)(decoder, record);
        if http_client::is_part_of(record) {
            http_client::check(decoder, record);
        }
    }

    /// The options that a checked section stands for. File names must have been joined to their folder.
    pub(super) fn options(&self, record: &Record) -> Options {
        match self.field {
            "file_sd_configs" => Options::File(FileOptions {
                files: record.texts("files").to_vec(),
                refresh_interval: record.duration("refresh_interval"),
            }),
            "http_sd_configs" => Options::Http(Box::new(HttpOptions {
                url: record.text("url").to_owned(),
                refresh_interval: record.duration("refresh_interval"),
                client: http_client::options(record),
            })),
            "dns_sd_configs" => Options::Dns(DnsOptions {
                names: record.texts("names").to_vec(),
                refresh_interval: record.duration("refresh_interval"),
                record_type: RecordType::parse(record.text("type")).unwrap_or_default(),
                port: u16::try_from(record.int("port")).unwrap_or(0),
            }),
            kind => Options::Unsupported { kind },
        }
    }
}

/// All kinds, in the order of their names.
pub(super) static ALL: [Mechanism; 37] = [
    Mechanism::new("aws_sd_configs", &cloud::AWS, checks::aws),
    Mechanism::new("azure_sd_configs", &cloud::AZURE, checks::azure),
    Mechanism::new("consul_sd_configs", &network::CONSUL, checks::consul),
    Mechanism::new(
        "digitalocean_sd_configs",
        &cloud::DIGITALOCEAN,
        checks::nothing,
    ),
    Mechanism::new("dns_sd_configs", &network::DNS, checks::dns),
    Mechanism::new("docker_sd_configs", &network::DOCKER, checks::docker),
    Mechanism::new(
        "dockerswarm_sd_configs",
        &network::DOCKERSWARM,
        checks::dockerswarm,
    ),
    Mechanism::new("ec2_sd_configs", &cloud::EC2, checks::ec2),
    Mechanism::new("ecs_sd_configs", &cloud::ECS, checks::nothing),
    Mechanism::new(
        "elasticache_sd_configs",
        &cloud::ELASTICACHE,
        checks::nothing,
    ),
    Mechanism::new("eureka_sd_configs", &network::EUREKA, checks::eureka),
    Mechanism::new("file_sd_configs", &network::FILE, checks::file),
    Mechanism::new("gce_sd_configs", &cloud::GCE, checks::gce),
    Mechanism::new("hetzner_sd_configs", &cloud::HETZNER, checks::hetzner),
    Mechanism::new("http_sd_configs", &network::HTTP, checks::http),
    Mechanism::new("ionos_sd_configs", &cloud::IONOS, checks::ionos),
    Mechanism::new(
        "kubernetes_sd_configs",
        &kubernetes::KUBERNETES,
        kubernetes::check,
    ),
    Mechanism::new("kuma_sd_configs", &network::KUMA, checks::kuma),
    Mechanism::new("lightsail_sd_configs", &cloud::LIGHTSAIL, checks::nothing),
    Mechanism::new("linode_sd_configs", &cloud::LINODE, checks::nothing),
    Mechanism::new("marathon_sd_configs", &network::MARATHON, checks::marathon),
    Mechanism::new("mq_sd_configs", &cloud::MQ, checks::nothing),
    Mechanism::new("msk_sd_configs", &cloud::MSK, checks::nothing),
    Mechanism::new("nerve_sd_configs", &network::NERVE, checks::nerve),
    Mechanism::new("nomad_sd_configs", &network::NOMAD, checks::nomad),
    Mechanism::new("oci_sd_configs", &cloud::OCI, checks::oci),
    Mechanism::new("openstack_sd_configs", &cloud::OPENSTACK, checks::openstack),
    Mechanism::new("outscale_sd_configs", &cloud::OUTSCALE, checks::outscale),
    Mechanism::new("ovhcloud_sd_configs", &cloud::OVHCLOUD, checks::ovhcloud),
    Mechanism::new("puppetdb_sd_configs", &network::PUPPETDB, checks::puppetdb),
    Mechanism::new("rds_sd_configs", &cloud::RDS, checks::nothing),
    Mechanism::new("scaleway_sd_configs", &cloud::SCALEWAY, checks::scaleway),
    Mechanism::new(
        "serverset_sd_configs",
        &network::SERVERSET,
        checks::serverset,
    ),
    Mechanism::new("stackit_sd_configs", &cloud::STACKIT, checks::stackit),
    Mechanism::new("triton_sd_configs", &network::TRITON, checks::triton),
    Mechanism::new("uyuni_sd_configs", &network::UYUNI, checks::uyuni),
    Mechanism::new("vultr_sd_configs", &cloud::VULTR, checks::nothing),
];
