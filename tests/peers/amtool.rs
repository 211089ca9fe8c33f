//! Our verbs beside amtool's, and amtool against us.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::{Daemon, free_port, peer, wait_for, watchfire};

const ROUTER: &str = r#"
route:
  receiver: def
  group_by: [alertname]
  routes:
  - matchers: ['team="a"']
    receiver: a
    continue: true
    routes:
    - matchers: ['sev=~"crit|page"']
      receiver: a-page
  - matchers: ['team=~"a|b"', 'x!="1"']
    receiver: b
  - receiver: b
    matchers: ['"ü x"=1']
receivers: [{name: def}, {name: a}, {name: a-page}, {name: b, webhook_configs: [{url: 'http://127.0.0.1:1/secret'}]}]
"#;

fn start(folder: &Path) -> Daemon {
    std::fs::write(folder.join("prometheus.yml"), "global: {}\n").unwrap();
    std::fs::write(folder.join("alertmanager.yml"), ROUTER).unwrap();
    let router = format!(
        "--alertmanager.config.file={}",
        folder.join("alertmanager.yml").display()
    );
    Daemon::start(folder, free_port(), &[&router])
}

/// Exit code and standard output, without amtool's notes about the classic syntax.
fn run(program: &Path, folder: &Path, args: &[&str]) -> (bool, String) {
    let out = Command::new(program)
        .args(args)
        .current_dir(folder)
        .env("HOME", folder)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("time="))
        .collect();
    (out.status.success(), kept.join("\n"))
}

struct Pair {
    amtool: PathBuf,
    folder: PathBuf,
    url: String,
}

impl Pair {
    /// Runs both with the same words.
    fn same(&self, args: &[&str]) {
        self.compare(args, args);
    }

    fn compare(&self, theirs: &[&str], ours: &[&str]) {
        let with_url = |args: &[&str]| {
            let mut all: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            if args[0] != "template" {
                all.push(format!("--alertmanager.url={}", self.url));
            }
            all
        };
        let call = |program: &Path, args: &[&str]| {
            let args = with_url(args);
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            run(program, &self.folder, &args)
        };
        let (theirs_out, ours_out) = (call(&self.amtool, theirs), call(&watchfire(), ours));
        assert_eq!(ours_out, theirs_out, "{ours:?}");
    }
}

#[test]
fn our_verbs_answer_as_amtool_does() {
    let Some(amtool) = peer("amtool") else { return };
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    let pair = Pair {
        amtool,
        folder: folder.path().to_owned(),
        url: format!("http://127.0.0.1:{}", daemon.port),
    };
    alerts(&pair);
    silences(&pair);
    pair.same(&["config", "show"]);
    pair.same(&["config", "show", "-o", "json"]);
    routes(&pair);
    templates(&pair);
}

/// amtool as its users have it in their scripts.
#[test]
fn amtool_works_against_us_unchanged() {
    let Some(amtool) = peer("amtool") else { return };
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    let url = format!("--alertmanager.url=http://127.0.0.1:{}", daemon.port);
    let call = |args: &[&str]| {
        let (ok, out) = run(&amtool, folder.path(), &[args, &[&url]].concat());
        assert!(ok, "{args:?}: {out}");
        out
    };
    call(&[
        "alert",
        "add",
        "alertname=DiskFull",
        "node=a",
        "--annotation=summary=full",
    ]);
    call(&[
        "alert",
        "add",
        "DiskFull",
        "node=b",
        "--end=2036-01-01T00:00:00Z",
    ]);
    let id = call(&[
        "silence",
        "add",
        "DiskFull",
        "node=~a|c",
        "-c",
        "on it",
        "-a",
        "me",
        "-d",
        "2h",
        "--annotation=ticket=T-1",
    ]);
    assert_eq!(call(&["silence", "query", "-q"]), id);
    let active = || call(&["alert", "query", "-o", "json", "--active"]);
    wait_for("one alert to be silenced", Duration::from_mins(1), || {
        active().contains("node\":\"b") && !active().contains("node\":\"a")
    });
    assert!(call(&["alert", "query", "--silenced", "-o", "extended"]).contains("full"));
    call(&["silence", "update", "-d", "3h", "-c", "still on it", &id]);
    let exported = call(&["silence", "query", "-o", "json"]);
    assert!(
        exported.contains("still on it") && exported.contains("T-1"),
        "{exported}"
    );
    call(&["silence", "expire", &id]);
    assert_eq!(call(&["silence", "query", "-q"]), "");
    assert_eq!(
        call(&["silence", "query", "-q", "--expired", "--within=1h"]),
        id
    );
    // A backup is read again: as new silences, because the old one has expired.
    std::fs::write(folder.path().join("backup.json"), exported).unwrap();
    let imported = call(&["silence", "import", "--force", "backup.json"]);
    assert_ne!(imported, id);
    assert_eq!(call(&["silence", "query", "-q"]), imported);
    assert!(active().contains("node\":\"b") && !active().contains("node\":\"a"));
    assert!(call(&["config", "show"]).contains("<secret>"));
    assert_eq!(
        call(&["config", "routes", "test", "team=a", "sev=page"]),
        "a-page,b"
    );
    assert!(call(&["cluster", "show"]).contains("disabled"));
    let (ok, checked) = run(
        &amtool,
        folder.path(),
        &["check-config", "alertmanager.yml"],
    );
    assert!(ok && checked.contains("SUCCESS"), "{checked}");
}

fn alerts(pair: &Pair) {
    pair.same(&[
        "alert",
        "add",
        "foo",
        "node=bar",
        "team=a",
        "--annotation=summary=hot x",
    ]);
    pair.same(&["alert", "add", "a=~b"]);
    pair.same(&["alert", "add", "foo", "bar"]);
    pair.same(&["alert", "add", "foo", "--start=noon"]);
    pair.same(&["alert", "add", "foo", "--annotation=none"]);
    pair.same(&[
        "alert",
        "add",
        "alertname=baz",
        "node=<b1>",
        "--start=2026-01-01T00:00:00Z",
        "--end=2036-01-01T00:00:00Z",
        "--generator-url=http://gen/x",
    ]);
    let query = ["alert", "query", "-o", "json"];
    let amtool = &pair.amtool;
    wait_for("both alerts to be listed", Duration::from_mins(1), || {
        let url = format!("--alertmanager.url={}", pair.url);
        let (_, out) = run(amtool, &pair.folder, &[&query[..], &[&url]].concat());
        out.contains("foo") && out.contains("baz")
    });
    for format in ["simple", "extended", "json"] {
        for words in [
            &[][..],
            &["foo"],
            &["alertname=~f.*"],
            &["-s", "-a"],
            &["-r", "d.*"],
            &["nothing"],
        ] {
            pair.same(&[&["alert", "query", "-o", format], words].concat());
        }
    }
    pair.same(&["alert", "query", "alertname=~f.*", "x"]);
    pair.same(&["alert", "query", "--date.format=Jan 2006"]);
}

fn silences(pair: &Pair) {
    pair.same(&["silence", "add", "foo", "node=bar"]);
    pair.same(&["silence", "add", "-c", "x"]);
    pair.same(&["silence", "add", "foo", "-c", "x", "-d", "0s"]);
    let ours = |args: &[&str]| {
        let url = format!("--alertmanager.url={}", pair.url);
        let (ok, out) = run(&watchfire(), &pair.folder, &[args, &[&url]].concat());
        assert!(ok, "{args:?}: {out}");
        out
    };
    let id = ours(&[
        "silence", "add", "foo", "node=bar", "-c", "my <c>", "-a", "me", "-d", "2h",
    ]);
    let start = "--start=2036-12-01T00:00:00Z";
    let end = "--end=2036-12-02T00:00:00Z";
    let other = ours(&[
        "silence",
        "add",
        "alertname=~\"b.*\"",
        "x!=y",
        "-c",
        "two\nlines",
        start,
        end,
    ]);
    for format in ["simple", "extended", "json"] {
        for words in [
            &[][..],
            &["foo"],
            &["--within", "3h"],
            &["--expired"],
            &["--created-by=me"],
            &["x!=y"],
        ] {
            pair.same(&[&["silence", "query", "-o", format], words].concat());
        }
    }
    pair.same(&["silence", "query", "-q"]);
    ours(&["silence", "update", "-d", "3h", "-c", "longer", &id]);
    pair.same(&["silence", "query"]);
    let all = ours(&["silence", "query", "-o", "json"]);
    std::fs::write(pair.folder.join("all.json"), all).unwrap();
    assert_eq!(ours(&["silence", "import", "all.json"]).lines().count(), 2);
    assert_eq!(
        ours(&["silence", "import", "-f", "all.json"])
            .lines()
            .count(),
        2
    );
    pair.same(&["silence", "query", "-q"]);
    ours(&["silence", "expire", &id, &other]);
    pair.same(&["silence", "query"]);
    pair.same(&["silence", "query", "--expired", "-q"]);
    pair.same(&["silence", "expire", "no-id"]);
}

fn routes(pair: &Pair) {
    for words in [
        &["show"][..],
        &["show", "--config.file=alertmanager.yml"],
        &["test", "team=a"],
        &["test", "team=a", "sev=crit", "--tree"],
        &["test", "team=a", "--tree", "--config.file=alertmanager.yml"],
        &["test", "ü x=1", "--tree"],
        &["test", "team=a", "sev=crit", "--verify.receivers=a-page,b"],
        &["test", "team=~a"],
    ] {
        let theirs = [&["config", "routes"], words].concat();
        let note = "Warning: --config.file flag overrides the --alertmanager.url.";
        let ours = [&["routes"], words].concat();
        if words.iter().any(|word| word.starts_with("--config.file")) {
            let (_, theirs) = run(&pair.amtool, &pair.folder, &theirs);
            let (_, ours) = run(&watchfire(), &pair.folder, &ours);
            assert_eq!(ours, theirs.replace(&format!("{note}\n"), ""), "{words:?}");
        } else {
            pair.compare(&theirs, &ours);
        }
    }
}

fn templates(pair: &Pair) {
    let text = "{{ define \"x\" }}<b>{{ .Status }}</b> {{ len .Alerts }} {{ .CommonLabels.SortedPairs }}{{ end }}";
    std::fs::write(pair.folder.join("a.tmpl"), text).unwrap();
    let data = r#"{"receiver":"r","status":"firing","alerts":[{"status":"firing","labels":{"a":"b"},"startsAt":"2026-01-01T00:00:00Z"}],"groupLabels":{"x":"y"}}"#;
    std::fs::write(pair.folder.join("data.json"), data).unwrap();
    for text in [
        "{{ template \"x\" . }} {{ .Receiver }} {{ \"<a>\" }}",
        "{{ range .Alerts.Firing }}{{ .Labels.SortedPairs.Values | join \",\" }}{{ end }}",
        "{{ template \"y\" . }}",
        "{{ . }",
        "{{ .CommonLabels.SortedPairs }} {{ .ExternalURL | toUpper }}",
    ] {
        for kind in ["text", "html"] {
            for data in [&[][..], &["--template.data=data.json"]] {
                let text = format!("--template.text={text}");
                let kind = format!("--template.type={kind}");
                let args = ["template", "render", "--template.glob=*.tmpl", &text, &kind];
                pair.same(&[&args, data].concat());
            }
        }
    }
}
