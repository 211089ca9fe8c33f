//! Short ways to run all checks over a rule, a file or a configuration.

use crate::alerting::matchers::Syntax;
use crate::check::{Finding, RuleFile};
use crate::config::lint::LintOptions;
use crate::config::prometheus::Config;
use crate::rules::file::FileOptions;

use super::{Routing, Subjects, run};

/// A file with one group and these rules.
pub(crate) fn file(rules: &str) -> String {
    format!("groups:\n- name: g\n  rules:\n{rules}")
}

/// An alert with this expression and further lines.
pub(crate) fn alert(expr: &str, more: &str) -> String {
    let expr = expr.replace('\'', "''");
    format!(
        "  - alert: A\n    expr: '{expr}'\n    labels: {{severity: warning}}\n    annotations: {{summary: s}}\n{more}"
    )
}

fn parse(text: &str) -> RuleFile {
    let (file, errors) = RuleFile::parse("r.yml", text.as_bytes(), &FileOptions::default());
    assert!(errors.is_empty(), "{errors:?}\n{text}");
    file.unwrap()
}

/// What is found in the text of a rule file of a server with this configuration.
pub(crate) fn findings_with_config(text: &str, config: &Config) -> Vec<Finding> {
    let subjects = Subjects {
        rules: &[parse(text)],
        config: Some(config),
        ..Subjects::default()
    };
    run(subjects, &LintOptions::default())
}

/// What is found in the texts of rule files and a router's configuration.
pub(crate) fn findings_with(
    files: &[&str],
    routing: Option<&str>,
    options: &LintOptions,
) -> Vec<Finding> {
    let rules: Vec<RuleFile> = files.iter().map(|text| parse(text)).collect();
    let routing = routing.map(|text| {
        let parsed = Routing::parse("am.yml", text, Syntax::default());
        parsed.unwrap_or_else(|| {
            panic!(
                "{:?}",
                crate::check::alertmanager("am.yml", text.as_bytes(), Syntax::default())
            )
        })
    });
    let subjects = Subjects {
        rules: &rules,
        routing: routing.as_ref(),
        config: None,
    };
    run(subjects, options)
}

/// What is found in the text of a rule file.
pub(crate) fn findings(text: &str) -> Vec<Finding> {
    findings_with(&[text], None, &LintOptions::default())
}

fn of_expr(id: &str, expr: &str) -> Vec<Finding> {
    let mut found = findings(&file(&alert(expr, "")));
    found.retain(|finding| finding.id() == id);
    found
}

/// The check finds something in an alert with each of the expressions.
pub(crate) fn assert_finds(id: &str, exprs: &[&str]) {
    for expr in exprs {
        let found = of_expr(id, expr);
        assert!(!found.is_empty(), "{id} finds nothing in {expr}");
        let place = found[0].place.as_ref().unwrap();
        assert_eq!(place.line, 5, "{expr}: {}", found[0]);
    }
}

/// The check finds nothing in an alert with any of the expressions.
pub(crate) fn assert_silent(id: &str, exprs: &[&str]) {
    for expr in exprs {
        let found = of_expr(id, expr);
        assert!(found.is_empty(), "{expr}: {}", found[0]);
    }
}

/// How often a check finds something in the rules of a file.
pub(crate) fn count(id: &str, rules: &str) -> usize {
    let found = findings(&file(rules));
    found.iter().filter(|finding| finding.id() == id).count()
}
