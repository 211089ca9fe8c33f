use serde_json::Value;

use super::*;
use crate::check::source::rule_source;
use crate::cli::check::outcome::Checked;
use crate::rules::file::FileOptions;

/// A file with an unknown field, and an expression that is wrong in its second line.
fn outcome() -> Outcome {
    let text = "groups:\n- name: \"a,b: %\"\n  rules:\n  - alert: A\n    expr: |\n      sum(up)\n        > foo bar\n    severity: <page>\n";
    let source = rule_source("./r 1.yml", text.as_bytes(), &FileOptions::default());
    assert_eq!(source.findings.len(), 2);
    let mut findings = source.findings;
    findings.push(findings[1].clone());
    Outcome {
        checked: vec![
            Checked {
                name: "./r 1.yml".to_owned(),
                rules: Some(0),
                findings,
                ..Checked::default()
            },
            Checked {
                name: "good.yml".to_owned(),
                rules: Some(3),
                ..Checked::default()
            },
        ],
        ..Outcome::default()
    }
}

fn json(format: Format) -> Value {
    serde_json::from_str(&format.document(&outcome())).unwrap()
}

#[test]
fn json_tells_everything() {
    let document = json(Format::Json);
    assert_eq!(document["summary"]["error"], 3);
    assert_eq!(document["files"][1]["rules"], 3);
    let finding = &document["findings"][0];
    assert_eq!(finding["id"], "E005");
    assert_eq!(
        (&finding["line"], &finding["column"]),
        (&7.into(), &15.into())
    );
    assert_eq!(
        (&finding["endLine"], &finding["endColumn"]),
        (&7.into(), &18.into())
    );
    assert_eq!(finding["expression"]["line"], 2);
    assert_eq!(
        document["findings"][1]["hint"],
        "move `severity` under `labels:`"
    );
}

#[test]
fn sarif_has_what_the_schema_asks_for() {
    let document = json(Format::Sarif);
    assert_eq!(document["version"], "2.1.0");
    let run = &document["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    for result in results {
        let rule = &rules[result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(["none", "note", "warning", "error"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let location = &result["locations"][0]["physicalLocation"];
        assert_eq!(location["artifactLocation"]["uri"], "r%201.yml");
        for field in ["startLine", "startColumn", "endLine", "endColumn"] {
            assert!(location["region"][field].as_u64().unwrap() >= 1);
        }
    }
    let print = |at: usize| &results[at]["partialFingerprints"]["watchfire/v1"];
    assert_ne!(print(1), print(2));
}

#[test]
fn github_commands_are_one_line_each() {
    let text = Format::Github.document(&outcome());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(
        lines[0].starts_with(
            "::error file=r 1.yml,line=7,endLine=7,col=15,endColumn=18,title=E005 expression-syntax::group \"a,b: %25\""
        ),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].ends_with("%0Amove `severity` under `labels:`"),
        "{}",
        lines[1]
    );
}

#[test]
fn gitlab_issues_have_what_gitlab_asks_for() {
    let document = json(Format::Gitlab);
    let issues = document.as_array().unwrap();
    let mut prints: Vec<&str> = Vec::new();
    for issue in issues {
        assert!(issue["description"].is_string() && issue["check_name"].is_string());
        assert_eq!(issue["severity"], "critical");
        assert_eq!(issue["location"]["path"], "r 1.yml");
        assert!(issue["location"]["lines"]["begin"].as_u64().unwrap() >= 1);
        prints.push(issue["fingerprint"].as_str().unwrap());
    }
    prints.sort_unstable();
    prints.dedup();
    assert_eq!(prints.len(), 3);
    assert_eq!(Format::Gitlab.document(&Outcome::default()), "[]\n");
}

#[test]
fn xml_is_well_formed_and_counts_agree() {
    let text = Format::Junit.document(&outcome());
    assert!(
        text.contains("tests=\"3\" failures=\"0\" errors=\"3\""),
        "{text}"
    );
    assert!(text.contains("<testcase name=\"good.yml\" classname=\"good.yml\"/>"));
    assert_eq!(text.matches("<testcase ").count(), 4);
    let text = Format::Checkstyle.document(&outcome());
    assert_eq!(text.matches("<error ").count(), 3);
    assert!(
        text.contains("line=\"7\" column=\"15\" severity=\"error\""),
        "{text}"
    );
    for document in [Format::Junit, Format::Checkstyle].map(|f| f.document(&outcome())) {
        // Outside of tags there is no `<`, and every attribute is in quotes.
        assert_eq!(document.matches('<').count(), document.matches('>').count());
        assert!(!document.contains("<page>"));
    }
}
