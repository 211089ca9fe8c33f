/// One step of Neumaier's compensated summation: adds `inc` to `sum` with compensation `c` and returns
/// both anew. The result is `sum + c` unless `sum` is infinite.
///
/// compat: upstream's order of operations; fusing them would change results.
pub fn kahan_inc(inc: f64, sum: f64, c: f64) -> (f64, f64) {
    let t = sum + inc;
    let c = if t.is_infinite() {
        0.0
    } else if sum.abs() >= inc.abs() {
        c + ((sum - t) + inc)
    } else {
        c + ((inc - t) + sum)
    };
    (t, c)
}
