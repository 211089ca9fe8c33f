//! Templates of notifications: what they may call, and the data they see.

mod data;
mod functions;
mod templates;

pub use data::{AlertData, Data, key_values};
pub(super) use functions::bounded;
pub use functions::functions;
pub use templates::TemplateSet;
