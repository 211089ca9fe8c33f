use super::*;

fn ok(text: &str) -> String {
    match parse(text, &ParseOptions::all()) {
        Ok(expr) => expr.to_string(),
        Err(errors) => panic!("{text}: {errors:?}"),
    }
}

fn first_error(text: &str, options: ParseOptions) -> String {
    match parse(text, &options) {
        Ok(expr) => panic!("{text} parsed as {expr}"),
        Err(errors) => errors.first().map(ToString::to_string).unwrap_or_default(),
    }
}

#[test]
fn operators_bind_as_upstream_binds_them() {
    let tree = |text: &str| match parse(text, &ParseOptions::all()).unwrap() {
        Expr::Binary(binary) => format!("[{}] {} [{}]", binary.lhs, binary.op, binary.rhs),
        Expr::Unary(unary) => format!("{} [{}]", unary.op, unary.expr),
        other => other.to_string(),
    };
    assert_eq!(tree("a + b * c"), "[a] + [b * c]");
    assert_eq!(tree("a * b ^ c ^ d"), "[a] * [b ^ c ^ d]");
    assert_eq!(tree("a ^ b ^ c"), "[a] ^ [b ^ c]");
    assert_eq!(tree("-a ^ b"), "- [a ^ b]");
    assert_eq!(tree("-a * b"), "[-a] * [b]");
    assert_eq!(tree("a or b and c"), "[a] or [b and c]");
    assert_eq!(tree("a and b unless c"), "[a and b] unless [c]");
    assert_eq!(tree("a == b + c"), "[a] == [b + c]");
    assert_eq!(tree("a offset 5m + b"), "[a offset 5m] + [b]");
    assert_eq!(tree("a offset -step()*2"), "[a offset -step()] * [2]");
    assert_eq!(tree("a offset (5m)*2"), "a offset (5m) * 2");
}

/// Upstream prints what it does not read.
#[test]
fn a_calculated_offset_ends_before_an_operator() {
    let text = "a offset (5m + 1) @ 12.5 + b";
    let expr = parse(text, &ParseOptions::all()).unwrap();
    let printed = "(a @ 12.500 offset (5m + 1)) + b";
    assert_eq!(expr.to_string(), printed);
    let again = parse(printed, &ParseOptions::all()).unwrap();
    assert_eq!(again.to_string(), printed);
    let comparison = "a @ 12.500 offset (5m + 1) == b";
    let expr = parse(comparison, &ParseOptions::all()).unwrap();
    assert_eq!(expr.to_string(), comparison);
}

#[test]
fn keywords_may_name_metrics_and_labels() {
    for text in [
        "sum",
        "by",
        "offset",
        "and",
        "start",
        "step",
        "range",
        "min_of",
        "anchored",
        "fill",
        "sum by (by, on, bool, group_left) (without)",
        "sum(sum)",
        "and and and",
        "or or or",
    ] {
        ok(text);
    }
    assert_eq!(ok("SUM BY (a) (b)"), "sum by (a) (b)");
}

#[test]
fn utf8_names_are_quoted() {
    assert_eq!(ok("{\"a.b\", c=\"d\"}"), "{__name__=\"a.b\",c=\"d\"}");
    assert_eq!(ok("{\"my label\"=\"x\"}"), "{\"my label\"=\"x\"}");
}

#[test]
fn numbers_and_durations_print_as_upstream() {
    assert_eq!(
        ok("0x1F + 1_000 + 5m + -90s + .5"),
        "31 + 1000 + 5m + -1m30s + 0.5"
    );
    assert_eq!(ok("1e21"), "1000000000000000000000");
}

#[test]
fn switches_guard_experimental_syntax() {
    let plain = ParseOptions {
        duration_expressions: false,
        ..ParseOptions::default()
    };
    for (text, message) in [
        (
            "sort_by_label(a, \"b\")",
            "1:1: parse error: function \"sort_by_label\" is not enabled (--enable-feature=promql-experimental-functions)",
        ),
        (
            "a[5m * 2]",
            "1:3: parse error: experimental duration expression is not enabled (--enable-feature=promql-duration-expr)",
        ),
        (
            "a + fill(1) b",
            "1:1: parse error: binop fill modifiers are experimental and not enabled (--enable-feature=promql-binop-fill-modifiers)",
        ),
        (
            "a[5m] anchored",
            "1:1: parse error: anchored modifier is experimental and not enabled (--enable-feature=promql-extended-range-selectors)",
        ),
        (
            "limitk(1, a)",
            "1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
        ),
    ] {
        assert_eq!(first_error(text, plain), message);
        ok(text);
    }
}

#[test]
fn several_errors_are_found_in_one_text() {
    let errors = parse("foo{a=b, c~\"d\"}", &ParseOptions::all()).unwrap_err();
    assert!(!errors.is_empty(), "{errors:?}");
    let errors = parse("sum(1) + rate(a) + abs(b[5m])", &ParseOptions::all()).unwrap_err();
    assert_eq!(errors.len(), 3, "{errors:?}");
}

#[test]
fn errors_name_line_and_column() {
    assert_eq!(
        first_error("a +\n  b c", ParseOptions::default()),
        "2:5: parse error: unexpected identifier \"c\""
    );
}

/// Runs on a thread with the smallest stack that a query may meet.
fn in_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn hostile_texts_end_in_errors() {
    in_small_stack(|| {
        let all = ParseOptions::all();
        for text in [
            "(".repeat(200_000),
            format!("{}1{}", "(".repeat(200_000), ")".repeat(200_000)),
            "-".repeat(100_000),
            format!("{}a", "-".repeat(100_000)),
            "foo[9E510]".to_owned(),
            "a".to_owned() + &" + a".repeat(200_000),
            "a".to_owned() + &" ^ a".repeat(200_000),
            "a[".to_owned() + &"(".repeat(100_000),
            "a[1".to_owned() + &"^1".repeat(100_000) + "]",
            "a[1".to_owned() + &"+1".repeat(100_000) + "]",
            "abs(".repeat(100_000),
            "sum by (a) (".repeat(100_000),
            "{".repeat(100_000),
            "a[1m:]".to_owned() + &"[1m:]".repeat(100_000),
            "a{x=\"".to_owned() + &"\\x00".repeat(100_000),
            "a{".to_owned() + &"b c ".repeat(100_000),
            "a".to_owned() + &" b".repeat(100_000),
            "sum(a b".repeat(10_000),
        ] {
            let errors = parse(&text, &all).unwrap_err();
            assert!(!errors.is_empty() && errors.len() <= 200);
        }
    });
}

#[test]
fn the_highest_accepted_trees_are_safe_everywhere() {
    in_small_stack(|| {
        let all = ParseOptions::all();
        for text in [
            "a".to_owned() + &" + a".repeat(990),
            format!("{}a{}", "(".repeat(95), ")".repeat(95)),
            format!("{}a{}", "abs(".repeat(95), ")".repeat(95)),
            format!("{}a", "-".repeat(95)),
            format!("{}a{}", "sum(-(".repeat(30), "))".repeat(30)),
        ] {
            let expr = parse(&text, &all).unwrap();
            let printed = expr.to_string();
            let again = parse(&printed, &all).unwrap();
            assert_eq!(again.to_string(), printed);
            let pretty = crate::promql::pretty(&expr);
            assert!(parse(&pretty, &all).is_ok());
            assert!(format!("{:?}", expr.clone()).len() > 10);
            assert!(expr.value_type() == crate::promql::ast::ValueType::Vector);
        }
    });
}

#[test]
fn ten_megabytes_of_noise_take_bounded_time() {
    let mut seed = 7_u32;
    let noise: Vec<u8> = (0..10 << 20)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        })
        .collect();
    assert!(parse_bytes(&noise, &ParseOptions::all()).is_err());
    let words = "a b ".repeat(2 << 20);
    assert!(parse(&words, &ParseOptions::all()).is_err());
}

#[test]
fn tokens_tell_where_they_stand() {
    let text = "sum(a) # b\n+ \"c";
    let shown: Vec<&str> = tokens(text.as_bytes())
        .into_iter()
        .map(|pos| &text[pos.start..pos.end])
        .collect();
    assert_eq!(shown, ["sum", "(", "a", ")", "+", "\"c"]);
}

#[test]
fn metric_selectors_give_their_matchers() {
    let matchers = parse_metric_selector("up{job=\"a\"}").unwrap();
    let shown: Vec<String> = matchers.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["job=\"a\"", "__name__=\"up\""]);
    assert!(parse_metric_selector("{}").is_ok());
    for bad in ["", "rate(a[5m])", "a[5m]", "a +", "1"] {
        assert!(parse_metric_selector(bad).is_err(), "{bad}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_gives_an_answer(text in "\\PC{0,60}") {
        let _ = parse(&text, &ParseOptions::all());
    }

    #[test]
    fn what_parses_prints_stably(words in proptest::collection::vec(
        proptest::sample::select(vec![
            "a", "b{c=\"d\"}", "sum", "rate", "(", ")", "(", ")", "[5m]", "[1h:5m]", "+", "-", "*", "^",
            "offset 5m", "offset -1d", "@ 12.5", "@ end()", "by (x)", "without (y)", "on (z)",
            "group_left", "==", "bool", "and", "unless", "1", "2.5", "5m", "\"text\"", ",", "topk(2,",
            "abs(", "[step() * 2]", "offset (5m + 1)", "anchored", "fill(0)", "-", "+",
        ]), 1..12,
    )) {
        let text = words.join(" ");
        if let Ok(expr) = parse(&text, &ParseOptions::all()) {
            let printed = expr.to_string();
            let again = parse(&printed, &ParseOptions::all());
            proptest::prop_assert!(again.is_ok(), "{} printed as {}", text, printed);
            proptest::prop_assert_eq!(again.unwrap().to_string(), printed);
        }
    }
}
