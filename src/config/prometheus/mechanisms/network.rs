//! Mechanisms that ask a service in the user's own network.

use crate::config::http_client::{HTTP_CLIENT, TLS};
use crate::config::schema::Section;
use crate::config::schema::field::{
    boolean, duration, inline, int, list, path, paths, secret, structure, text, text_map, texts,
    url,
};

pub(super) static CONSUL: Section = Section::new(
    "consul.plain",
    &[
        text("server").or_text("localhost:8500"),
        text("path_prefix"),
        secret("token"),
        text("datacenter"),
        text("namespace"),
        text("partition"),
        text("tag_separator").or_text(","),
        text("scheme").or_text("http"),
        text("username"),
        secret("password"),
        boolean("allow_stale").or_true().keep(),
        duration("refresh_interval").or_secs(30),
        texts("services"),
        texts("tags"),
        text_map("node_meta"),
        text("filter"),
        text("health_filter"),
        inline(&HTTP_CLIENT),
    ],
);

pub(super) static DNS: Section = Section::new(
    "dns.plain",
    &[
        texts("names").keep(),
        duration("refresh_interval").or_secs(30),
        text("type").or_text("SRV").keep(),
        int("port").keep(),
    ],
);

static FILTER: Section = Section::new(
    "moby.Filter",
    &[text("name").keep(), texts("values").keep()],
);

pub(super) static DOCKER: Section = Section::new(
    "moby.plain",
    &[
        inline(&HTTP_CLIENT),
        text("host").keep(),
        int("port").or_int(80).keep(),
        list("filters", &FILTER).keep(),
        text("host_networking_host").or_text("localhost").keep(),
        duration("refresh_interval").or_secs(60).keep(),
        boolean("match_first_network").or_true().keep(),
    ],
);

pub(super) static DOCKERSWARM: Section = Section::new(
    "moby.plain",
    &[
        inline(&HTTP_CLIENT),
        text("host").keep(),
        text("role").keep(),
        int("port").or_int(80).keep(),
        list("filters", &FILTER).keep(),
        duration("refresh_interval").or_secs(60).keep(),
    ],
);

pub(super) static EUREKA: Section = Section::new(
    "eureka.plain",
    &[
        text("server"),
        inline(&HTTP_CLIENT),
        duration("refresh_interval").or_secs(30),
    ],
);

pub(super) static FILE: Section = Section::new(
    "file.plain",
    &[
        paths("files").keep(),
        duration("refresh_interval").or_secs(300),
    ],
);

pub(super) static HTTP: Section = Section::new(
    "http.plain",
    &[
        inline(&HTTP_CLIENT),
        duration("refresh_interval").or_secs(60),
        text("url").keep(),
    ],
);

pub(super) static KUMA: Section = Section::new(
    "xds.plainKumaConf",
    &[
        inline(&HTTP_CLIENT),
        duration("refresh_interval").or_secs(30),
        duration("fetch_timeout").or_secs(120),
        text("server"),
        text("client_id"),
    ],
);

pub(super) static MARATHON: Section = Section::new(
    "marathon.plain",
    &[
        texts("servers"),
        duration("refresh_interval").or_secs(30),
        secret("auth_token"),
        path("auth_token_file"),
        inline(&HTTP_CLIENT),
    ],
);

pub(super) static NERVE: Section = Section::new(
    "zookeeper.plain",
    &[
        texts("servers").keep(),
        texts("paths").keep(),
        duration("timeout").or_secs(10),
    ],
);

pub(super) static SERVERSET: Section = Section::new(
    "zookeeper.plain",
    &[
        texts("servers").keep(),
        texts("paths").keep(),
        duration("timeout").or_secs(10),
    ],
);

pub(super) static NOMAD: Section = Section::new(
    "nomad.plain",
    &[
        boolean("allow_stale").or_true().keep(),
        inline(&HTTP_CLIENT),
        text("namespace").or_text("default").keep(),
        duration("refresh_interval").or_secs(60).keep(),
        text("region").or_text("global").keep(),
        text("server").or_text("http://localhost:4646").keep(),
        text("tag_separator").or_text(","),
    ],
);

pub(super) static PUPPETDB: Section = Section::new(
    "puppetdb.plain",
    &[
        inline(&HTTP_CLIENT),
        duration("refresh_interval").or_secs(60),
        text("url").keep(),
        text("query").keep(),
        boolean("include_parameters").keep(),
        int("port").or_int(80).keep(),
    ],
);

pub(super) static TRITON: Section = Section::new(
    "triton.plain",
    &[
        text("account").keep(),
        text("role").or_text("container").keep(),
        text("dns_suffix").keep(),
        text("endpoint").keep(),
        texts("groups"),
        int("port").or_int(9163).keep(),
        duration("refresh_interval").or_secs(60),
        structure("tls_config", &TLS),
        int("version").or_int(1).keep(),
    ],
);

pub(super) static UYUNI: Section = Section::new(
    "uyuni.plain",
    &[
        url("server").keep(),
        text("username").keep(),
        secret("password").keep(),
        inline(&HTTP_CLIENT),
        text("entitlement").or_text("monitoring_entitled"),
        text("separator").or_text(","),
        duration("refresh_interval").or_secs(60),
    ],
);
