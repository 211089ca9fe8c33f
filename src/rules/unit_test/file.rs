//! The shape of a unit-test file, as promtool reads it.

use crate::text::yaml::{Decoder, Dialect, Node, Problem, Span as Place, parse_first};
use crate::time::{Span, Timestamp};

/// A unit-test file.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitTestFile {
    /// Patterns of rule files, relative to this file.
    pub rule_files: Vec<String>,
    /// How often rules are evaluated; 1m by default.
    pub evaluation_interval: Span,
    /// Group names in the order in which they are evaluated; others come first.
    pub group_eval_order: Vec<String>,
    /// Whether values are compared with a tolerance instead of exactly.
    pub fuzzy_compare: bool,
    /// The tests.
    pub tests: Vec<TestGroup>,
}

/// Input series and what is expected of them.
#[derive(Debug, Clone, PartialEq)]
pub struct TestGroup {
    /// Its name; empty when it has none.
    pub name: String,
    /// The distance of the values of input series; the evaluation interval by default.
    pub interval: Span,
    /// The time of the first value; the epoch by default.
    pub start: Timestamp,
    /// The input.
    pub input_series: Vec<InputSeries>,
    /// Expected alerts.
    pub alert_tests: Vec<AlertTest>,
    /// Expected results of expressions.
    pub expr_tests: Vec<ExprTest>,
    /// External labels that templates see.
    pub external_labels: Vec<(String, String)>,
    /// The external URL that templates see.
    pub external_url: String,
    /// Where the group stands in the file.
    pub place: Place,
}

/// One input series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputSeries {
    /// The series' selector.
    pub series: String,
    /// Its values in series notation.
    pub values: String,
    /// Where it stands in the file.
    pub place: Place,
}

/// Alerts that must fire at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertTest {
    /// The time after the start.
    pub eval_time: Span,
    /// The alert.
    pub alertname: String,
    /// What fires; nothing when empty.
    pub expected: Vec<ExpectedAlert>,
    /// Where it stands in the file.
    pub place: Place,
}

/// One alert that must fire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExpectedAlert {
    /// Its labels without `alertname`.
    pub labels: Vec<(String, String)>,
    /// Its annotations.
    pub annotations: Vec<(String, String)>,
}

/// What an expression must give at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct ExprTest {
    /// The expression.
    pub expr: String,
    /// The time after the start.
    pub eval_time: Span,
    /// The expected samples.
    pub expected: Vec<ExpectedSample>,
    /// Where it stands in the file.
    pub place: Place,
}

/// One expected sample.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedSample {
    /// Its labels as a selector.
    pub labels: String,
    /// Its value.
    pub value: f64,
    /// Its histogram in series notation; empty when it is a float.
    pub histogram: String,
}

/// Reads a file; all mistakes come at once. `ignore_unknown_fields` is promtool's flag of that name.
pub fn parse(text: &str, ignore_unknown_fields: bool) -> Result<UnitTestFile, Vec<Problem>> {
    let document = parse_first(text).map_err(|problem| vec![problem])?;
    let reader = Reader {
        decoder: Decoder::new(Dialect::V2),
        ignore_unknown_fields,
    };
    let file = reader.file(&document.root);
    let problems = reader.decoder.into_problems();
    if problems.is_empty() {
        Ok(file)
    } else {
        Err(problems)
    }
}

struct Reader {
    decoder: Decoder,
    ignore_unknown_fields: bool,
}

impl Reader {
    fn file(&self, node: &Node) -> UnitTestFile {
        let mut fields = self.decoder.fields(node, "main.unitTestFile");
        let rule_files = fields.strings("rule_files");
        let interval = match fields.duration_ms("evaluation_interval", 0) {
            0 => Span::minutes(1),
            ms => Span::from_ms(ms),
        };
        let group_eval_order = fields.strings("group_eval_order");
        for (i, name) in group_eval_order.iter().enumerate() {
            if group_eval_order[..i].contains(name) {
                fields.fail_at(
                    "group_eval_order",
                    format!("group name repeated in evaluation order: {name}"),
                );
            }
        }
        let fuzzy_compare = fields.bool("fuzzy_compare", false);
        let tests = fields.list("tests", "main.testGroup", |_, node| {
            self.group(node, interval)
        });
        self.finish(fields);
        UnitTestFile {
            rule_files,
            evaluation_interval: interval,
            group_eval_order,
            fuzzy_compare,
            tests,
        }
    }

    fn group(&self, node: &Node, evaluation_interval: Span) -> TestGroup {
        let mut fields = self.decoder.fields(node, "main.testGroup");
        let group = TestGroup {
            name: fields.string("name"),
            interval: match fields.duration_ms("interval", 0) {
                0 => evaluation_interval,
                ms => Span::from_ms(ms),
            },
            start: fields
                .optional_string("start_timestamp")
                .map(|text| {
                    start_of(&text).unwrap_or_else(|| {
                        fields.fail_at(
                            "start_timestamp",
                            format!(
                                "{text:?} is neither an RFC 3339 time nor seconds since the epoch"
                            ),
                        );
                        Timestamp::default()
                    })
                })
                .unwrap_or_default(),
            input_series: fields.list("input_series", "main.series", |_, node| self.series(node)),
            alert_tests: fields.list("alert_rule_test", "main.alertTestCase", |_, node| {
                self.alert_test(node)
            }),
            expr_tests: fields.list("promql_expr_test", "main.promqlTestCase", |_, node| {
                self.expr_test(node)
            }),
            external_labels: fields.string_map("external_labels"),
            external_url: fields.string("external_url"),
            place: node.span,
        };
        self.finish(fields);
        group
    }

    fn series(&self, node: &Node) -> InputSeries {
        let mut fields = self.decoder.fields(node, "main.series");
        let series = InputSeries {
            series: fields.string("series"),
            values: fields.string("values"),
            place: node.span,
        };
        self.finish(fields);
        series
    }

    fn alert_test(&self, node: &Node) -> AlertTest {
        let mut fields = self.decoder.fields(node, "main.alertTestCase");
        let test = AlertTest {
            eval_time: Span::from_ms(fields.duration_ms("eval_time", 0)),
            alertname: fields.string("alertname"),
            expected: fields.list("exp_alerts", "main.alert", |_, node| {
                self.expected_alert(node)
            }),
            place: node.span,
        };
        if test.alertname.is_empty() {
            let message = format!(
                "an item under alert_rule_test misses required attribute alertname at eval_time {}",
                test.eval_time
            );
            fields.fail(message);
        }
        self.finish(fields);
        test
    }

    fn expected_alert(&self, node: &Node) -> ExpectedAlert {
        let mut fields = self.decoder.fields(node, "main.alert");
        let alert = ExpectedAlert {
            labels: fields.string_map("exp_labels"),
            annotations: fields.string_map("exp_annotations"),
        };
        self.finish(fields);
        alert
    }

    fn expr_test(&self, node: &Node) -> ExprTest {
        let mut fields = self.decoder.fields(node, "main.promqlTestCase");
        let test = ExprTest {
            expr: fields.string("expr"),
            eval_time: Span::from_ms(fields.duration_ms("eval_time", 0)),
            expected: fields.list("exp_samples", "main.sample", |_, node| {
                self.expected_sample(node)
            }),
            place: node.span,
        };
        self.finish(fields);
        test
    }

    fn expected_sample(&self, node: &Node) -> ExpectedSample {
        let mut fields = self.decoder.fields(node, "main.sample");
        let sample = ExpectedSample {
            labels: fields.string("labels"),
            value: fields.float("value", 0.0),
            histogram: fields.string("histogram"),
        };
        self.finish(fields);
        sample
    }

    fn finish(&self, fields: crate::text::yaml::Fields<'_, '_>) {
        if !self.ignore_unknown_fields {
            fields.finish();
        }
    }
}

fn start_of(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds
            .is_finite()
            .then(|| Timestamp::from_ms((seconds * 1000.0).round() as i64));
    }
    crate::time::WallTime::parse_rfc3339(text).map(crate::time::WallTime::to_timestamp)
}
