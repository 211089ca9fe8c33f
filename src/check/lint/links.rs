use crate::check::{Finding, Severity};

use super::Page;
use super::subject::Subject;

pub(super) static PAGE: Page = Page::new(
    "W044",
    "broken-link",
    Severity::Warning,
    "The link to a runbook or a dashboard is no address that a browser could open.",
)
.pint("rule/link")
.why("Whoever is called at night clicks on it. Annotations named `..._url`, `..._link` or `runbook` and texts that begin like a web address are read: a scheme that is nearly `https`, a missing host, a blank in the middle. No request is made, so whether the page exists is not known.")
.example(
    "annotations:\n  runbook_url: htps://runbooks.example.com/down",
    "annotations:\n  runbook_url: https://runbooks.example.com/down",
);

pub(super) fn check(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    for (name, text) in &subject.rule.annotations {
        // Templates stand for what is not known yet; a link within a longer text is not looked for.
        let text = text.trim();
        if text.is_empty() || text.contains("{{") {
            continue;
        }
        let named = name.ends_with("_url") || name.ends_with("_link") || name == "runbook";
        let Some(wrong) = wrong(text, named) else {
            continue;
        };
        if let Some(entry) = subject.entry("annotations", name) {
            let message = format!("`{name}` is no address that a browser could open: {wrong}");
            out.push(subject.on_node(&PAGE, &entry.value, message));
        }
    }
}

/// What is wrong with an address. Texts that are not `named` as links may be anything else.
fn wrong(text: &str, named: bool) -> Option<String> {
    if text.contains(char::is_whitespace) {
        let begins = text.starts_with("http://") || text.starts_with("https://");
        let words = text.split_whitespace().count();
        return (named && begins && words == 2).then(|| "there is a blank in it".to_owned());
    }
    let Some((scheme, rest)) = text.split_once(':') else {
        // Paths, names of files and of pages in some wiki.
        return None;
    };
    if !matches!(scheme, "http" | "https") {
        let near = ["http", "https"]
            .into_iter()
            .find(|known| scheme.len() >= 3 && crate::text::suggest::distance(scheme, known) == 1);
        let near = near.filter(|_| rest.starts_with('/'))?;
        return Some(format!(
            "the scheme `{scheme}` was probably meant to be `{near}`"
        ));
    }
    let Some(address) = rest.strip_prefix("//") else {
        return Some(format!("`{scheme}:` is followed by two slashes"));
    };
    let host = address.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') {
        return Some("there is no host".to_owned());
    }
    let port = match host.strip_prefix('[') {
        Some(literal) => literal
            .split_once(']')
            .map(|(_, port)| port.trim_start_matches(':')),
        None => host.split_once(':').map(|(_, port)| port),
    };
    let good = port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok());
    (!good).then(|| "what follows the host is no port".to_owned())
}

#[cfg(test)]
mod tests {
    use super::wrong;

    #[test]
    fn addresses_can_be_opened() {
        for good in [
            "https://example.com/a?b#c",
            "http://localhost:8080",
            "http://[::1]:80/x",
            "https://user:word@example.com/",
            "runbooks/down.md",
            "wiki:Down",
            "see the wiki",
            "https://example.com/a or https://example.com/b",
        ] {
            assert_eq!(wrong(good, true), None, "{good}");
        }
        for bad in [
            "htps://example.com",
            "htttp://example.com",
            "https:/example.com",
            "https://",
            "https:///a",
            "https://example.com:x/",
            "https://example.com/a b",
        ] {
            assert!(wrong(bad, true).is_some(), "{bad}");
        }
        assert_eq!(wrong("https://example.com/a b", false), None);
    }
}
