//! A `time.Time` under the verbs that do not ask for its text: as the struct that it is.

use super::Printer;
use crate::template::gotime::Time;
use crate::template::value::Value;

/// The field with the location; nil for UTC.
const LOCATION: &str = "*time.Location";

impl Printer {
    /// A time whose method `String` is not asked: `%#v` has Go's source, everything else the fields.
    pub(super) fn time(&mut self, time: &Time, verb: char) {
        if verb == 'v' && self.flags.sharp_v && !self.complains {
            let source = time.go_source();
            return self.string(&source, 's');
        }
        self.time_fields(time, verb);
    }

    /// compat: nanoseconds, seconds since year one, and where. What is not in UTC has an address there that no two runs
    /// have in common; ours is always nil.
    fn time_fields(&mut self, time: &Time, verb: char) {
        let (seconds, nanoseconds) = time.since_year_one();
        if self.flags.sharp_v {
            self.push("time.Time");
        }
        self.push("{");
        self.time_field("wall", "");
        self.value(&Value::Uint(nanoseconds), verb, 1);
        self.time_field("ext", if self.flags.sharp_v { ", " } else { " " });
        let ext = Value::Named("int64", seconds, "");
        self.integer(&ext, seconds.unsigned_abs(), seconds < 0, verb);
        self.time_field("loc", if self.flags.sharp_v { ", " } else { " " });
        self.no_location(verb);
        self.push("}");
    }

    fn time_field(&mut self, name: &str, separator: &str) {
        self.push(separator);
        if self.flags.plus_v || self.flags.sharp_v {
            self.push(name);
            self.push(":");
        }
    }

    /// A pointer that is nil.
    fn no_location(&mut self, verb: char) {
        match verb {
            'v' if self.flags.sharp_v => self.push(&format!("({LOCATION})(nil)")),
            'v' => self.pad("<nil>"),
            'b' | 'o' | 'd' | 'x' | 'X' => self.value(&Value::Uint(0), verb, 1),
            _ => {
                self.push(&format!("%!{verb}({LOCATION}="));
                self.pad("<nil>");
                self.push(")");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::template::gotime::Time;
    use crate::template::printf::sprintf;
    use crate::template::value::Value;

    #[track_caller]
    fn prints(format: &str, time: &str, want: &str) {
        let time = Time::parse_rfc3339(time).expect("a time");
        assert_eq!(sprintf(format, &[Value::Time(time)]).as_deref(), Ok(want));
    }

    /// As amtool 0.33 prints them.
    #[test]
    fn times_are_structs_to_most_verbs() {
        let zero = "0001-01-01T00:00:00Z";
        prints("%d", zero, "{0 0 0}");
        prints("%+d", zero, "{+0 +0 +0}");
        prints("%O", zero, "{0o0 0o0 %!O(*time.Location=<nil>)}");
        prints(
            "%08z",
            zero,
            "{%!z(uint64=00000000) %!z(int64=00000000) %!z(*time.Location=000<nil>)}",
        );
        prints(
            "%#v",
            zero,
            "time.Date(1, time.January, 1, 0, 0, 0, 0, time.UTC)",
        );
        prints("%p", zero, "%!p(time.Time={0 0 <nil>})");
        let other = "2026-01-01T00:00:00.000001Z";
        prints("%d", other, "{1000 63902822400 0}");
        prints(
            "%#v",
            other,
            "time.Date(2026, time.January, 1, 0, 0, 0, 1000, time.UTC)",
        );
        prints(
            "%+w",
            other,
            "%!w(time.Time={wall:1000 ext:63902822400 loc:<nil>})",
        );
        prints("%v", other, "2026-01-01 00:00:00.000001 +0000 UTC");
    }
}
