//! The fields of `http_config` and its siblings: table, checks, and the options they become.

mod check;
mod options;

use crate::model::http_client::{ClientOptions, TlsVersion};
use crate::text::yaml::{self, Decoder, Dialect, Problem};

use crate::config::schema::field::{
    any, boolean, inline, path, paths, pointer, secret, secrets, secrets_map, struct_map,
    structure, text, text_map, texts, url,
};
use crate::config::schema::{Record, Section};

pub(crate) use check::{check, check_tls};
pub(crate) use options::{options, tls_options};

pub(crate) static TLS: Section = Section::new(
    "config.TLSConfig",
    &[
        text("ca"),
        text("cert"),
        secret("key"),
        path("ca_file"),
        path("cert_file"),
        path("key_file"),
        text("ca_ref"),
        text("cert_ref"),
        text("key_ref"),
        text("server_name"),
        boolean("insecure_skip_verify").keep(),
        text("min_version"),
        text("max_version"),
    ],
);

static PROXY: Section = Section::new(
    "config.ProxyConfig",
    &[
        url("proxy_url"),
        text("no_proxy"),
        boolean("proxy_from_environment"),
        secrets_map("proxy_connect_header"),
    ],
);

static BASIC_AUTH: Section = Section::new(
    "config.plain",
    &[
        text("username"),
        path("username_file"),
        text("username_ref"),
        secret("password"),
        path("password_file"),
        text("password_ref"),
    ],
);

static AUTHORIZATION: Section = Section::new(
    "config.Authorization",
    &[
        text("type"),
        secret("credentials"),
        path("credentials_file"),
        text("credentials_ref"),
    ],
);

static OAUTH2: Section = Section::new(
    "config.plain",
    &[
        text("client_id").keep(),
        secret("client_secret"),
        path("client_secret_file"),
        text("client_secret_ref"),
        text("client_certificate_key_id"),
        secret("client_certificate_key"),
        path("client_certificate_key_file"),
        text("client_certificate_key_ref"),
        text("grant_type"),
        text("signature_algorithm"),
        text("iss"),
        text("audience"),
        any("claims"),
        texts("scopes"),
        text("token_url").keep(),
        text_map("endpoint_params"),
        structure("tls_config", &TLS),
        inline(&PROXY),
    ],
);

static HEADER: Section = Section::new(
    "config.Header",
    &[texts("values"), secrets("secrets"), paths("files")],
);

/// What every section that talks HTTP holds in place.
pub(crate) static HTTP_CLIENT: Section = Section::new(
    "config.HTTPClientConfig",
    &[
        pointer("basic_auth", &BASIC_AUTH),
        pointer("authorization", &AUTHORIZATION),
        pointer("oauth2", &OAUTH2),
        secret("bearer_token"),
        path("bearer_token_file"),
        structure("tls_config", &TLS),
        boolean("follow_redirects").or_true().keep(),
        boolean("enable_http2").or_true().keep(),
        inline(&PROXY),
        struct_map("http_headers", &HEADER),
    ],
);

/// Reads and checks a file that holds one `http_config`; relative file names are joined to `folder`.
pub fn parse(text: &str, folder: &str) -> Result<ClientOptions, Vec<Problem>> {
    let document = yaml::parse_first(text).map_err(|problem| vec![problem])?;
    let decoder = Decoder::new(Dialect::V2);
    let mut record = Record::read(&decoder, &document.root, &HTTP_CLIENT);
    record.set_directory(folder);
    check(&decoder, &mut record);
    let problems = decoder.into_problems();
    if problems.is_empty() {
        Ok(options(&record))
    } else {
        Err(problems)
    }
}

/// The grant of an assertion that the client signs. Any other means its id and secret, as upstream has it.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Whether a section holds the fields of [`HTTP_CLIENT`].
pub(crate) fn is_part_of(record: &Record) -> bool {
    record
        .slots
        .iter()
        .any(|slot| slot.field.name == "follow_redirects")
}

/// Whether nothing but defaults was said.
pub(crate) fn is_default(record: &Record) -> bool {
    let default = Record::default_of(&HTTP_CLIENT);
    default
        .slots
        .iter()
        .all(|slot| record.value(slot.field.name) == &slot.value)
}

fn tls_version(word: &str) -> Option<TlsVersion> {
    Some(match word {
        "TLS10" => TlsVersion::Tls10,
        "TLS11" => TlsVersion::Tls11,
        "TLS12" => TlsVersion::Tls12,
        "TLS13" => TlsVersion::Tls13,
        _ => return None,
    })
}
