"""Our scenarios for ../shared/oracle/am_diff.py: each receiver and each stage beside a real Alertmanager.

    am_diff.py --scenarios tests/am_scenarios/scenarios.py 'prometheus-alertmanager --config.file={config} --storage.path={dir}
      --web.listen-address=127.0.0.1:{port} --cluster.listen-address=' 'watchfire serve --alertmanager.config.file={config}
      --storage.tsdb.path={dir} --web.listen-address=127.0.0.1:{port}'

Notifications are compared per path, so every receiver has a path of its own. startsAt is the time of posting."""


def alert(ends=None, ann=None, gen="http://prom.example/graph?g0.expr=up", **labels):
    a = {"labels": labels, "annotations": ann or {}, "generatorURL": gen}
    if ends is not None:
        a["endsAt"] = ends
    return a


API = dict(alertname="APIServerDown", severity="critical", job="apiserver", instance="10.0.0.1:6443", cluster="eu")
API2 = dict(API, instance="10.0.0.2:6443")
DISK = dict(alertname="DiskFillingUp", severity="warning", instance="node-1", device="/dev/sda1", cluster="eu")
ANN = dict(summary="API server is down", description="No answer for 5m <b>&\"now\"</b>\nsecond line ü 日本", runbook_url="https://runbooks.example/api")
FAST = "group_wait: 1s\n  group_interval: 2s\n  repeat_interval: 1h"
# Fires, gets company, ends.
LIFE = [(0, "alerts", [alert(ann=ANN, **API)]), (1.6, "alerts", [alert(ann=ANN, **API2)]),
        (3.6, "alerts", [alert(ends=-1, ann=ANN, **API), alert(ends=-1, ann=ANN, **API2)])]


def one(receiver, top="", timeline=LIFE, until=6.5, files=None, **more):
    """A config with one receiver, whose text is indented below `- name: r`."""
    text = "%s\nroute:\n  receiver: r\n  group_by: [alertname, cluster]\n  %s\nreceivers:\n- name: r\n%s" % (top, FAST, receiver)
    out = dict(config=text, timeline=timeline, until=until, **more)
    if files:
        out["files"] = files
    return out


SCENARIOS = {
    "webhook: two integrations, headers, send_resolved off": one("""
  webhook_configs:
  - url: http://CAPTURE/a
  - url: http://CAPTURE/b
    send_resolved: false
    http_config: {basic_auth: {username: u, password: p}, http_headers: {X-Test: {values: [one]}}}
"""),
    "pagerduty v2: details, links, images, class": one("""
  pagerduty_configs:
  - routing_key: k1
    url: http://CAPTURE/pd
    severity: '{{ .CommonLabels.severity }}'
    class: cls
    component: '{{ .CommonLabels.job }}'
    group: grp
    source: src
    client: c
    client_url: https://c.example
    details: {firing: '{{ template "pagerduty.default.instances" .Alerts.Firing }}', extra: '{{ .CommonLabels.cluster }}', obj: '{"a": [1, "x"]}'}
    links: [{href: 'https://l.example/{{ .GroupLabels.alertname }}', text: link}, {href: '', text: none}]
    images: [{src: https://i.example/x.png, alt: pic, href: https://i.example}]
"""),
    "opsgenie: priority, responders, tags, entity": one("""
  opsgenie_configs:
  - api_key: k
    api_url: http://CAPTURE/og/
    message: '{{ .CommonAnnotations.summary }}'
    priority: P2
    tags: 'a,{{ .CommonLabels.cluster }}'
    note: n
    entity: e
    actions: 'x, y'
    responders: [{name: team-x, type: team}, {username: bob, type: user}, {id: i1, type: schedule}]
    details: {k: '{{ .CommonLabels.job }}'}
"""),
    "victorops: custom fields": one("""
  victorops_configs:
  - api_key: k
    api_url: http://CAPTURE/vo/
    routing_key: 'r-{{ .CommonLabels.cluster }}'
    message_type: WARNING
    custom_fields: {X: '{{ .CommonLabels.job }}'}
"""),
    "telegram: html and markdown": one("""
  telegram_configs:
  - bot_token: 1:abc
    api_url: http://CAPTURE/tg
    chat_id: 5
    message_thread_id: 7
    disable_notifications: true
  - bot_token: 2:abc
    api_url: http://CAPTURE/tg
    chat_id: -6
    parse_mode: MarkdownV2
    message: '*{{ .Status }}* {{ .CommonLabels.alertname }}'
"""),
    "discord: content, username, avatar": one("""
  discord_configs:
  - webhook_url: http://CAPTURE/dc
    content: 'see {{ .CommonLabels.alertname }}'
    username: bot
    avatar_url: https://a.example/x.png
"""),
    "msteams: connector and workflow": one("""
  msteams_configs:
  - webhook_url: http://CAPTURE/teams
    summary: 's {{ .Status }}'
  msteamsv2_configs:
  - webhook_url: http://CAPTURE/teams2
    title: 't {{ .Status }}'
    text: '{{ .CommonAnnotations.description }}'
"""),
    "webex": one("""
  webex_configs:
  - api_url: http://CAPTURE/webex
    room_id: room
    message: '{{ .CommonAnnotations.description }}'
    http_config: {authorization: {credentials: tok}}
"""),
    # SNS is left out: the SDK of the real one signs headers of its own; tests/conformance/notify.rs has it.
    "email: plain and html, headers, threading": one("""
  email_configs:
  - to: 'a@example.com, b@example.com'
    from: am@example.com
    smarthost: SMTPHOST
    require_tls: false
    send_resolved: true
    headers: {Subject: '[{{ .Status }}] {{ .GroupLabels.alertname }} ü', X-Test: 'v{{ len .Alerts }}', Reply-To: r@example.com}
    text: 'plain {{ .CommonAnnotations.description }}'
    html: '<p>{{ .CommonAnnotations.description }}</p>'
  - to: c@example.com
    from: am@example.com
    smarthost: SMTPHOST
    require_tls: false
"""),
    "slack: bot token with chat.postMessage": one("""
  slack_configs:
  - channel: C1
    api_url: http://CAPTURE/chat.postMessage
    http_config: {authorization: {credentials: xoxb}}
    send_resolved: true
    title: '{{ .Status }}'
"""),
    "templates: user file overrides a default, comments, trims": one("""
  webhook_configs: [{url: http://CAPTURE/hook}]
  slack_configs:
  - api_url: http://CAPTURE/slack
    channel: '#x'
    title: '{{ template "slack.default.title" . }}'
    text: |-
      {{- /* c */ -}}
      {{ range $i, $a := .Alerts }}{{ if gt $i 0 }}, {{ end }}{{ $a.Labels.instance }}={{ $a.Status | printf "%-9s|" }}{{ else }}none{{ end }}
      {{ with index .Alerts 0 }}{{ .Annotations.SortedPairs.Names | join "/" }}{{ end }}
""", top="templates: ['*.tmpl']", files={"x.tmpl": '{{ define "slack.default.title" }}mine: {{ .CommonLabels.Remove (stringSlice "severity" "job") }}{{ end }}'}),
    "inhibition: critical mutes warning, then ends": dict(
        config=f"""
route:
  receiver: hook
  group_by: [alertname]
  {FAST}
inhibit_rules:
- source_matchers: [severity="critical"]
  target_matchers: [severity="warning"]
  equal: [cluster]
receivers:
- name: hook
  webhook_configs: [{{url: http://CAPTURE/hook}}]
""",
        timeline=[(0, "alerts", [alert(**API), alert(**DISK)]), (1.9, "get", "/api/v2/alerts"), (2.0, "get", "/api/v2/alerts?inhibited=false"),
                  (2.1, "get", "/api/v2/alerts/groups"), (3.6, "alerts", [alert(ends=-1, **API)]), (6, "get", "/api/v2/alerts?active=false")],
        until=8),
    "mute and active time intervals": dict(
        config=f"""
route:
  receiver: hook
  group_by: [alertname]
  {FAST}
  routes:
  - {{matchers: [severity="critical"], receiver: hook, mute_time_intervals: [always], continue: true}}
  - {{matchers: [severity="critical"], receiver: other, active_time_intervals: [never], continue: true}}
  - {{matchers: [severity="critical"], receiver: third, active_time_intervals: [always], mute_time_intervals: [never]}}
time_intervals:
- name: always
  time_intervals: [{{weekdays: ['sunday:saturday']}}]
- name: never
  time_intervals: [{{years: ['1999']}}]
receivers:
- {{name: hook, webhook_configs: [{{url: http://CAPTURE/hook}}]}}
- {{name: other, webhook_configs: [{{url: http://CAPTURE/other}}]}}
- {{name: third, webhook_configs: [{{url: http://CAPTURE/third}}]}}
""",
        timeline=[(0, "alerts", [alert(**API), alert(**DISK)]), (2.5, "get", "/api/v2/alerts/groups"), (2.6, "get", "/api/v2/alerts/groups?receiver=third")],
        until=4.5),
    "silence with a regex holds a group back, expires, repeats": dict(
        config="""
route: {receiver: hook, group_by: [cluster], group_wait: 1s, group_interval: 1s, repeat_interval: 3s}
receivers:
- name: hook
  webhook_configs: [{url: http://CAPTURE/hook, max_alerts: 1}]
""",
        timeline=[(0, "silence", dict(matchers=[dict(name="alertname", value="API.*", isRegex=True, isEqual=True)], createdBy="t", comment="c", **{"for": 2.6})),
                  (0.2, "alerts", [alert(**API), alert(**DISK)]), (1.9, "get", "/api/v2/alerts?silenced=false"), (2, "get", "/api/v2/silences?filter=alertname%3D~%22API.%2A%22")],
        until=6.7),
    "labels: UTF-8 names, odd values, dropped empties": dict(
        config=f"""
route:
  receiver: hook
  group_by: ['ünï cödé', b]
  {FAST}
  routes:
  - matchers: ['"ünï cödé"="x"', 'b=~"1|"']
    receiver: hook
receivers:
- name: hook
  webhook_configs: [{{url: http://CAPTURE/hook}}]
""",
        timeline=[(0, "alerts", [{"labels": {"ünï cödé": "x", "alertname": "A\"\\\n<&>", "empty": ""}, "annotations": {"e": "", "k": "\u2028"}, "generatorURL": ""}]),
                  (2, "get", "/api/v2/alerts"), (2.1, "get", "/api/v2/alerts/groups"), (2.2, "get", "/api/v2/alerts?filter=b%3D%22%22"), (2.3, "get", "/api/v2/alerts?filter=nope"), (2.4, "get", "/api/v2/alerts?receiver=ho.k")],
        until=3.5),
    "a receiver that throttles and fails is told in the end": one("""
  webhook_configs: [{url: http://CAPTURE/hook}]
  slack_configs: [{api_url: http://CAPTURE/slack, channel: c}]
""", timeline=[(0, "alerts", [alert(ann=ANN, **API)])], until=5, fail={"/hook": [503, 500], "/slack": [500]}),
    "mattermost: attachments, fields, priority": one("""
  mattermost_configs:
  - webhook_url: http://CAPTURE/mm
    channel: 'c-{{ .CommonLabels.cluster }}'
    username: bot
    text: '{{ .Status }}'
    title: '{{ template "mattermost.default.title" . }}'
    fields: [{title: A, value: '{{ .CommonLabels.job }}', short: true}]
    color: '#ff0000'
    footer: foot
    props: {card: 'card {{ .Status }}'}
    priority: {priority: urgent, requested_ack: true, persistent_notifications: true}
"""),
    "rocketchat: fields and actions": one("""
  rocketchat_configs:
  - api_url: http://CAPTURE/rc
    token: t
    token_id: i
    channel: '#x'
    title: '{{ .Status }}'
    text: '{{ .CommonAnnotations.description }}'
    emoji: ':fire:'
    color: red
    fields: [{title: A, value: '{{ .CommonLabels.job }}', short: true}, {title: B, value: b}]
    actions: [{type: button, text: Go, url: https://u.example, msg: hello}]
    short_fields: true
    link_names: true
"""),
    "incident.io": one("""
  incidentio_configs:
  - url: http://CAPTURE/incident
    alert_source_token: tok
    max_alerts: 1
"""),
    "jira: search and create": one("""
  jira_configs:
  - api_url: http://CAPTURE/rest/api/2/
    project: '{{ .CommonLabels.cluster }}'
    issue_type: Bug
    priority: High
    labels: [alertmanager, '{{ .GroupLabels.alertname }}']
    fields: {customfield_1: {value: '{{ .Status }}'}, customfield_2: ['{{ .CommonLabels.job }}', 7]}
    resolve_transition: Done
    reopen_transition: Todo
"""),
    "wechat: an answer without a token": one("""
  wechat_configs:
  - api_url: http://CAPTURE/wechat/
    api_secret: s
    corp_id: c
    to_user: '@all'
"""),
    "pagerduty v1: service key": one("""
  pagerduty_configs:
  - service_key: k1
    url: http://CAPTURE/pd1
    client: '{{ .Receiver }}'
    description: '{{ .CommonAnnotations.summary }}'
    details: {n: '{{ .Alerts.Firing | len }}'}
"""),
    "slack: defaults, and a long text": one("""
  slack_configs:
  - api_url: http://CAPTURE/slack
    channel: '#x'
  - api_url: http://CAPTURE/slack2
    channel: '#y'
    send_resolved: true
    title: '{{ range .Alerts }}{{ .Annotations.description }}{{ .Annotations.description }}{{ .Annotations.description }}{{ end }}'
    fallback: '{{ .GroupLabels.SortedPairs.Values | join "," }}'
    color: '{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}'
"""),
    "opsgenie: update_alerts, description": one("""
  opsgenie_configs:
  - api_key: k
    api_url: http://CAPTURE/og/
    update_alerts: true
    description: '{{ range .Alerts }}{{ .Labels.instance }} {{ end }}'
"""),
    "grouping by every label, by none, and by a missing one": dict(
        config=f"""
route:
  receiver: all
  group_by: ['...']
  {FAST}
  routes:
  - {{matchers: [severity="critical"], receiver: none, group_by: [], continue: true}}
  - {{matchers: [severity="critical"], receiver: missing, group_by: [nolabel, cluster], continue: true}}
  - {{matchers: [severity=~".+"], receiver: all}}
receivers:
- {{name: all, webhook_configs: [{{url: http://CAPTURE/all}}]}}
- {{name: none, webhook_configs: [{{url: http://CAPTURE/none}}]}}
- {{name: missing, webhook_configs: [{{url: http://CAPTURE/missing}}]}}
""",
        timeline=[(0, "alerts", [alert(**API), alert(**API2), alert(**DISK)]), (2.3, "get", "/api/v2/alerts/groups"), (2.5, "get", "/api/v2/alerts/groups?filter=severity%3Dwarning"), (2.6, "get", "/api/v2/alerts?receiver=none%7Call")],
        until=4),
    "continue: an alert on several routes, nested": dict(
        config=f"""
route:
  receiver: root
  group_by: [alertname]
  {FAST}
  routes:
  - matchers: [cluster="eu"]
    receiver: eu
    continue: true
    routes:
    - {{match: {{severity: critical}}, receiver: crit, continue: true}}
    - {{match_re: {{job: 'api.*'}}, receiver: job}}
  - {{matchers: ['severity!="warning"'], receiver: late, group_by: [instance]}}
receivers:
- {{name: root, webhook_configs: [{{url: http://CAPTURE/root}}]}}
- {{name: eu, webhook_configs: [{{url: http://CAPTURE/eu}}]}}
- {{name: crit, webhook_configs: [{{url: http://CAPTURE/crit}}]}}
- {{name: job, webhook_configs: [{{url: http://CAPTURE/job}}]}}
- {{name: late, webhook_configs: [{{url: http://CAPTURE/late}}]}}
""",
        timeline=[(0, "alerts", [alert(**API), alert(**DISK), alert(alertname="Lone", severity="info")]), (2.3, "get", "/api/v2/alerts"), (2.4, "get", "/api/v2/alerts/groups")],
        until=4),
    "repeat_interval, and send_resolved off": dict(
        config="""
route: {receiver: r, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 2s}
receivers:
- name: r
  webhook_configs:
  - {url: http://CAPTURE/yes, send_resolved: true}
  - {url: http://CAPTURE/no, send_resolved: false}
""",
        timeline=[(0, "alerts", [alert(**API), alert(**DISK)]), (5.5, "alerts", [alert(ends=-1, **API)]), (8.6, "alerts", [alert(**API)])],
        until=10.6),
    "resolve_timeout ends what is not renewed": one("""
  webhook_configs: [{url: http://CAPTURE/hook}]
""", top="global: {resolve_timeout: 2s}", timeline=[(0, "alerts", [alert(**API), alert(**API2)]), (1.9, "alerts", [alert(**API2)]), (6, "get", "/api/v2/alerts")], until=8.4),
    "an end of its own: in the past, near, and moved": one("""
  webhook_configs: [{url: http://CAPTURE/hook}]
""", timeline=[(0, "alerts", [alert(ends=-2, **DISK), alert(ends=2, **API), alert(ends=2, **API2)]), (1.5, "alerts", [alert(ends=30, **API2)]), (4.4, "get", "/api/v2/alerts")], until=6.4),
    "an alert that comes back within the interval": one("""
  webhook_configs: [{url: http://CAPTURE/hook}]
""", timeline=[(0, "alerts", [alert(**API)]), (1.4, "alerts", [alert(ends=-1, **API)]), (2.0, "alerts", [alert(**API)]), (3.6, "alerts", [alert(ends=-1, **API)]), (5.6, "alerts", [alert(**API)])], until=8.4),
    "inhibition: equal labels that are missing, two rules, both sides": dict(
        config=f"""
route:
  receiver: hook
  group_by: [alertname]
  {FAST}
inhibit_rules:
- source_match: {{severity: critical}}
  target_match_re: {{severity: warning|info}}
  equal: [cluster, zone]
- source_matchers: [alertname="DiskFillingUp"]
  target_matchers: [alertname=~"Disk.*|API.*", 'severity!="warning"']
  equal: [nosuch]
- source_matchers: [cluster="eu"]
  target_matchers: [cluster="eu"]
receivers:
- {{name: hook, webhook_configs: [{{url: http://CAPTURE/hook}}]}}
""",
        timeline=[(0, "alerts", [alert(**dict(API, zone="a")), alert(**DISK), alert(**dict(DISK, alertname="Other", zone="a")), alert(alertname="Info", severity="info", cluster="us")]),
                  (2.3, "get", "/api/v2/alerts?inhibited=true"), (2.4, "get", "/api/v2/alerts?inhibited=false"), (4, "alerts", [alert(ends=-1, **DISK)]), (6.3, "get", "/api/v2/alerts")],
        until=7),
    "silences: negative matchers, two at once, one expires": dict(
        config=f"""
route:
  receiver: hook
  group_by: [alertname]
  {FAST}
receivers:
- {{name: hook, webhook_configs: [{{url: http://CAPTURE/hook}}]}}
""",
        timeline=[(0, "silence", dict(matchers=[dict(name="severity", value="warn.*", isRegex=True, isEqual=False), dict(name="cluster", value="eu", isRegex=False, isEqual=True)], createdBy="t", comment="c", **{"for": 3})),
                  (0.1, "silence", dict(matchers=[dict(name="instance", value="10.0.0.2:6443", isRegex=False)], createdBy="t", comment="c")),
                  (0.3, "alerts", [alert(**API), alert(**API2), alert(**DISK)]), (2.5, "get", "/api/v2/alerts/groups?silenced=true"), (2.6, "get", "/api/v2/alerts?silenced=false&active=true"),
                  (3.6, "get", "/api/v2/silences?filter=instance%3D%2210.0.0.2%3A6443%22"), (5.2, "expire-all", None)],
        until=8.6),
    "time intervals: days, months, negative days, locations": dict(
        config=f"""
route:
  receiver: hook
  group_by: [alertname]
  {FAST}
  routes:
  - {{matchers: [severity="critical"], receiver: hook, mute_time_intervals: [impossible], continue: true}}
  - {{matchers: [severity="critical"], receiver: other, mute_time_intervals: [whole], continue: true}}
  - {{matchers: [severity="critical"], receiver: third, active_time_intervals: [month]}}
time_intervals:
- name: impossible
  time_intervals: [{{months: ['february'], days_of_month: ['30:31']}}]
- name: whole
  time_intervals: [{{days_of_month: ['1:-1'], months: ['january:december'], location: 'Asia/Tokyo'}}]
- name: month
  time_intervals: [{{days_of_month: ['-31:-1'], location: 'America/New_York'}}]
receivers:
- {{name: hook, webhook_configs: [{{url: http://CAPTURE/hook}}]}}
- {{name: other, webhook_configs: [{{url: http://CAPTURE/other}}]}}
- {{name: third, webhook_configs: [{{url: http://CAPTURE/third}}]}}
""",
        timeline=[(0, "alerts", [alert(**API), alert(**DISK)]), (2.5, "get", "/api/v2/alerts/groups"), (2.6, "get", "/api/v2/alerts/groups?muted=false")],
        until=4.5),
    "posts that are wrong": one("""
  webhook_configs: [{url: http://CAPTURE/hook}]
""", timeline=[(0, "alerts", [{"labels": {}}]), (0.1, "alerts", [{"labels": {"a": ""}}]), (0.2, "alerts", [{"labels": {"alertname": "x"}, "startsAt": "2024-01-01T00:00:00Z", "endsAt": "2023-01-01T00:00:00Z"}]),
               (0.3, "alerts", [{"labels": {"alertname": "x"}, "generatorURL": "no url at all %"}]), (0.4, "alerts", []), (0.5, "alerts", [{"labels": {"alertname": "ok"}, "annotations": {"a": ""}}, {"labels": {}}]),
               (2, "get", "/api/v2/alerts"), (2.1, "get", "/api/v2/alerts?filter=a%3D%7E%5B"), (2.2, "get", "/api/v2/alerts?receiver=%5B"), (2.3, "get", "/api/v2/nothing")], until=3),
    "templates: the functions of notifications": one("""
  webhook_configs: [{url: http://CAPTURE/hook}]
  discord_configs:
  - webhook_url: http://CAPTURE/dc
    title: '{{ .GroupLabels.alertname | title | reReplaceAll "(.)D" "$1-D" }} {{ match "^API" .CommonLabels.alertname }} {{ trimSpace "  x " }}'
    message: |-
      {{ define "inner" }}[{{ .Labels.instance }}]{{ end -}}
      {{ range .Alerts }}{{ template "inner" . }} {{ .Status }} {{ .GeneratorURL }} {{ .Fingerprint }} {{ .EndsAt.IsZero }}
      {{ end }}{{ .CommonLabels.Remove (stringSlice "job") }} {{ .CommonAnnotations.Names | join "," }} {{ printf "%q %v %05d %t" "x" .Status 7 true }}
      {{ .ExternalURL | len | lt 3 }} {{ index .CommonLabels "cluster" | toUpper }} {{ slice "abcdef" 1 3 }} {{ urlUnescape "a%20b" }} {{ toJson .GroupLabels }}
      {{ with .CommonLabels.nosuch }}no{{ else with .CommonLabels.job }}{{ . }}{{ end }} {{ safeHtml "<b>" }} {{ "a,b" | stringSlice | join "-" }} {{ since (index .Alerts 0).StartsAt | humanizeDuration | len | lt 0 }}
"""),
    "status and receivers over the API": one("""
  webhook_configs: [{url: http://CAPTURE/hook}]
""", timeline=[(0, "get", "/api/v2/receivers"), (0.1, "get", "/api/v2/silences"), (0.2, "get", "/api/v2/alerts"), (0.3, "get", "/api/v2/alerts/groups"), (0.4, "get", "/api/v2/silence/zz")], until=1),
}
