//! Interval arithmetic: between which bounds can a value lie?

use crate::promql::ast::BinaryOp;

/// The values that an expression can have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueRange {
    /// Nothing is less.
    pub low: f64,
    /// Nothing is greater.
    pub high: f64,
    /// Whether `low` itself is left out.
    pub above_low: bool,
    /// Whether `high` itself is left out.
    pub below_high: bool,
    /// Whether all values are whole numbers.
    pub whole: bool,
    /// Whether it can be NaN.
    pub nan: bool,
}

/// Whether a comparison holds for the values of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// For every value.
    Always,
    /// For some or none: not known.
    Open,
    /// For no value.
    Never,
}

impl ValueRange {
    /// Any value.
    pub const ANY: Self = Self {
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
        above_low: false,
        below_high: false,
        whole: false,
        nan: true,
    };

    /// Bounds, both within.
    pub const fn between(low: f64, high: f64) -> Self {
        Self {
            low,
            high,
            above_low: false,
            below_high: false,
            whole: false,
            nan: false,
        }
    }

    /// One value.
    pub fn exactly(value: f64) -> Self {
        if value.is_nan() {
            return Self::ANY;
        }
        Self {
            whole: value.fract() == 0.0,
            ..Self::between(value, value)
        }
    }

    /// Zero or more.
    pub const fn not_negative() -> Self {
        Self::between(0.0, f64::INFINITY)
    }

    /// Whole numbers only.
    pub const fn whole(mut self) -> Self {
        self.whole = true;
        self
    }

    /// Perhaps NaN.
    pub const fn or_nan(mut self) -> Self {
        self.nan = true;
        self
    }

    /// Not only whole numbers.
    pub const fn fractional(mut self) -> Self {
        self.whole = false;
        self
    }

    /// Whether anything is known.
    pub fn is_bounded(self) -> bool {
        self.low > f64::NEG_INFINITY || self.high < f64::INFINITY
    }

    /// Whether zero is within.
    pub fn has_zero(self) -> bool {
        let over = self.low < 0.0 || (self.low == 0.0 && !self.above_low);
        let under = self.high > 0.0 || (self.high == 0.0 && !self.below_high);
        over && under
    }

    /// All values of both.
    pub fn or(self, other: Self) -> Self {
        let (low, above_low) = lower(self, other);
        let (high, below_high) = higher(self, other);
        Self {
            low,
            high,
            above_low,
            below_high,
            whole: self.whole && other.whole,
            nan: self.nan || other.nan,
        }
    }

    /// The other sign.
    pub fn negated(self) -> Self {
        Self {
            low: -self.high,
            high: -self.low,
            above_low: self.below_high,
            below_high: self.above_low,
            ..self
        }
    }

    /// Without what is below.
    pub fn at_least(self, bound: f64) -> Self {
        if self.low >= bound {
            return self;
        }
        Self {
            low: bound,
            above_low: false,
            high: self.high.max(bound),
            ..self
        }
    }

    /// Without what is above.
    pub fn at_most(self, bound: f64) -> Self {
        self.negated().at_least(-bound).negated()
    }

    /// Whether `self op other` holds.
    pub fn compare(self, op: BinaryOp, other: Self) -> Verdict {
        let nan = self.nan || other.nan;
        let less = strictly_below(self, other);
        let more = strictly_below(other, self);
        let at_most = self.high <= other.low;
        let at_least = self.low >= other.high;
        let one = self.low == self.high && other.low == other.high && self.low == other.low;
        let apart = less || more || never_equal(self, other) || never_equal(other, self);
        let (always, never) = match op {
            BinaryOp::Less => (less, at_least),
            BinaryOp::LessEqual => (at_most, more),
            BinaryOp::Greater => (more, at_most),
            BinaryOp::GreaterEqual => (at_least, less),
            BinaryOp::Equal => (one, apart),
            BinaryOp::NotEqual => (apart, one),
            _ => (false, false),
        };
        // A NaN makes every comparison false but `!=`.
        if never && !(nan && op == BinaryOp::NotEqual) {
            Verdict::Never
        } else if always && (!nan || op == BinaryOp::NotEqual) {
            Verdict::Always
        } else {
            Verdict::Open
        }
    }

    /// What is left of `self` where `self op other` holds.
    pub fn filtered(self, op: BinaryOp, other: Self) -> Self {
        let mut out = Self { nan: false, ..self };
        match op {
            BinaryOp::Greater if other.low >= out.low => {
                out.low = other.low;
                out.above_low = true;
            }
            BinaryOp::GreaterEqual if other.low > out.low => {
                out.low = other.low;
                out.above_low = other.above_low;
            }
            BinaryOp::Less if other.high <= out.high => {
                out.high = other.high;
                out.below_high = true;
            }
            BinaryOp::LessEqual if other.high < out.high => {
                out.high = other.high;
                out.below_high = other.below_high;
            }
            BinaryOp::Equal => {
                out.low = out.low.max(other.low);
                out.high = out.high.min(other.high);
            }
            BinaryOp::NotEqual => {
                out.nan = self.nan || other.nan;
                if other.low == other.high {
                    out.above_low |= other.low == out.low;
                    out.below_high |= other.high == out.high;
                }
            }
            _ => return self,
        }
        if out.low > out.high {
            // Nothing is left; the comparison is reported on its own.
            return self;
        }
        out
    }

    /// `self op other` for arithmetic operators.
    pub fn calculate(self, op: BinaryOp, other: Self) -> Self {
        match op {
            BinaryOp::Add => self.plus(other),
            BinaryOp::Sub => self.plus(other.negated()),
            BinaryOp::Mul => self.times(other),
            BinaryOp::Div => self.divided(other),
            BinaryOp::Mod => self.modulo(other),
            BinaryOp::Pow => self.power(other),
            BinaryOp::Atan2 => Self {
                nan: self.nan || other.nan,
                ..Self::between(-std::f64::consts::PI, std::f64::consts::PI)
            },
            _ => Self::ANY,
        }
    }

    fn plus(self, other: Self) -> Self {
        let infinities = (self.high == f64::INFINITY && other.low == f64::NEG_INFINITY)
            || (self.low == f64::NEG_INFINITY && other.high == f64::INFINITY);
        Self {
            low: number_or(self.low + other.low, f64::NEG_INFINITY),
            high: number_or(self.high + other.high, f64::INFINITY),
            above_low: self.above_low || other.above_low,
            below_high: self.below_high || other.below_high,
            whole: self.whole && other.whole,
            nan: self.nan || other.nan || (infinities && !self.whole),
        }
    }

    fn times(self, other: Self) -> Self {
        let corners = [
            (self.low, other.low),
            (self.low, other.high),
            (self.high, other.low),
            (self.high, other.high),
        ]
        // Zero times infinity: a bound, not a value that a sample has.
        .map(|(a, b)| if a == 0.0 || b == 0.0 { 0.0 } else { a * b });
        let (low, high) = extremes(&corners);
        // A bound that is left out stays so when the other side is one positive number.
        let (above_low, below_high) = if other.low == other.high && other.low > 0.0 {
            (self.above_low, self.below_high)
        } else if self.low == self.high && self.low > 0.0 {
            (other.above_low, other.below_high)
        } else {
            (false, false)
        };
        Self {
            low,
            high,
            above_low,
            below_high,
            whole: self.whole && other.whole,
            nan: self.nan || other.nan,
        }
    }

    fn divided(self, other: Self) -> Self {
        if other.has_zero() {
            let nan = self.nan || other.nan || self.has_zero();
            return if self.low >= 0.0 && other.low >= 0.0 {
                Self {
                    nan,
                    ..Self::not_negative()
                }
            } else {
                Self { nan, ..Self::ANY }
            };
        }
        let quotient = |a: f64, b: f64| {
            if a == 0.0 {
                0.0
            } else if b == 0.0 {
                f64::INFINITY.copysign(a)
            } else if b.is_infinite() {
                0.0
            } else {
                a / b
            }
        };
        let corners = [
            quotient(self.low, other.low),
            quotient(self.low, other.high),
            quotient(self.high, other.low),
            quotient(self.high, other.high),
        ];
        let (low, high) = extremes(&corners);
        let by_one_number = other.low == other.high && other.low > 0.0;
        Self {
            low,
            high,
            above_low: by_one_number && self.above_low,
            below_high: by_one_number && self.below_high,
            whole: false,
            nan: self.nan || other.nan,
        }
    }

    fn modulo(self, other: Self) -> Self {
        let bound = other.low.abs().max(other.high.abs());
        let nan = self.nan || other.nan || other.has_zero();
        let whole = self.whole && other.whole;
        let low = if self.low >= 0.0 { 0.0 } else { -bound };
        Self {
            whole,
            nan,
            ..Self::between(
                low,
                bound.min(if self.low >= 0.0 { self.high } else { bound }),
            )
        }
    }

    fn power(self, other: Self) -> Self {
        if self.low == self.high && other.low == other.high {
            return Self::exactly(self.low.powf(other.low));
        }
        if self.low >= 0.0 {
            Self {
                nan: self.nan || other.nan,
                ..Self::not_negative()
            }
        } else {
            Self::ANY
        }
    }
}

fn number_or(value: f64, fallback: f64) -> f64 {
    if value.is_nan() { fallback } else { value }
}

fn extremes(corners: &[f64]) -> (f64, f64) {
    corners
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(*value), high.max(*value))
        })
}

fn lower(a: ValueRange, b: ValueRange) -> (f64, bool) {
    if a.low < b.low {
        (a.low, a.above_low)
    } else if b.low < a.low {
        (b.low, b.above_low)
    } else {
        (a.low, a.above_low && b.above_low)
    }
}

fn higher(a: ValueRange, b: ValueRange) -> (f64, bool) {
    if a.high > b.high {
        (a.high, a.below_high)
    } else if b.high > a.high {
        (b.high, b.below_high)
    } else {
        (a.high, a.below_high && b.below_high)
    }
}

/// Whether every value of `a` is less than every value of `b`.
fn strictly_below(a: ValueRange, b: ValueRange) -> bool {
    a.high < b.low || (a.high == b.low && (a.below_high || b.above_low))
}

/// Whether `a` has whole numbers only, and `b` is one number that is none.
fn never_equal(a: ValueRange, b: ValueRange) -> bool {
    a.whole && b.low == b.high && b.low.fract() != 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: ValueRange = ValueRange::between(0.0, 1.0);

    #[test]
    fn comparisons_are_decided_by_the_bounds() {
        use BinaryOp::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
        let n = ValueRange::exactly;
        let up = PART.whole();
        for (range, op, number, verdict) in [
            (PART, Greater, 5.0, Verdict::Never),
            (PART, Greater, 1.0, Verdict::Never),
            (PART, GreaterEqual, 1.0, Verdict::Open),
            (PART, LessEqual, 1.0, Verdict::Always),
            (PART, Less, 1.0, Verdict::Open),
            (PART.or_nan(), LessEqual, 1.0, Verdict::Open),
            (PART.or_nan(), Greater, 1.0, Verdict::Never),
            (up, Equal, 0.5, Verdict::Never),
            (up, NotEqual, 2.0, Verdict::Always),
            (up, Equal, 2.0, Verdict::Never),
            (ValueRange::ANY, Less, 0.0, Verdict::Open),
            (ValueRange::not_negative(), Less, 0.0, Verdict::Never),
            (
                ValueRange::not_negative(),
                GreaterEqual,
                0.0,
                Verdict::Always,
            ),
            (n(1.0), Equal, 1.0, Verdict::Always),
        ] {
            assert_eq!(
                range.compare(op, n(number)),
                verdict,
                "{range:?} {op} {number}"
            );
        }
    }

    #[test]
    fn arithmetic_keeps_the_bounds() {
        let n = ValueRange::exactly;
        let percent = PART.calculate(BinaryOp::Mul, n(100.0));
        assert_eq!((percent.low, percent.high), (0.0, 100.0));
        let used = n(1.0).calculate(BinaryOp::Sub, PART);
        assert_eq!((used.low, used.high), (0.0, 1.0));
        let over = ValueRange::not_negative().calculate(BinaryOp::Div, ValueRange::not_negative());
        assert!(over.nan && over.low == 0.0);
        let positive = ValueRange::not_negative().filtered(BinaryOp::Greater, n(0.0));
        assert!(!positive.has_zero());
        let over = ValueRange::not_negative().calculate(BinaryOp::Div, positive);
        assert!(!over.nan && over.low == 0.0 && over.high == f64::INFINITY);
    }
}
