use super::*;
use crate::template::value::List;

fn p(format: &str, args: &[Value]) -> String {
    sprintf(format, args).unwrap()
}

#[test]
fn floats_show_their_bits_as_in_go() {
    for (format, v, want) in [
        ("%x", 1e3, "0x1.f4p+09"),
        ("%X", -1.5, "-0X1.8P+00"),
        ("%.0x", 1.5, "0x1p+01"),
        ("%.3x", 1.0, "0x1.000p+00"),
        ("%x", 0.0, "0x0p+00"),
        ("%x", 5e-324, "0x1p-1074"),
        ("%b", 1.0, "4503599627370496p-52"),
        ("%x", f64::INFINITY, "+Inf"),
        ("% x", 2.0, " 0x1p+01"),
    ] {
        assert_eq!(p(format, &[Value::Float(v)]), want, "{format}");
    }
}

/// As amtool 0.33 prints them.
#[test]
fn flags_print_as_in_go() {
    let list = Value::List(List::strings(["a"]));
    for (format, v, want) in [
        ("%+v", Value::Int(5), "5"),
        ("%#g", Value::Float(2.5), "2.50000"),
        ("%#.3x", Value::Float(1.0), "0x1.000p+00"),
        ("%#x", Value::Float(2.5), "0x1.4000p+01"),
        ("%#.0f", Value::Float(-3.0), "-3."),
        ("%#g", Value::Float(0.0), "0.00000"),
        ("%#g", Value::Float(1e21), "1.00000e+21"),
        ("%#d", Value::Float(2.5), "%!d(float64=2.50000)"),
        ("%#O", Value::Int(-5), "-0o05"),
        ("%U", Value::Int(-5), "U+FFFFFFFFFFFFFFFB"),
        ("%#.6U", Value::Int(0xe9), "U+0000E9 'é'"),
        ("%#U", Value::Int(1), "U+0001"),
        ("%08U", Value::Int(1), "  U+0001"),
        ("%+q", Value::Int(0xe9), r"'\u00e9'"),
        ("%.2T", Value::Int(1), "in"),
        ("%w", list, "%!w([]string=[a])"),
        ("%5z", Value::Duration(1), "%!z(time.Duration=    1)"),
    ] {
        assert_eq!(p(format, &[v]), want, "{format}");
    }
}

#[test]
fn verbs_print_as_in_go() {
    let s = Value::from("hi");
    let n = Value::Int(42);
    let f = Value::Float(3.24159);
    for (format, arg, want) in [
        ("%d", &n, "42"),
        ("%5d|", &n, "   42|"),
        ("%-5d|", &n, "42   |"),
        ("%05d", &n, "00042"),
        ("%+d", &n, "+42"),
        ("%x", &n, "2a"),
        ("%#x", &n, "0x2a"),
        ("%b", &n, "101010"),
        ("%c", &n, "*"),
        ("%q", &n, "'*'"),
        ("%U", &n, "U+002A"),
        ("%s", &n, "%!s(int=42)"),
        ("%d", &s, "%!d(string=hi)"),
        ("%q", &s, "\"hi\""),
        ("%x", &s, "6869"),
        ("%5s|", &s, "   hi|"),
        ("%-5s|", &s, "hi   |"),
        ("%.1s", &s, "h"),
        ("%f", &f, "3.241590"),
        ("%.2f", &f, "3.24"),
        ("%05.2f", &Value::Float(-1.5), "-1.50"),
        ("%08.2f", &f, "00003.24"),
        ("%e", &f, "3.241590e+00"),
        ("%g", &Value::Float(1e6), "1e+06"),
        ("%.3g", &Value::Float(1234.0), "1.23e+03"),
        ("%v", &Value::Float(f64::INFINITY), "+Inf"),
        ("%f", &Value::Float(f64::NAN), "NaN"),
        ("%t", &Value::Bool(true), "true"),
        ("%T", &f, "float64"),
        ("%v", &Value::Nil, "<nil>"),
        ("%s", &Value::Nil, "%!s(<nil>)"),
        ("%d%%", &n, "42%"),
        ("%", &n, "%!(NOVERB)%!(EXTRA int=42)"),
        ("%d %d", &n, "42 %!d(MISSING)"),
        ("%[2]d", &n, "%!d(BADINDEX)"),
        ("%[1]d %[1]x", &n, "42 2a"),
        ("%#v", &s, "\"hi\""),
    ] {
        assert_eq!(p(format, std::slice::from_ref(arg)), want, "{format}");
    }
    assert_eq!(p("%*d", &[Value::Int(4), n.clone()]), "  42");
    assert_eq!(p("x", &[n, s]), "x%!(EXTRA int=42, string=hi)");
    assert_eq!(
        p(
            "%v %d",
            &[Value::Duration(1_500_000_000), Value::Duration(5)]
        ),
        "1.5s 5"
    );
}

#[test]
fn significant_digits_choose_the_form() {
    for (v, want) in [
        (100_000.0, "1e+05"),
        (1000.0, "1000"),
        (0.12, "0.12"),
        (1234.5, "1234"),
        (0.00001, "1e-05"),
        (-12.345, "-12.35"),
    ] {
        assert_eq!(float_general(v, 4), want);
    }
}

#[test]
fn operands_are_separated_as_sprint_does() {
    let args = [
        Value::Int(1),
        Value::Int(2),
        Value::from("a"),
        Value::Int(3),
    ];
    assert_eq!(sprint(&args).unwrap(), "1 2a3");
}
