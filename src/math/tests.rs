use super::*;

/// What Prometheus 3.5.3 (Go 1.27 on amd64) answers: two numbers and the functions of the first, or of both.
const RECORDED: &str = include_str!("recorded.tsv");

type Function = fn(f64, f64) -> f64;

fn function(name: &str) -> Function {
    match name {
        "exp" => |x, _| exp(x),
        "ln" => |x, _| ln(x),
        "log2" => |x, _| log2(x),
        "log10" => |x, _| log10(x),
        "sin" => |x, _| sin(x),
        "cos" => |x, _| cos(x),
        "tan" => |x, _| tan(x),
        "asin" => |x, _| asin(x),
        "acos" => |x, _| acos(x),
        "atan" => |x, _| atan(x),
        "sinh" => |x, _| sinh(x),
        "cosh" => |x, _| cosh(x),
        "tanh" => |x, _| tanh(x),
        "asinh" => |x, _| asinh(x),
        "acosh" => |x, _| acosh(x),
        "atanh" => |x, _| atanh(x),
        "^" => pow,
        "%" => |x, y| x % y,
        "atan2" => atan2,
        other => panic!("{other} is not known"),
    }
}

#[test]
fn results_are_those_of_prometheus_to_the_last_bit() {
    let mut lines = RECORDED.lines();
    let names: Vec<&str> = lines.next().unwrap().split('\t').skip(2).collect();
    let mut compared = 0;
    for line in lines {
        let numbers: Vec<f64> = line.split('\t').map(|text| text.parse().unwrap()).collect();
        let (x, y) = (numbers[0], numbers[1]);
        for (name, want) in names.iter().zip(&numbers[2..]) {
            let got = function(name)(x, y);
            assert!(
                got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan()),
                "{name} of {x:e}, {y:e} is {got:e}, not {want:e}"
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 80 * 19);
}

#[test]
fn powers_of_two_are_exact() {
    for n in -1074..=1023 {
        let power = ldexp(1.0, n);
        assert_eq!(log2(power), f64::from(n));
        assert_eq!(exp2(f64::from(n)), power);
    }
    assert_eq!(exp2(1024.0), f64::INFINITY);
    assert_eq!(exp2(-1075.0), 0.0);
}

proptest::proptest! {
    #[test]
    fn numbers_are_taken_apart_and_put_together(bits: u64) {
        let x = f64::from_bits(bits);
        let (fraction, exponent) = parts::frexp(x);
        if x != 0.0 && x.is_finite() {
            assert!((0.5..1.0).contains(&fraction.abs()), "{x:e}: {fraction}");
        }
        if !x.is_nan() {
            assert_eq!(ldexp(fraction, exponent).to_bits(), x.to_bits());
        }
    }

    /// Far from rounding, the functions are those of the C library: no interval has a wrong branch.
    #[test]
    fn functions_are_close_to_those_of_the_c_library(bits: u64, small in -30.0..30.0_f64, y in -5.0..5.0_f64) {
        for x in [f64::from_bits(bits), small, small / 30.0] {
            // compat: Go's exponential ends earlier, and so do its powers; its logarithm of subnormals is another.
            let usual = x.is_normal() && x.abs() < 700.0;
            let pairs: [(&str, f64, f64); 17] = [
                ("exp", exp(x), x.exp()), ("exp2", exp2(x), x.exp2()), ("ln", ln(x), x.ln()),
                ("log2", log2(x), x.log2()), ("log10", log10(x), x.log10()), ("sin", sin(x), x.sin()),
                ("cos", cos(x), x.cos()), ("atan", atan(x), x.atan()), ("asin", asin(x), x.asin()),
                ("acos", acos(x), x.acos()), ("sinh", sinh(x), x.sinh()), ("cosh", cosh(x), x.cosh()),
                ("tanh", tanh(x), x.tanh()), ("asinh", asinh(x), x.asinh()), ("acosh", acosh(x), x.acosh()),
                ("pow", pow(x, y), x.powf(y)), ("atan2", atan2(x, y), x.atan2(y)),
            ];
            // compat: Go takes the arc sine from the root of 1 - x*x, and the arc cosine from that. The rounding of x*x,
            // at most 2^-54 below one, weighs the more the nearer x is to one: half of it by that root.
            let lost = if x.abs() < 1.0 { f64::EPSILON / 8.0 / (1.0 - x * x).sqrt() } else { 0.0 };
            for (name, got, want) in pairs {
                let of_rounding = if matches!(name, "asin" | "acos") { lost } else { 0.0 };
                let allowed = 1e-13 * want.abs().max(1e-2) + of_rounding;
                let close = (got - want).abs() <= allowed || (got.is_nan() && want.is_nan()) || got == want;
                assert!(!usual || close, "{name} of {x:e}, {y:e} is {got:e}, not about {want:e}");
            }
        }
    }

    /// Nothing panics: shifts and conversions are made with any number.
    #[test]
    fn any_number_has_a_result(a: u64, b: u64) {
        let (x, y) = (f64::from_bits(a), f64::from_bits(b));
        let names = RECORDED.lines().next().unwrap_or_default();
        for name in names.split('\t').skip(2) {
            std::hint::black_box(function(name)(x, y));
        }
        std::hint::black_box((tan(x), exp2(x), atanh(x), max(x, y), min(x, y)));
    }
}
