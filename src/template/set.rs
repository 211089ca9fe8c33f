use std::collections::BTreeMap;
use std::sync::Arc;

use super::ast::Tree;
use super::error::Error;
use super::exec::{Exec, Limits, MissingKey};
use super::function::FunctionSet;
use super::html;
use super::parser;
use super::value::Value;

/// A template and the templates that were defined with it. Cheap to clone.
///
/// ```
/// use watchfire::template::{FunctionSet, Template, Value};
///
/// let functions = FunctionSet::new();
/// let template = Template::parse("greeting", "hello {{ printf \"%q\" . }}", &functions)?;
/// assert_eq!(template.execute(&functions, &Value::from("world"))?, "hello \"world\"");
/// # Ok::<(), watchfire::template::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Template {
    name: Arc<str>,
    pub(super) trees: BTreeMap<Arc<str>, Arc<Tree>>,
    missing_key: MissingKey,
    limits: Limits,
}

impl Template {
    /// A set without any template, named `name`; a missing map key yields the zero value of the map's
    /// elements, as upstream's `missingkey=zero`.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            trees: BTreeMap::new(),
            missing_key: MissingKey::Zero,
            limits: Limits::default(),
        }
    }

    /// Parses `text` as the template `name`. Functions that the text calls must be in `functions`.
    pub fn parse(name: &str, text: &str, functions: &FunctionSet<'_>) -> Result<Self, Error> {
        let mut template = Self::new(name);
        template.add(name, text, functions)?;
        Ok(template)
    }

    /// Parses more text into the set: its top level becomes the template `name`, and what it defines
    /// replaces what was defined before.
    pub fn add(
        &mut self,
        name: &str,
        text: &str,
        functions: &FunctionSet<'_>,
    ) -> Result<(), Error> {
        parser::parse(
            name,
            text,
            &|function| functions.contains(function),
            &mut self.trees,
        )
    }

    /// Makes a missing map key an error, as `missingkey=error`.
    pub fn missing_key_is_error(mut self) -> Self {
        self.missing_key = MissingKey::Error;
        self
    }

    /// Replaces the budgets of executions.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The names of all templates in the set, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.trees.keys().map(|name| &**name)
    }

    /// Executes the template of the set's own name as plain text.
    pub fn execute(&self, functions: &FunctionSet<'_>, data: &Value) -> Result<String, Error> {
        self.execute_named(&self.name, functions, data)
    }

    /// Executes the template `name` as plain text.
    pub fn execute_named(
        &self,
        name: &str,
        functions: &FunctionSet<'_>,
        data: &Value,
    ) -> Result<String, Error> {
        let tree = self.tree(name)?;
        Exec::new(&self.trees, functions, self.missing_key, self.limits, None).run(tree, data)
    }

    /// Executes the template of the set's own name as HTML: what actions print is escaped for the place
    /// where it stands.
    pub fn execute_html(&self, functions: &FunctionSet<'_>, data: &Value) -> Result<String, Error> {
        self.execute_html_named(&self.name, functions, data)
    }

    /// Executes the template `name` as HTML.
    pub fn execute_html_named(
        &self,
        name: &str,
        functions: &FunctionSet<'_>,
        data: &Value,
    ) -> Result<String, Error> {
        let tree = self.tree(name)?;
        let plan = html::plan(&self.trees, name)?;
        Exec::new(
            &self.trees,
            functions,
            self.missing_key,
            self.limits,
            Some(&plan),
        )
        .run(tree, data)
    }

    fn tree(&self, name: &str) -> Result<&Arc<Tree>, Error> {
        self.trees.get(name).ok_or_else(|| Error::Unknown {
            name: name.to_owned(),
            within: self.name.to_string(),
        })
    }
}
