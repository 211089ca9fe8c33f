//! What the status of an HTTP answer means: upstream's `Retrier`.

use super::exchange::{HttpReply, Outcome, Reply};
use crate::time::{Span, WallTime};

/// How much of an answer's body may stand in a reason.
const DETAILS_MAX: usize = 1000;
/// The longest a receiver can make us wait.
const WAIT_MAX: Span = Span::hours(1);

/// Upstream's rule: 2xx is success; 5xx is tried again, and so are 429 and the codes in `also`. Anything
/// else is given up. `Retry-After` says how long to wait.
///
/// compat: upstream tries 429 again for some receivers only; giving up on "later, please" helps nobody.
pub(super) fn check(
    reply: Reply,
    also: &[u16],
    now: WallTime,
    details: impl Fn(&HttpReply) -> String,
) -> Result<HttpReply, Outcome> {
    let reply = match reply {
        Reply::Http(reply) => reply,
        Reply::Failed { reason } => return Err(Outcome::retry(reason, None)),
        Reply::MailAccepted | Reply::MailRefused { .. } => {
            return Err(Outcome::give_up("a mail server answered an HTTP request"));
        }
    };
    let status = reply.status;
    if status / 100 == 2 {
        return Ok(reply);
    }
    let mut reason = format!("unexpected status code {status}");
    let text = details(&reply);
    if !text.is_empty() {
        reason.push_str(": ");
        reason.push_str(&shorten(&text));
    }
    Err(
        if status / 100 == 5 || status == 429 || also.contains(&status) {
            Outcome::retry(reason, retry_after(&reply, now))
        } else {
            Outcome::give_up(reason)
        },
    )
}

/// The body of an answer, as the reason shows it.
pub(super) fn body_text(reply: &HttpReply) -> String {
    let body = reply.body.get(..DETAILS_MAX).unwrap_or(&reply.body);
    String::from_utf8_lossy(body).trim_end().to_owned()
}

/// At most a thousand characters.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(DETAILS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// The `Retry-After` field: seconds, or a date.
pub(super) fn retry_after(reply: &HttpReply, now: WallTime) -> Option<Span> {
    let text = reply.header("retry-after")?.trim();
    let wait = if let Ok(seconds) = text.parse::<u32>() {
        Span::seconds(i64::from(seconds))
    } else {
        let at = jiff::fmt::rfc2822::parse(text).ok()?;
        WallTime::from_ms(at.timestamp().as_millisecond()).since(now)
    };
    (wait > Span::seconds(0)).then(|| wait.min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::Verdict;

    fn reply(status: u16, headers: &[(&str, &str)]) -> Reply {
        Reply::Http(HttpReply {
            status,
            headers: headers
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect(),
            body: b"no\n".to_vec(),
            whole: true,
        })
    }

    fn verdict(reply: Reply) -> Option<Verdict> {
        check(reply, &[403], WallTime::from_ms(0), body_text)
            .err()
            .map(|outcome| outcome.verdict)
    }

    #[test]
    fn overload_is_tried_again_and_refusal_is_not() {
        assert_eq!(verdict(reply(204, &[])), None);
        for status in [429, 403, 500, 503] {
            assert!(matches!(
                verdict(reply(status, &[])),
                Some(Verdict::Retry { .. })
            ));
        }
        assert_eq!(
            verdict(reply(404, &[])),
            Some(Verdict::GiveUp {
                reason: "unexpected status code 404: no".to_owned()
            })
        );
    }

    #[test]
    fn retry_after_is_honoured_within_reason() {
        for (text, want) in [
            ("7", Some(Span::seconds(7))),
            ("Thu, 01 Jan 1970 00:00:09 GMT", Some(Span::seconds(9))),
            ("999999999", Some(WAIT_MAX)),
            ("-3", None),
            ("soon", None),
        ] {
            let Some(Verdict::Retry { after, .. }) = verdict(reply(503, &[("Retry-After", text)]))
            else {
                panic!("{text}");
            };
            assert_eq!(after, want, "{text}");
        }
    }
}
