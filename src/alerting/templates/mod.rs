//! The built-in templates of notifications: upstream's names, texts of the same bytes.

use crate::template::Error;
use crate::template::notify::TemplateSet;

const DEFAULT: &str = include_str!("default.tmpl");
const EMAIL: &str = include_str!("email.tmpl");

/// What stands for the shortcuts in `email.tmpl`; those that hold others come first.
const STYLES: [(&str, &str); 4] = [
    (
        "@cell",
        "<td class=\"content-block\" style=\"@base vertical-align: top; padding: 0 0 20px;\" valign=\"top\">",
    ),
    ("@plain", "style=\"@base\""),
    ("@base", "margin: 0; @font font-size: 14px;"),
    (
        "@font",
        "font-family: 'Helvetica Neue', Helvetica, Arial, sans-serif; box-sizing: border-box;",
    ),
];

/// A set with the built-in templates, to which the user's files are added.
///
/// # Panics
/// Never: the built-in templates parse, a test sees to it.
pub fn built_in() -> TemplateSet {
    let mut set = TemplateSet::new();
    for (name, text) in built_in_texts() {
        set.add(name, &text).expect("the built-in templates parse");
    }
    set
}

/// The built-in templates and the user's files: names and texts, in order.
pub fn with_files<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<TemplateSet, Error> {
    let mut set = built_in();
    for (name, text) in files {
        set.add(name, text)?;
    }
    Ok(set)
}

/// The names and texts of the built-in files.
pub fn built_in_texts() -> [(&'static str, String); 2] {
    let email = STYLES.iter().fold(EMAIL.to_owned(), |text, (short, long)| {
        text.replace(short, long)
    });
    [("default.tmpl", DEFAULT.to_owned()), ("email.tmpl", email)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_templates_parse_and_have_upstreams_names() {
        let set = built_in();
        let names: Vec<&str> = set.names().collect();
        for name in [
            "__subject",
            "slack.default.title",
            "email.default.html",
            "jira.default.priority",
        ] {
            assert!(names.contains(&name), "{name}");
        }
    }
}
