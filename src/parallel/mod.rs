//! Work that several threads share, with the answer that one thread would give.

use std::num::NonZero;
use std::thread::ScopedJoinHandle;

/// Parts that work is cut into at most: more threads have little left to do.
const PARTS_MAX: usize = 8;

/// How many parts to cut `units` of work into, so that each has at least `worth` of them: no more than
/// there are processors, at least 1.
pub fn parts(units: usize, worth: usize) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    (units / worth.max(1)).clamp(1, processors.min(PARTS_MAX))
}

/// What `work` answers for each part, in order. Each part has a thread of its own, the first one the
/// caller's. Where the system gives no more threads, the caller does that part, too. A panic in `work`
/// goes on in the caller.
pub fn map<T: Sync, R: Send>(parts: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let Some((first, others)) = parts.split_first() else {
        return Vec::new();
    };
    let work = &work;
    std::thread::scope(|scope| {
        let start = |part| std::thread::Builder::new().spawn_scoped(scope, move || work(part));
        let threads: Vec<_> = others.iter().map(start).collect();
        let mut answers = Vec::with_capacity(parts.len());
        answers.push(work(first));
        for (part, thread) in others.iter().zip(threads) {
            answers.push(match thread.map(ScopedJoinHandle::join) {
                Ok(Ok(answer)) => answer,
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                Err(_) => work(part),
            });
        }
        answers
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_the_parts() {
        let parts: Vec<u32> = (0..50).collect();
        let squares: Vec<u32> = parts.iter().map(|n| n * n).collect();
        assert_eq!(map(&parts, |n| n * n), squares);
        assert!(map(&[], |n: &u32| *n).is_empty());
    }

    #[test]
    fn a_panic_reaches_the_caller() {
        let panics = std::panic::catch_unwind(|| map(&[1, 2, 3], |n| assert!(*n != 3)));
        assert!(panics.is_err());
    }

    #[test]
    fn little_work_is_one_part() {
        assert_eq!(parts(0, 10), 1);
        assert_eq!(parts(19, 10), 1);
        assert_eq!(parts(5, 0), parts(5, 1));
        assert!(parts(1_000_000, 1) <= PARTS_MAX);
    }
}
