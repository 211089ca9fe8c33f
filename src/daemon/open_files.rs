//! How many files and connections the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lifts the limit as far as the system allows without privileges: a connection is kept for each target, and the usual
/// 1,024 are for programs that know no better.
///
/// compat: Go's runtime does the same at the start.
pub(super) fn lift() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let lifted = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(why) = setrlimit(Resource::Nofile, lifted) {
        tracing::warn!("the limit of open files stays as it is: {why}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_lift() {
        lift();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
