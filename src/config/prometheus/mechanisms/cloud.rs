//! Mechanisms that ask a cloud provider.

use crate::config::http_client::{HTTP_CLIENT, TLS};
use crate::config::schema::Section;
use crate::config::schema::field::{
    boolean, duration, inline, int, list, path, secret, structure, text, texts,
};

static FILTER: Section = Section::new(
    "aws.EC2Filter",
    &[text("name").keep(), texts("values").keep()],
);

/// What every mechanism of AWS has.
static AWS_ACCOUNT: Section = Section::new(
    "aws.plain",
    &[
        text("endpoint").keep(),
        text("region").keep(),
        text("access_key"),
        secret("secret_key"),
        text("profile"),
        text("role_arn"),
        text("external_id"),
        duration("refresh_interval").or_secs(60),
    ],
);

pub(super) static EC2: Section = Section::new(
    "aws.plain",
    &[
        inline(&AWS_ACCOUNT),
        int("port").or_int(80).keep(),
        list("filters", &FILTER),
        inline(&HTTP_CLIENT),
    ],
);

pub(super) static LIGHTSAIL: Section = Section::new(
    "aws.plain",
    &[
        inline(&AWS_ACCOUNT),
        int("port").or_int(80).keep(),
        inline(&HTTP_CLIENT),
    ],
);

pub(super) static ECS: Section = Section::new(
    "aws.plain",
    &[
        inline(&AWS_ACCOUNT),
        texts("clusters"),
        int("port").or_int(80).keep(),
        int("request_concurrency").or_int(20),
        inline(&HTTP_CLIENT),
    ],
);

pub(super) static MSK: Section = Section::new(
    "aws.plain",
    &[
        inline(&AWS_ACCOUNT),
        texts("clusters"),
        int("port").or_int(80).keep(),
        int("request_concurrency").or_int(10),
        inline(&HTTP_CLIENT),
    ],
);

pub(super) static ELASTICACHE: Section = Section::new(
    "aws.plain",
    &[
        inline(&AWS_ACCOUNT),
        texts("clusters"),
        int("port").or_int(80).keep(),
        int("request_concurrency").or_int(10),
        inline(&HTTP_CLIENT),
    ],
);

pub(super) static RDS: Section = Section::new(
    "aws.plain",
    &[
        inline(&AWS_ACCOUNT),
        texts("clusters"),
        texts("instances"),
        list("filters", &FILTER),
        int("port").or_int(80).keep(),
        int("request_concurrency").or_int(10),
        inline(&HTTP_CLIENT),
    ],
);

pub(super) static MQ: Section = Section::new(
    "aws.plain",
    &[
        inline(&AWS_ACCOUNT),
        int("request_concurrency").or_int(10),
        inline(&HTTP_CLIENT),
    ],
);

pub(super) static AWS: Section = Section::new(
    "aws.plain",
    &[
        text("role").keep(),
        text("region"),
        text("endpoint"),
        text("access_key"),
        secret("secret_key"),
        text("profile"),
        text("role_arn"),
        text("external_id"),
        duration("refresh_interval"),
        int("port"),
        inline(&HTTP_CLIENT),
        list("filters", &FILTER),
        texts("clusters"),
        texts("instances"),
        int("request_concurrency"),
    ],
);

pub(super) static AZURE: Section = Section::new(
    "azure.plain",
    &[
        text("environment").or_text("AzurePublicCloud"),
        int("port").or_int(80).keep(),
        text("subscription_id").keep(),
        text("tenant_id"),
        text("client_id"),
        secret("client_secret"),
        duration("refresh_interval").or_secs(300),
        text("authentication_method").or_text("OAuth"),
        text("resource_group"),
        inline(&HTTP_CLIENT),
    ],
);

pub(super) static DIGITALOCEAN: Section = Section::new(
    "digitalocean.plain",
    &[
        text("role"),
        inline(&HTTP_CLIENT),
        duration("refresh_interval").or_secs(60).keep(),
        int("port").or_int(80).keep(),
    ],
);

pub(super) static GCE: Section = Section::new(
    "gce.plain",
    &[
        text("project").keep(),
        text("zone").keep(),
        text("filter"),
        duration("refresh_interval").or_secs(60),
        int("port").or_int(80).keep(),
        text("tag_separator").or_text(","),
    ],
);

pub(super) static HETZNER: Section = Section::new(
    "hetzner.plain",
    &[
        inline(&HTTP_CLIENT),
        duration("refresh_interval").or_secs(60).keep(),
        int("port").or_int(80).keep(),
        text("role").keep(),
        text("label_selector"),
    ],
);

pub(super) static IONOS: Section = Section::new(
    "ionos.plain",
    &[
        text("datacenter_id").keep(),
        inline(&HTTP_CLIENT),
        duration("refresh_interval").or_secs(60).keep(),
        int("port").or_int(80).keep(),
    ],
);

pub(super) static LINODE: Section = Section::new(
    "linode.plain",
    &[
        inline(&HTTP_CLIENT),
        duration("refresh_interval").or_secs(60).keep(),
        int("port").or_int(80).keep(),
        text("tag_separator").or_text(","),
        text("region"),
    ],
);

pub(super) static OCI: Section = Section::new(
    "oci.plain",
    &[
        text("auth").or_text("api_key"),
        text("tenancy"),
        text("user"),
        text("fingerprint"),
        path("key_file"),
        secret("key_passphrase"),
        path("key_passphrase_file"),
        text("region").keep(),
        texts("compartments"),
        inline(&HTTP_CLIENT),
        int("port").or_int(80).keep(),
        duration("refresh_interval").or_secs(60).keep(),
    ],
);

pub(super) static OPENSTACK: Section = Section::new(
    "openstack.plain",
    &[
        text("identity_endpoint").keep(),
        text("username").keep(),
        text("userid").keep(),
        secret("password").keep(),
        text("project_name").keep(),
        text("project_id").keep(),
        text("domain_name").keep(),
        text("domain_id").keep(),
        text("application_credential_name").keep(),
        text("application_credential_id").keep(),
        secret("application_credential_secret").keep(),
        text("role").keep(),
        text("region").keep(),
        duration("refresh_interval").or_secs(60).keep(),
        int("port").or_int(80).keep(),
        boolean("all_tenants").keep(),
        structure("tls_config", &TLS),
        text("availability").or_text("public"),
    ],
);

pub(super) static OUTSCALE: Section = Section::new(
    "outscale.plain",
    &[
        text("endpoint"),
        text("region").or_text("eu-west-2").keep(),
        text("access_key").keep(),
        secret("secret_key").keep(),
        path("secret_key_file").keep(),
        duration("refresh_interval").or_secs(60),
        int("port").or_int(80).keep(),
        inline(&HTTP_CLIENT),
    ],
);

pub(super) static OVHCLOUD: Section = Section::new(
    "ovhcloud.plain",
    &[
        text("endpoint").or_text("ovh-eu").keep(),
        text("application_key").keep(),
        secret("application_secret").keep(),
        secret("consumer_key").keep(),
        duration("refresh_interval").or_secs(60).keep(),
        text("service").keep(),
    ],
);

pub(super) static SCALEWAY: Section = Section::new(
    "scaleway.plain",
    &[
        text("project_id").keep(),
        text("api_url").or_text("https://api.scaleway.com").keep(),
        text("zone").or_text("fr-par-1").keep(),
        text("access_key").keep(),
        secret("secret_key").keep(),
        path("secret_key_file").keep(),
        text("name_filter"),
        texts("tags_filter"),
        inline(&HTTP_CLIENT),
        duration("refresh_interval").or_secs(60).keep(),
        int("port").or_int(80).keep(),
        text("role").keep(),
    ],
);

pub(super) static STACKIT: Section = Section::new(
    "stackit.plain",
    &[
        inline(&HTTP_CLIENT),
        duration("refresh_interval").or_secs(60).keep(),
        int("port").or_int(80).keep(),
        text("region").or_text("eu01").keep(),
        text("endpoint").keep(),
        text("project").keep(),
        secret("service_account_key").keep(),
        secret("private_key").keep(),
        path("service_account_key_path").keep(),
        path("private_key_path").keep(),
        path("credentials_file_path").keep(),
    ],
);

pub(super) static VULTR: Section = Section::new(
    "vultr.plain",
    &[
        inline(&HTTP_CLIENT),
        duration("refresh_interval").or_secs(60).keep(),
        int("port").or_int(80).keep(),
    ],
);
