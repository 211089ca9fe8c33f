use super::data::Data;
use super::functions::functions;
use crate::template::error::Error;
use crate::template::function::{Function, Type, text};
use crate::template::set::Template;
use crate::template::value::Value;
use crate::time::WallTime;

/// How deep route labels may expand each other. Upstream would overflow its stack.
const ROUTE_LABEL_DEPTH_MAX: usize = 8;

/// The templates notifications are made of: the built-in ones and the user's files, parsed once.
#[derive(Debug, Clone)]
pub struct TemplateSet {
    template: Template,
}

impl TemplateSet {
    /// A set without templates; the alerting side adds the built-in ones.
    pub fn new() -> Self {
        Self {
            template: Template::new(""),
        }
    }

    /// Parses a file into the set. A later definition replaces an earlier one.
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let mut functions = functions(WallTime::ZERO);
        functions.insert("routeLabels", unresolved());
        self.template.add(name, text, &functions)
    }

    /// The names of the templates, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.template.names()
    }

    /// Expands a text as plain text.
    pub fn text(&self, text: &str, data: &Data, now: WallTime) -> Result<String, Error> {
        self.expand(text, data, now, false, 0)
    }

    /// Expands a text as HTML.
    pub fn html(&self, text: &str, data: &Data, now: WallTime) -> Result<String, Error> {
        self.expand(text, data, now, true, 0)
    }

    fn expand(
        &self,
        template: &str,
        data: &Data,
        now: WallTime,
        html: bool,
        depth: usize,
    ) -> Result<String, Error> {
        // Texts without actions are themselves, but for comments and stray angle brackets in HTML.
        if template.is_empty() || (!html && !template.contains("{{")) {
            return Ok(template.to_owned());
        }
        let mut functions = functions(now);
        functions.insert(
            "routeLabels",
            Function::new(&[Type::STRING], move |args| {
                if depth >= ROUTE_LABEL_DEPTH_MAX {
                    return Err(format!(
                        "route labels expand each other deeper than {ROUTE_LABEL_DEPTH_MAX}"
                    ));
                }
                let label = data.route_labels.get(&text(args, 0)).unwrap_or_default();
                self.expand(label, data, now, html, depth + 1)
                    .map(Value::from)
                    .map_err(|e| e.to_string())
            }),
        );
        let mut set = self.template.clone();
        set.add("", template, &functions)?;
        let data = data.to_value();
        if html {
            set.execute_html(&functions, &data)
        } else {
            set.execute(&functions, &data)
        }
    }
}

impl Default for TemplateSet {
    fn default() -> Self {
        Self::new()
    }
}

/// Stands for `routeLabels` while files are parsed.
fn unresolved<'a>() -> Function<'a> {
    Function::new(&[Type::STRING], |_| Ok(Value::from("")))
}
