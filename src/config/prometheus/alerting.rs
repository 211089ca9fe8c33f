use crate::config::http_client;
use crate::config::relabel;
use crate::config::schema::{Out, Record};
use crate::discovery::Options;
use crate::model::ValidationScheme;
use crate::model::http_client::ClientOptions;
use crate::relabel::Rule;
use crate::text::yaml::{Decoder, Node};
use crate::time::Span;

use super::discovery::{self, Sources};
use super::other::check_sigv4;
use super::sections::{ALERTING, ALERTMANAGER};

/// `alerting`: where alerts go.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Alerting {
    /// `alert_relabel_configs`, run over every alert.
    pub relabel_rules: Vec<Rule>,
    /// `alertmanagers`: Alertmanagers elsewhere.
    pub alertmanagers: Vec<Alertmanager>,
}

/// One entry of `alertmanagers`.
#[derive(Debug, Clone, PartialEq)]
pub struct Alertmanager {
    /// `scheme`; default `http`.
    pub scheme: String,
    /// `path_prefix` in front of the API's path.
    pub path_prefix: String,
    /// `timeout` of a request; default 10s.
    pub timeout: Span,
    /// How to talk to them.
    pub client: ClientOptions,
    /// Whether requests are to be signed as AWS wants it.
    pub sigv4: bool,
    /// Where they are.
    pub discovery: Vec<Options>,
    /// `relabel_configs`, run over the Alertmanagers found.
    pub relabel_rules: Vec<Rule>,
    /// `alert_relabel_configs`, run over alerts on their way to these.
    pub alert_relabel_rules: Vec<Rule>,
}

/// The section as it was read.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    record: Record,
    relabel_rules: Vec<Rule>,
    alertmanagers: Vec<AlertmanagerEntry>,
}

#[derive(Debug, Clone)]
struct AlertmanagerEntry {
    record: Record,
    sources: Sources,
    relabel_rules: Vec<Rule>,
    alert_relabel_rules: Vec<Rule>,
}

pub(super) fn read(decoder: &Decoder, node: Option<&Node>, validation: ValidationScheme) -> Entry {
    let mut entry = Entry {
        record: Record::default_of(&ALERTING),
        relabel_rules: Vec::new(),
        alertmanagers: Vec::new(),
    };
    let Some(node) = node.filter(|node| !node.is_null()) else {
        return entry;
    };
    let mut fields = decoder.fields(node, ALERTING.name);
    entry.record = Record::read_fields(&mut fields, &ALERTING);
    let message = "empty or null alert relabeling rule";
    entry.relabel_rules = relabel::rules(
        decoder,
        &entry.record,
        "alert_relabel_configs",
        message,
        validation,
    );
    for node in fields.sequence("alertmanagers", "config.AlertmanagerConfigs") {
        if let Some(alertmanager) = read_alertmanager(decoder, node, validation) {
            entry.alertmanagers.push(alertmanager);
        }
    }
    fields.finish();
    entry
}

fn read_alertmanager(
    decoder: &Decoder,
    node: &Node,
    validation: ValidationScheme,
) -> Option<AlertmanagerEntry> {
    if node.is_null() {
        decoder.fail(node.span, "empty or null section in alertmanagers");
        return None;
    }
    let before = decoder.count();
    let mut fields = decoder.fields(node, ALERTMANAGER.name);
    let mut record = Record::read_fields(&mut fields, &ALERTMANAGER);
    let sources = discovery::read(&mut fields);
    let mut rules = (Vec::new(), Vec::new());
    if decoder.count() == before {
        let version = record.text("api_version");
        if version != "v2" {
            let text =
                format!("expected Alertmanager api version to be one of [v2] but got {version}");
            record.fail(decoder, "api_version", text);
        }
        check_sigv4(decoder, &record);
        http_client::check(decoder, &mut record);
        let authenticates = ["basic_auth", "authorization", "oauth2"]
            .iter()
            .any(|field| record.record(field).is_some());
        if authenticates && record.record("sigv4").is_some() {
            let text =
                "at most one of basic_auth, authorization, oauth2, & sigv4 must be configured";
            record.fail(decoder, "sigv4", text);
        }
        if record.records("relabel_configs").is_empty() {
            sources.check_addresses(decoder, &fields);
        }
        let message = "empty or null Alertmanager target relabeling rule";
        rules.0 = relabel::rules(decoder, &record, "relabel_configs", message, validation);
        let message = "empty or null Alertmanager alert relabeling rule";
        rules.1 = relabel::rules(
            decoder,
            &record,
            "alert_relabel_configs",
            message,
            validation,
        );
    }
    fields.finish();
    Some(AlertmanagerEntry {
        record,
        sources,
        relabel_rules: rules.0,
        alert_relabel_rules: rules.1,
    })
}

impl Entry {
    pub(super) fn is_given(&self) -> bool {
        !self.alertmanagers.is_empty() || !self.record.records("alert_relabel_configs").is_empty()
    }

    pub(super) fn set_directory(&mut self, folder: &str) {
        for alertmanager in &mut self.alertmanagers {
            alertmanager.record.set_directory(folder);
            alertmanager.sources.set_directory(folder);
        }
    }

    pub(super) fn to_out(&self) -> Vec<(String, Out)> {
        let mut out = self.record.to_out();
        let items: Vec<Out> = self
            .alertmanagers
            .iter()
            .map(|alertmanager| {
                let mut out = alertmanager.record.to_out();
                alertmanager.sources.push_out(&mut out);
                Out::Map(out)
            })
            .collect();
        if !items.is_empty() {
            out.push(("alertmanagers".to_owned(), Out::List(items)));
        }
        out
    }

    pub(super) fn options(&self) -> Alerting {
        Alerting {
            relabel_rules: self.relabel_rules.clone(),
            alertmanagers: self
                .alertmanagers
                .iter()
                .map(|entry| Alertmanager {
                    scheme: entry.record.text("scheme").to_owned(),
                    path_prefix: entry.record.text("path_prefix").to_owned(),
                    timeout: entry.record.duration("timeout"),
                    client: http_client::options(&entry.record),
                    sigv4: entry.record.record("sigv4").is_some(),
                    discovery: entry.sources.options(),
                    relabel_rules: entry.relabel_rules.clone(),
                    alert_relabel_rules: entry.alert_relabel_rules.clone(),
                })
                .collect(),
        }
    }
}
