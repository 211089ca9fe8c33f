//! `http_sd_configs`: what a server's answer says.

use super::target_group::list_from_json;
use super::{Error, TargetGroup};

/// Reads an answer. `status` is the code and text (`200 OK`), `content_type` the header's value.
/// Every group gets the label `__meta_url`, and `url:index` as its source.
pub fn parse(
    url: &str,
    status: &str,
    content_type: &str,
    body: &[u8],
) -> Result<Vec<TargetGroup>, Error> {
    if !status.starts_with("200") {
        return Err(Error::Status(status.to_owned()));
    }
    if !is_json(content_type) {
        return Err(Error::ContentType(content_type.to_owned()));
    }
    list_from_json(body, |index, group| {
        group.source = source(url, index);
        group.labels = group.labels.with("__meta_url", url);
    })
}

/// The source of an answer's group.
pub fn source(url: &str, index: usize) -> String {
    format!("{url}:{index}")
}

/// compat: `application/json`, with `charset=utf-8` at most.
fn is_json(content_type: &str) -> bool {
    let lower = content_type.trim().to_ascii_lowercase();
    let Some(rest) = lower.strip_prefix("application/json") else {
        return false;
    };
    rest.is_empty()
        || rest.strip_prefix(';').is_some_and(|parameter| {
            matches!(parameter.trim(), "charset=utf-8" | "charset=\"utf-8\"")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_marked_with_the_url() {
        let body = br#"[{"targets":["a:1"],"labels":{"__meta_dc":"x"}}]"#;
        let url = "http://sd/targets";
        let groups = parse(url, "200 OK", "application/json; charset=UTF-8", body).unwrap();
        assert_eq!(groups[0].source, "http://sd/targets:0");
        assert_eq!(groups[0].labels.get("__meta_url"), Some(url));
        assert_eq!(
            parse(url, "503 Service Unavailable", "text/html", b"")
                .unwrap_err()
                .to_string(),
            "server returned HTTP status 503 Service Unavailable"
        );
        assert_eq!(
            parse(url, "200 OK", "text/plain", body)
                .unwrap_err()
                .to_string(),
            "unsupported content type \"text/plain\""
        );
        assert!(parse(url, "200 OK", "application/json", b"[null]").is_err());
    }
}
