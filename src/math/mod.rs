//! Elementary functions, the same to the last bit as in Go's `math` package on amd64.
//!
//! Answers of `exp()`, `ln()`, `sin()`, `^` and of quantiles inside exponential buckets are numbers that users
//! compare, count and alert on. No two libraries round them alike, and the C library of one machine differs from
//! that of the next, so that they are computed here, operation by operation as Prometheus's are. The methods are
//! published ones; each file names them.
//!
//! Nothing may be reordered or fused in here: a product that is added is rounded twice, except where
//! `f64::mul_add` says otherwise. `tests/peers/math.rs` compares all functions with a running Prometheus.
#![allow(
    clippy::excessive_precision,
    reason = "coefficients stand as they were published"
)]
#![allow(
    clippy::suboptimal_flops,
    reason = "a fused product would round otherwise"
)]

mod exponential;
mod extremes;
mod hyperbolic;
mod inverse;
mod logarithm;
mod parts;
mod pow;
mod reduction;
#[cfg(test)]
mod tests;
mod trigonometry;

pub use exponential::{exp, exp2};
pub use extremes::{max, min};
pub use hyperbolic::{acosh, asinh, atanh, cosh, sinh, tanh};
pub use inverse::{acos, asin, atan, atan2};
pub use logarithm::{ln, log2, log10};
pub use parts::ldexp;
pub use pow::pow;
pub use trigonometry::{cos, sin, tan};
