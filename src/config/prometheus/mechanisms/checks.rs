//! The checks of service-discovery sections, with upstream's texts.

use crate::config::go_url;
use crate::config::schema::{Record, Value};
use crate::discovery::RecordType;
use crate::text::quote::quote;
use crate::text::yaml::Decoder;

pub(super) fn nothing(_: &Decoder, _: &mut Record) {}

/// Reports `message` when a text is empty.
fn require(decoder: &Decoder, record: &Record, field: &str, message: &str) {
    if record.text(field).is_empty() {
        record.fail(decoder, field, message);
    }
}

/// The host part must be there and the scheme be one that HTTP clients speak.
fn require_http_url(decoder: &Decoder, record: &Record, field: &str) {
    let url = record.text(field);
    if url.is_empty() {
        return record.fail(decoder, field, "URL is missing");
    }
    match go_url::parse(url) {
        Err(error) => record.fail(decoder, field, format!("parse {}: {error}", quote(url))),
        Ok(parts) if parts.scheme != "http" && parts.scheme != "https" => {
            record.fail(decoder, field, "URL scheme must be 'http' or 'https'");
        }
        Ok(parts) if parts.host.is_empty() => {
            record.fail(decoder, field, "host is missing in URL");
        }
        Ok(_) => {}
    }
}

fn check_url(decoder: &Decoder, record: &Record, field: &str) {
    let url = record.text(field);
    if let Err(error) = go_url::parse(url) {
        record.fail(decoder, field, format!("parse {}: {error}", quote(url)));
    }
}

pub(super) fn aws(decoder: &Decoder, record: &mut Record) {
    let role = record.text("role");
    let known = ["ec2", "ecs", "elasticache", "lightsail", "mq", "msk", "rds"];
    if !known.contains(&role) {
        let text = format!("unknown AWS SD role {}", quote(role));
        record.fail(decoder, "role", text);
    }
    filters_have_values(decoder, record);
}

fn filters_have_values(decoder: &Decoder, record: &Record) {
    for filter in record.records("filters").iter().flatten() {
        if filter.texts("values").is_empty() {
            let text = "EC2 SD configuration filter values cannot be empty";
            decoder.fail(filter.span, text);
        }
    }
}

pub(super) fn ec2(decoder: &Decoder, record: &mut Record) {
    filters_have_values(decoder, record);
}

pub(super) fn azure(decoder: &Decoder, record: &mut Record) {
    let needs = |field: &str| {
        require(
            decoder,
            record,
            field,
            &format!("azure SD configuration requires a {field}"),
        );
    };
    needs("subscription_id");
    match record.text("authentication_method") {
        "OAuth" => ["tenant_id", "client_id", "client_secret"]
            .into_iter()
            .for_each(needs),
        "ManagedIdentity" | "SDK" => {}
        method => {
            let text = format!(
                "unknown authentication_type {}. Supported types are \"OAuth\", \"ManagedIdentity\" or \"SDK\"",
                quote(method)
            );
            record.fail(decoder, "authentication_method", text);
        }
    }
}

pub(super) fn consul(decoder: &Decoder, record: &mut Record) {
    if record.text("server").trim().is_empty() {
        let text = "consul SD configuration requires a server address";
        record.fail(decoder, "server", text);
    }
    let given = |field: &str| !record.text(field).is_empty();
    if (given("username") || given("password")) && record.record("basic_auth").is_some() {
        let text = "at most one of consul SD configuration username and password and basic auth can be configured";
        record.fail(decoder, "username", text);
    }
    let other = record.record("authorization").is_some() || record.record("oauth2").is_some();
    if given("token") && other {
        let text = "at most one of consul SD token, authorization, or oauth2 can be configured";
        record.fail(decoder, "token", text);
    }
}

pub(super) fn dns(decoder: &Decoder, record: &mut Record) {
    if record.texts("names").is_empty() {
        let text = "DNS-SD config must contain at least one SRV record name";
        record.fail(decoder, "names", text);
    }
    match RecordType::parse(record.text("type")) {
        None => {
            let text = format!("invalid DNS-SD records type {}", record.text("type"));
            record.fail(decoder, "type", text);
        }
        Some(RecordType::Srv) => {}
        Some(_) if record.int("port") == 0 => {
            let text = "a port is required in DNS-SD configs for all record types except SRV";
            record.fail(decoder, "port", text);
        }
        Some(_) => {}
    }
}

pub(super) fn docker(decoder: &Decoder, record: &mut Record) {
    require(decoder, record, "host", "host missing");
    check_url(decoder, record, "host");
}

pub(super) fn dockerswarm(decoder: &Decoder, record: &mut Record) {
    docker(decoder, record);
    match record.text("role") {
        "services" | "nodes" | "tasks" => {}
        "" => {
            let text = "role missing (one of: tasks, services, nodes)";
            record.fail(decoder, "role", text);
        }
        role => {
            let text = format!("invalid role {role}, expected tasks, services, or nodes");
            record.fail(decoder, "role", text);
        }
    }
}

pub(super) fn eureka(decoder: &Decoder, record: &mut Record) {
    let server = record.text("server");
    if server.is_empty() {
        return record.fail(decoder, "server", "eureka_sd: empty or null eureka server");
    }
    match go_url::parse(server) {
        Ok(parts) if !parts.scheme.is_empty() && !parts.host.is_empty() => {}
        Ok(_) => record.fail(decoder, "server", "eureka_sd: invalid eureka server URL"),
        Err(error) => record.fail(
            decoder,
            "server",
            format!("parse {}: {error}", quote(server)),
        ),
    }
}

pub(super) fn file(decoder: &Decoder, record: &mut Record) {
    if record.texts("files").is_empty() {
        let text = "file service discovery config must contain at least one path name";
        record.fail(decoder, "files", text);
    }
    for name in record.texts("files") {
        if !is_target_file_pattern(name) {
            let text = format!("path name {} is not valid for file discovery", quote(name));
            record.fail(decoder, "files", text);
        }
    }
}

/// compat: one star at most, not followed by a slash, and a known extension.
fn is_target_file_pattern(name: &str) -> bool {
    let known = [".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"];
    known.iter().any(|extension| {
        name.strip_suffix(extension)
            .is_some_and(crate::config::prometheus::is_glob_of_upstream)
    })
}

pub(super) fn gce(decoder: &Decoder, record: &mut Record) {
    require(
        decoder,
        record,
        "project",
        "GCE SD configuration requires a project",
    );
    require(
        decoder,
        record,
        "zone",
        "GCE SD configuration requires a zone",
    );
}

pub(super) fn hetzner(decoder: &Decoder, record: &mut Record) {
    role_of(decoder, record, &["robot", "hcloud"]);
}

pub(super) fn scaleway(decoder: &Decoder, record: &mut Record) {
    role_of(decoder, record, &["instance", "baremetal"]);
    require(decoder, record, "project_id", "project_id is mandatory");
    one_secret_key(decoder, record);
    require(decoder, record, "access_key", "access_key is mandatory");
}

fn role_of(decoder: &Decoder, record: &Record, known: &[&str]) {
    match record.text("role") {
        "" => {
            let text = format!("role missing (one of: {})", known.join(", "));
            record.fail(decoder, "role", text);
        }
        role if known.contains(&role) => {}
        role => record.fail(decoder, "role", format!("unknown role {}", quote(role))),
    }
}

fn one_secret_key(decoder: &Decoder, record: &Record) {
    let inline = !record.text("secret_key").is_empty();
    let file = !record.text("secret_key_file").is_empty();
    if !inline && !file {
        let text = "one of secret_key & secret_key_file must be configured";
        record.fail(decoder, "secret_key", text);
    }
    if inline && file {
        let text = "at most one of secret_key & secret_key_file must be configured";
        record.fail(decoder, "secret_key_file", text);
    }
}

pub(super) fn http(decoder: &Decoder, record: &mut Record) {
    require_http_url(decoder, record, "url");
}

pub(super) fn puppetdb(decoder: &Decoder, record: &mut Record) {
    require_http_url(decoder, record, "url");
    require(decoder, record, "query", "query missing");
}

pub(super) fn ionos(decoder: &Decoder, record: &mut Record) {
    require(
        decoder,
        record,
        "datacenter_id",
        "datacenter id can't be empty",
    );
}

pub(super) fn kuma(decoder: &Decoder, record: &mut Record) {
    let server = record.text("server");
    if server.is_empty() {
        return record.fail(decoder, "server", "kuma SD server must not be empty: ");
    }
    match go_url::parse(server) {
        Ok(parts) if !parts.scheme.is_empty() && !parts.host.is_empty() => {}
        Ok(_) => {
            let text = format!("kuma SD server must not be empty and have a scheme: {server}");
            record.fail(decoder, "server", text);
        }
        Err(error) => record.fail(
            decoder,
            "server",
            format!("parse {}: {error}", quote(server)),
        ),
    }
}

pub(super) fn marathon(decoder: &Decoder, record: &mut Record) {
    if record.texts("servers").is_empty() {
        let text = "marathon_sd: must contain at least one Marathon server";
        record.fail(decoder, "servers", text);
    }
    let given = |field: &str| !record.text(field).is_empty();
    let token = given("auth_token") || given("auth_token_file");
    if given("auth_token") && given("auth_token_file") {
        let text = "marathon_sd: at most one of auth_token & auth_token_file must be configured";
        record.fail(decoder, "auth_token_file", text);
    }
    for (clash, text) in [
        (
            record.record("basic_auth").is_some(),
            "marathon_sd: at most one of basic_auth, auth_token & auth_token_file must be configured",
        ),
        (
            given("bearer_token") || given("bearer_token_file"),
            "marathon_sd: at most one of bearer_token, bearer_token_file, auth_token & auth_token_file must be configured",
        ),
        (
            record.record("authorization").is_some(),
            "marathon_sd: at most one of auth_token, auth_token_file & authorization must be configured",
        ),
    ] {
        if token && clash {
            record.fail(decoder, "auth_token", text);
        }
    }
}

pub(super) fn nerve(decoder: &Decoder, record: &mut Record) {
    zookeeper(decoder, record, "nerve");
}

pub(super) fn serverset(decoder: &Decoder, record: &mut Record) {
    zookeeper(decoder, record, "serverset");
}

fn zookeeper(decoder: &Decoder, record: &Record, name: &str) {
    if record.texts("servers").is_empty() {
        let text = format!("{name} SD config must contain at least one Zookeeper server");
        record.fail(decoder, "servers", text);
    }
    if record.texts("paths").is_empty() {
        let text = format!("{name} SD config must contain at least one path");
        record.fail(decoder, "paths", text);
    }
    for path in record.texts("paths") {
        if !path.starts_with('/') {
            let text = format!("{name} SD config paths must begin with '/': {path}");
            record.fail(decoder, "paths", text);
        }
    }
}

pub(super) fn nomad(decoder: &Decoder, record: &mut Record) {
    if record.text("server").trim().is_empty() {
        record.fail(
            decoder,
            "server",
            "nomad SD configuration requires a server address",
        );
    }
}

pub(super) fn oci(decoder: &Decoder, record: &mut Record) {
    require(decoder, record, "region", "oci_sd: region is required");
    let given = |field: &&str| !record.text(field).is_empty();
    match record.text("auth") {
        "api_key" => {
            for field in ["tenancy", "user", "fingerprint", "key_file"] {
                let text = format!("oci_sd: api_key auth requires {field}");
                require(decoder, record, field, &text);
            }
            if given(&"key_passphrase") && given(&"key_passphrase_file") {
                let text = "oci_sd: at most one of key_passphrase and key_passphrase_file must be configured";
                record.fail(decoder, "key_passphrase_file", text);
            }
        }
        "instance_principal" => {
            let keys = [
                "tenancy",
                "user",
                "fingerprint",
                "key_file",
                "key_passphrase",
                "key_passphrase_file",
            ];
            if keys.iter().any(given) {
                let text = "oci_sd: instance_principal auth must not have tenancy, user, fingerprint, key_file, key_passphrase, or key_passphrase_file set";
                record.fail(decoder, "auth", text);
            }
        }
        auth => {
            let text = format!(
                "oci_sd: unknown auth method {}, expected \"api_key\" or \"instance_principal\"",
                quote(auth)
            );
            record.fail(decoder, "auth", text);
        }
    }
    for (index, compartment) in record.texts("compartments").iter().enumerate() {
        if compartment.is_empty() {
            let text = format!("oci_sd: compartments[{index}] must not be empty");
            record.fail(decoder, "compartments", text);
        }
    }
    if record.int("refresh_interval") <= 0 {
        let shown = record.duration("refresh_interval");
        let text = format!("oci_sd: refresh_interval must be positive, got {shown}");
        record.fail(decoder, "refresh_interval", text);
    }
}

pub(super) fn openstack(decoder: &Decoder, record: &mut Record) {
    match record.text("availability") {
        "public" | "internal" | "admin" => {}
        other => {
            let text =
                format!("unknown availability {other}, must be one of admin, internal or public");
            record.fail(decoder, "availability", text);
        }
    }
    match record.text("role") {
        "instance" | "hypervisor" | "loadbalancer" => {}
        "" => {
            let text = "role missing (one of: instance, hypervisor, loadbalancer)";
            record.fail(decoder, "role", text);
        }
        role => {
            let text = format!("unknown OpenStack SD role {}", quote(role));
            record.fail(decoder, "role", text);
        }
    }
    require(
        decoder,
        record,
        "region",
        "openstack SD configuration requires a region",
    );
}

pub(super) fn outscale(decoder: &Decoder, record: &mut Record) {
    require(
        decoder,
        record,
        "region",
        "outscale SD configuration requires a region",
    );
    require(
        decoder,
        record,
        "access_key",
        "outscale SD configuration requires access_key",
    );
    one_secret_key(decoder, record);
    if record.text("endpoint").is_empty() {
        let url = format!("https://api.{}.outscale.com/api/v1", record.text("region"));
        record.set("endpoint", Value::Text(url));
    }
}

pub(super) fn ovhcloud(decoder: &Decoder, record: &mut Record) {
    for (field, text) in [
        ("endpoint", "endpoint can not be empty"),
        ("application_key", "application key can not be empty"),
        ("application_secret", "application secret can not be empty"),
        ("consumer_key", "consumer key can not be empty"),
    ] {
        require(decoder, record, field, text);
    }
    let service = record.text("service");
    if !matches!(service, "vps" | "dedicated_server") {
        record.fail(decoder, "service", format!("unknown service: {service}"));
    }
}

pub(super) fn stackit(decoder: &Decoder, record: &mut Record) {
    let endpoint = record.text("endpoint");
    if endpoint.is_empty() && record.text("region").is_empty() {
        record.fail(decoder, "region", "endpoint or region missing");
    }
    if let Err(error) = go_url::parse(endpoint) {
        let shown = quote(endpoint);
        let text = format!("invalid endpoint {shown}: parse {shown}: {error}");
        record.fail(decoder, "endpoint", text);
    }
}

pub(super) fn triton(decoder: &Decoder, record: &mut Record) {
    if !matches!(record.text("role"), "container" | "cn") {
        let text = "triton SD configuration requires role to be 'container' or 'cn'";
        record.fail(decoder, "role", text);
    }
    for (field, text) in [
        ("account", "triton SD configuration requires an account"),
        (
            "dns_suffix",
            "triton SD configuration requires a dns_suffix",
        ),
        ("endpoint", "triton SD configuration requires an endpoint"),
    ] {
        require(decoder, record, field, text);
    }
    if record.int("refresh_interval") <= 0 {
        let text = "triton SD configuration requires RefreshInterval to be a positive integer";
        record.fail(decoder, "refresh_interval", text);
    }
}

pub(super) fn uyuni(decoder: &Decoder, record: &mut Record) {
    for (field, text) in [
        ("server", "Uyuni SD configuration requires server host"),
        ("username", "Uyuni SD configuration requires a username"),
        ("password", "Uyuni SD configuration requires a password"),
    ] {
        require(decoder, record, field, text);
    }
}
