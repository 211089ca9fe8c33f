//! From a section to the receiver that acts on it.

use serde_json::Value as Json;

use super::Integration;
use super::section::{Section, Value};
use crate::alerting::receivers::{self, Fields};
use crate::model::Secret;

impl Integration {
    /// The receiver with these options. `None` for kinds that nobody implements, which the schema excludes.
    pub fn build(&self) -> Option<receivers::Integration> {
        receivers::Integration::read(self.kind, &self.options)
    }
}

impl Fields for Section {
    fn text(&self, name: &str) -> Option<&str> {
        Self::text(self, name)
    }

    fn secret(&self, name: &str) -> Option<&Secret> {
        Self::secret(self, name)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        Self::flag(self, name)
    }

    fn int(&self, name: &str) -> Option<i64> {
        Self::int(self, name)
    }

    fn nanoseconds(&self, name: &str) -> Option<i64> {
        Self::nanoseconds(self, name)
    }

    fn map(&self, name: &str) -> &[(String, String)] {
        Self::map(self, name)
    }

    fn texts(&self, name: &str) -> &[String] {
        Self::texts(self, name)
    }

    fn any(&self, name: &str) -> Option<&Json> {
        Self::any(self, name)
    }

    fn section(&self, name: &str) -> Option<&dyn Fields> {
        Self::section(self, name).map(|section| section as &dyn Fields)
    }

    fn sections(&self, name: &str) -> Vec<&dyn Fields> {
        match self.get(name) {
            Some(Value::Sections(sections)) => sections
                .iter()
                .map(|section| section as &dyn Fields)
                .collect(),
            _ => Vec::new(),
        }
    }
}
