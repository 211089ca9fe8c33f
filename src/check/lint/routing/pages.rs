use crate::check::Severity;
use crate::check::lint::Page;

pub(in crate::check::lint) static UNREACHABLE: Page = Page::new(
    "W070",
    "unreachable-route",
    Severity::Warning,
    "No alert can ever take a route: an earlier one takes them all, or its matchers contradict each other.",
)
.why("Routes are tried in order, and the first that matches wins unless it has `continue: true`. A route behind one that matches everything it would is dead: its receiver hears nothing. So is a route whose matchers contradict those of the routes around it.")
.example(
    "routes:\n- matchers: [severity=~\"critical|warning\"]\n  receiver: slack\n- matchers: [severity=\"critical\"]\n  receiver: pager",
    "routes:\n- matchers: [severity=\"critical\"]\n  receiver: pager\n- matchers: [severity=~\"critical|warning\"]\n  receiver: slack",
);

pub(in crate::check::lint) static UNUSED_RECEIVER: Page = Page::new(
    "W071",
    "unused-receiver",
    Severity::Warning,
    "No route names a receiver.",
)
.why("It is never told anything. Usually a route was removed or misspells the name of another.")
.example(
    "route: {receiver: slack}\nreceivers: [{name: slack}, {name: pager}]",
    "route: {receiver: slack}\nreceivers: [{name: slack}]",
);

pub(in crate::check::lint) static NOT_ROUTED: Page = Page::new(
    "W072",
    "label-not-routed",
    Severity::Info,
    "Rules set a label that no route, grouping or inhibition looks at.",
)
.why("A label is made to decide something. One that the router never looks at may still be printed in messages, which is fine; or a route for it is missing, or misspells it.")
.example("labels: {team: db} # and no route has a matcher on team", "route:\n  routes:\n  - matchers: [team=\"db\"]");

pub(in crate::check::lint) static GROUP_BY: Page = Page::new(
    "W073",
    "group-by-unknown",
    Severity::Warning,
    "A route groups by a label that no alert which takes it can have.",
)
.why("The label is empty for all alerts, so it splits nothing: all of them come in one message. Usually the name is misspelt, or an aggregation in the rules drops the label.")
.example("group_by: [alertname, clutser]", "group_by: [alertname, cluster]");

pub(in crate::check::lint) static EQUAL: Page = Page::new(
    "W074",
    "equal-unknown",
    Severity::Warning,
    "An inhibition rule compares a label that its sources or its targets cannot have.",
)
.why("A label that is missing counts as empty. When both sides lack it they are always equal, and one source mutes every target, everywhere. When one side lacks it nothing is muted.")
.example("equal: [clutser]", "equal: [cluster]");

pub(in crate::check::lint) static MUTES_NOTHING: Page = Page::new(
    "W075",
    "inhibits-itself",
    Severity::Warning,
    "The sources of an inhibition rule are its targets: it mutes nothing, or what it should not.",
)
.why("No alert mutes itself, and alerts that are source and target at once do not mute each other. A rule whose sources are all targets as well has no effect at all. The target matchers should name what is less severe.")
.example(
    "source_matchers: [severity=\"critical\"]\ntarget_matchers: [severity=\"critical\"]",
    "source_matchers: [severity=\"critical\"]\ntarget_matchers: [severity=\"warning\"]",
);

pub(in crate::check::lint) static LOOP: Page = Page::new(
    "W076",
    "inhibition-loop",
    Severity::Warning,
    "Two inhibition rules mute each other's sources.",
)
.why("An alert that is muted still mutes others. When A mutes B and B mutes A, both are silent, and nobody is told of either.")
.example(
    "- source_matchers: [severity=\"critical\"]\n  target_matchers: [severity=\"warning\"]\n- source_matchers: [severity=\"warning\"]\n  target_matchers: [severity=\"critical\"]",
    "- source_matchers: [severity=\"critical\"]\n  target_matchers: [severity=\"warning\"]",
);

pub(in crate::check::lint) static REPEAT: Page = Page::new(
    "W077",
    "repeat-interval",
    Severity::Warning,
    "repeat_interval is no multiple of group_interval.",
)
.why("Whether a message is repeated is decided every group_interval only. A repeat_interval of 4h with a group_interval of 3h repeats every 6h.")
.example("group_interval: 3h\nrepeat_interval: 4h", "group_interval: 5m\nrepeat_interval: 4h");

pub(in crate::check::lint) static REPEAT_RETENTION: Page = Page::new(
    "W078",
    "repeat-beyond-retention",
    Severity::Warning,
    "repeat_interval is longer than notifications are remembered.",
)
.why("What was sent is remembered for 120h (`--data.retention`). After that it looks as if nothing had been sent, and the message is repeated earlier than repeat_interval says.")
.example("repeat_interval: 10d", "repeat_interval: 4d");

pub(in crate::check::lint) static UNUSED_INTERVAL: Page = Page::new(
    "W079",
    "unused-time-interval",
    Severity::Info,
    "No route names a time interval.",
)
.why("It mutes nothing. mute_time_intervals and active_time_intervals are not inherited: each route names its own.")
.example("time_intervals: [{name: weekend}] # and no route names it", "route:\n  routes:\n  - matchers: [severity=\"warning\"]\n    mute_time_intervals: [weekend]");

pub(in crate::check::lint) static NEVER_TAKEN: Page = Page::new(
    "W080",
    "route-without-alerts",
    Severity::Info,
    "None of the alerts in the checked rules can take a route.",
)
.why("The rules that were checked together with the router set no such label or value. When these are all rules, the route is dead, or its value is misspelt and its alerts go elsewhere; then the hint names what was probably meant.")
.example("matchers: [severity=\"critcal\"]", "matchers: [severity=\"critical\"]");
