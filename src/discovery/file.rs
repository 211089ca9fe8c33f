//! `file_sd_configs`: what a target file says.

use crate::text::yaml::{self, Decoder, Dialect};

use super::target_group::list_from_json;
use super::{Error, TargetGroup};

/// Reads a target file; its name ends in `.json`, `.yml` or `.yaml`. Every group gets the label
/// `__meta_filepath`, and `path:index` as its source.
pub fn parse(path: &str, bytes: &[u8]) -> Result<Vec<TargetGroup>, Error> {
    let mark = |index: usize, group: &mut TargetGroup| {
        group.source = source(path, index);
        group.labels = group.labels.with("__meta_filepath", path);
    };
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "json" => list_from_json(bytes, mark),
        "yml" | "yaml" => {
            let mut groups = list_from_yaml(bytes)?;
            for (index, group) in groups.iter_mut().enumerate() {
                mark(index, group);
            }
            Ok(groups)
        }
        _ => Err(Error::Extension(format!(".{extension}"))),
    }
}

/// The source of a file's group: what vanishes when a file shrinks or goes is named by it.
pub fn source(path: &str, index: usize) -> String {
    format!("{path}:{index}")
}

fn list_from_yaml(bytes: &[u8]) -> Result<Vec<TargetGroup>, Error> {
    let malformed = |problem: &yaml::Problem| Error::Malformed(problem.to_string());
    let text = yaml::utf8(bytes).map_err(|problem| malformed(&problem))?;
    let document = yaml::parse_first(text).map_err(|problem| malformed(&problem))?;
    let decoder = Decoder::new(Dialect::V2);
    let items = decoder.sequence(&document.root, "[]*targetgroup.Group");
    let mut groups = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        if item.is_null() {
            return Err(Error::NullGroup(index));
        }
        groups.push(TargetGroup::from_yaml(&decoder, item));
    }
    match decoder.into_problems().first() {
        Some(problem) => Err(malformed(problem)),
        None => Ok(groups),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn yaml_and_json_say_the_same() {
        let yaml = parse(
            "a/b.yml",
            b"- targets: ['x:1', y]\n  labels: {team: db}\n- targets: []\n",
        )
        .unwrap();
        let json = parse(
            "a/b.json",
            br#"[{"targets":["x:1","y"],"labels":{"team":"db"}},{"Targets":[]}]"#,
        )
        .unwrap();
        assert_eq!(yaml.len(), 2);
        assert_eq!(yaml[0].targets, json[0].targets);
        assert_eq!(yaml[0].source, "a/b.yml:0");
        assert_eq!(
            yaml[0].labels.to_string(),
            r#"{__meta_filepath="a/b.yml", team="db"}"#
        );
        assert_eq!(json[1].source, "a/b.json:1");
        assert_eq!(yaml[0].targets[0].get("__address__"), Some("x:1"));
    }

    #[test]
    fn mistakes_are_named() {
        for (path, text, wanted) in [
            ("f.json", "[null]", "nil target group item found (index 0)"),
            (
                "f.yml",
                "- targets: []\n- null",
                "nil target group item found (index 1)",
            ),
            (
                "f.json",
                r#"[{"target":[]}]"#,
                "json: unknown field \"target\"",
            ),
            ("f.yml", "- target: []", "field target not found"),
            ("f.txt", "[]", "unhandled file extension \".txt\""),
            (
                "f.json",
                r#"[{"labels":{"":"x"}}]"#,
                "\"\" is not a valid label name",
            ),
        ] {
            let error = parse(path, text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_bytes_can_hurt(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse("x.json", &bytes);
            let _ = parse("x.yaml", &bytes);
        }
    }
}
