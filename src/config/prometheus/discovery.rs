//! Static targets and `*_sd_configs` of a section, which stand beside its own fields.

use crate::config::schema::{Out, Record};
use crate::discovery::{Options, TargetGroup};
use crate::text::quote::quote;
use crate::text::yaml::{Decoder, Fields};

use super::mechanisms;

/// What a section says on where targets come from.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    /// Index into [`mechanisms::ALL`], and the entry.
    entries: Vec<(usize, Record)>,
    statics: Vec<TargetGroup>,
}

/// Reads all fields that name a mechanism.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Sources {
    let mut sources = Sources::default();
    let decoder = fields.decoder();
    for (index, mechanism) in mechanisms::ALL.iter().enumerate() {
        for node in fields.sequence(mechanism.field, mechanism.section.name) {
            if node.is_null() {
                let text = format!("empty or null section in {}", mechanism.field);
                decoder.fail(node.span, text);
                continue;
            }
            let before = decoder.count();
            let mut record = Record::read(decoder, node, mechanism.section);
            if decoder.count() == before {
                mechanism.check(decoder, &mut record);
            }
            sources.entries.push((index, record));
        }
    }
    for node in fields.sequence("static_configs", "[]*targetgroup.Group") {
        if node.is_null() {
            decoder.fail(node.span, "empty or null section in static_configs");
            continue;
        }
        let mut group = TargetGroup::from_yaml(decoder, node);
        group.source = sources.statics.len().to_string();
        sources.statics.push(group);
    }
    sources
}

impl Sources {
    /// compat: without relabeling an address must not be a URL.
    pub(super) fn check_addresses(&self, decoder: &Decoder, fields: &Fields<'_, '_>) {
        for target in self.statics.iter().flat_map(|group| &group.targets) {
            let address = target.get("__address__").unwrap_or_default();
            if address.contains('/') {
                let text = format!("{} is not a valid hostname", quote(address));
                let span = fields
                    .peek("static_configs")
                    .map_or_else(|| fields.span(), |n| n.span);
                decoder.fail(span, text);
            }
        }
    }

    pub(super) fn set_directory(&mut self, folder: &str) {
        for (_, record) in &mut self.entries {
            record.set_directory(folder);
        }
    }

    pub(super) fn options(&self) -> Vec<Options> {
        let mut options: Vec<Options> = self
            .entries
            .iter()
            .map(|(index, record)| mechanisms::ALL[*index].options(record))
            .collect();
        if !self.statics.is_empty() {
            options.push(Options::Static(self.statics.clone()));
        }
        options
    }

    /// The fields that upstream shows, in the order of their names.
    pub(super) fn push_out(&self, out: &mut Vec<(String, Out)>) {
        let mut fields: Vec<(String, Out)> = Vec::new();
        for (index, mechanism) in mechanisms::ALL.iter().enumerate() {
            let items: Vec<Out> = self
                .entries
                .iter()
                .filter(|(of, _)| *of == index)
                .map(|(_, record)| Out::Map(record.to_out()))
                .collect();
            if !items.is_empty() {
                fields.push((mechanism.field.to_owned(), Out::List(items)));
            }
        }
        if !self.statics.is_empty() {
            let items = self.statics.iter().map(group_out).collect();
            fields.push(("static_configs".to_owned(), Out::List(items)));
        }
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        out.extend(fields);
    }
}

fn group_out(group: &TargetGroup) -> Out {
    let text = |text: &str| Out::Text(text.to_owned());
    let addresses = group
        .targets
        .iter()
        .map(|target| text(target.get("__address__").unwrap_or_default()));
    let mut entries = vec![("targets".to_owned(), Out::List(addresses.collect()))];
    if !group.labels.is_empty() {
        let labels = group.labels.iter().map(|(n, v)| (n.to_owned(), text(v)));
        entries.push(("labels".to_owned(), Out::Map(labels.collect())));
    }
    Out::Map(entries)
}
