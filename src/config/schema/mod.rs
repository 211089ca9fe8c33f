//! Sections of a configuration file as tables: which fields there are, of what type, with which
//! defaults, and which are shown when they are empty.
//!
//! One table serves reading ([`Record::read`]), the checks of a section, and printing the marshalled
//! configuration that `/api/v1/status/config` shows ([`write`]).

mod bytes;
mod record;
mod write;

pub(crate) use bytes::parse_bytes;
pub(crate) use record::{Record, Slot, Value, join};
pub(crate) use write::{Out, to_yaml};

/// A struct of upstream's: its name as messages show it, and its fields in order.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [Field],
}

/// A field of a struct.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: Default,
    /// Whether it is shown even when it is empty (no `omitempty` upstream).
    pub(crate) kept: bool,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text,
    /// A file name; relative ones are joined to the folder of the configuration.
    Path,
    Secret,
    Bool,
    /// A boolean that knows whether it was given.
    MaybeBool,
    Int,
    Uint,
    Float,
    /// A Prometheus duration.
    Duration,
    /// A size such as `10MB`.
    Bytes,
    Url,
    Texts,
    /// As `Texts`, printed in brackets.
    FlowTexts,
    Paths,
    Secrets,
    TextMap,
    /// Lists of texts by name.
    TextsMap,
    /// Lists of secrets by name.
    SecretsMap,
    /// Label names and values, checked and sorted.
    Labels,
    /// A struct that is always there.
    Struct(&'static Section),
    /// A struct that may be absent.
    Pointer(&'static Section),
    /// A list of structs; null items are kept for the checks.
    List(&'static Section),
    /// Structs by name.
    StructMap(&'static Section),
    /// The fields of another struct, in place.
    Inline(&'static Section),
    /// Anything; shown as it was written.
    Any,
}

/// The value of a field that was not given.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Default {
    Zero,
    Text(&'static str),
    True,
    Int(i64),
    Ms(i64),
}

impl Section {
    pub(crate) const fn new(name: &'static str, fields: &'static [Field]) -> Self {
        Self { name, fields }
    }
}

impl Field {
    pub(crate) const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            default: Default::Zero,
            kept: false,
        }
    }

    /// Shown even when empty.
    pub(crate) const fn keep(mut self) -> Self {
        self.kept = true;
        self
    }

    pub(crate) const fn or_text(mut self, text: &'static str) -> Self {
        self.default = Default::Text(text);
        self
    }

    pub(crate) const fn or_true(mut self) -> Self {
        self.default = Default::True;
        self
    }

    pub(crate) const fn or_int(mut self, value: i64) -> Self {
        self.default = Default::Int(value);
        self
    }

    /// A default in seconds, for durations.
    pub(crate) const fn or_secs(mut self, secs: i64) -> Self {
        self.default = Default::Ms(secs * 1000);
        self
    }

    pub(crate) const fn or_ms(mut self, ms: i64) -> Self {
        self.default = Default::Ms(ms);
        self
    }
}

/// Short names for tables.
pub(crate) mod field {
    use super::{Field, Kind, Section};

    macro_rules! constructors {
        ($($name:ident $kind:ident),* $(,)?) => {
            $(pub(crate) const fn $name(name: &'static str) -> Field {
                Field::new(name, Kind::$kind)
            })*
        };
    }

    constructors!(
        text Text, path Path, secret Secret, boolean Bool, maybe_bool MaybeBool, int Int, uint Uint,
        float Float, duration Duration, bytes Bytes, url Url, texts Texts, flow_texts FlowTexts,
        paths Paths, secrets Secrets, text_map TextMap, texts_map TextsMap, secrets_map SecretsMap,
        labels Labels, any Any,
    );

    pub(crate) const fn structure(name: &'static str, section: &'static Section) -> Field {
        Field::new(name, Kind::Struct(section))
    }

    pub(crate) const fn pointer(name: &'static str, section: &'static Section) -> Field {
        Field::new(name, Kind::Pointer(section))
    }

    pub(crate) const fn list(name: &'static str, section: &'static Section) -> Field {
        Field::new(name, Kind::List(section))
    }

    pub(crate) const fn struct_map(name: &'static str, section: &'static Section) -> Field {
        Field::new(name, Kind::StructMap(section))
    }

    pub(crate) const fn inline(section: &'static Section) -> Field {
        Field::new("", Kind::Inline(section))
    }
}
