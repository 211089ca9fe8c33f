use super::*;

fn problems(text: &str) -> Vec<String> {
    parse(text, Syntax::Fallback)
        .expect_err("refused")
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn secrets_and_comments_are_not_shown() {
    let text = r#"
global:
  smtp_auth_password: "s3cr3t pass"   # s3cr3t in a comment
  slack_api_url: http://x/s3cr3t
  http_config: {basic_auth: {username: u, password: s3cr3t}, http_headers: {X: {secrets: [s3cr3t]}}}
route: {receiver: a, group_by: ['...']}
receivers:
- name: a
  webhook_configs:
  - url: 'http://y/s3cr3t'
    http_config:
      authorization:
        credentials: >
          s3cr3t
      proxy_url: http://u:s3cr3t@proxy/
  pagerduty_configs: [{routing_key: s3cr3t}]
  slack_configs: [{channel: '#x'}]
"#;
    let config = parse(text, Syntax::Fallback).expect("accepted");
    assert!(!config.original.contains("s3cr3t"), "{}", config.original);
    assert!(!format!("{config:?}").contains("s3cr3t pass"));
    // What is shown can be read again, as amtool does.
    let again = parse(&config.original, Syntax::Fallback).expect("accepted");
    assert_eq!(again.route, config.route);
    assert_eq!(again.original, config.original);
}

#[test]
fn receivers_take_over_global_settings() {
    let text = "
global: {slack_api_url: 'http://slack/x', smtp_smarthost: 'h:25', smtp_from: me@x, resolve_timeout: 1m}
route: {receiver: a}
receivers: [{name: a, slack_configs: [{channel: c}, {api_url: 'http://own/'}], email_configs: [{to: you}]}]
";
    let config = parse(text, Syntax::Fallback).expect("accepted");
    assert_eq!(config.resolve_timeout, Span::minutes(1));
    let [email, first, second] = &config.receivers[0].integrations[..] else {
        panic!("three integrations");
    };
    assert_eq!((email.kind, email.send_resolved), ("email", false));
    assert_eq!(email.options.text("smarthost"), Some("h:25"));
    assert_eq!(email.options.text("hello"), Some("localhost"));
    assert_eq!(email.options.flag("require_tls"), Some(true));
    let url = |i: &Integration| i.options.secret("api_url").map(|s| s.expose().to_owned());
    assert_eq!(
        (first.index, url(first).as_deref()),
        (0, Some("http://slack/x"))
    );
    assert_eq!(
        (second.index, url(second).as_deref()),
        (1, Some("http://own/"))
    );
}

#[test]
fn several_mistakes_are_told_at_once_with_places() {
    let text = "route:
  receiver: nobody
  group_interval: 0s
  routes:
  - matchers: ['a=b=c\"']
    recever: x
receivers:
- name: a
  telegram_configs: [{bot_token: x}]
";
    assert_eq!(
        problems(text),
        [
            "2:13: undefined receiver \"nobody\" used in route",
            "3:19: group_interval cannot be zero",
            "5:16: matcher value contains unescaped double quote: b=c\"",
            "6:5: field recever not found in type config.plain",
            "9:22: missing chat_id or chat_id_file on telegram_config",
        ]
    );
}

#[test]
fn several_sources_of_an_inhibition_are_checked() {
    let rule = |rule: &str| {
        format!("route: {{receiver: a}}\nreceivers: [{{name: a}}]\ninhibit_rules:\n- {rule}\n")
    };
    let config = parse(
        &rule("{name: n, sources: [{matchers: ['a=1'], equal: [c]}, {matchers: [b=2]}], target_matchers: [x=y]}"),
        Syntax::Fallback,
    )
    .expect("accepted");
    assert_eq!(config.inhibit_rules[0].sources.len(), 2);
    for (text, why) in [
        (
            "{sources: [{matchers: [a=1]}], equal: [b]}",
            "sources cannot be combined",
        ),
        (
            "{sources: [{matchers: []}]}",
            "source 0: matchers must not be empty",
        ),
        (
            "{sources: [{matchers: ['a=']}]}",
            "source 0: at least one matcher must not match the empty string",
        ),
    ] {
        let found = problems(&rule(text));
        assert!(found[0].contains(why), "{found:?}");
    }
}
