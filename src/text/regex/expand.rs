use regex_automata::util::captures::Captures;

/// Go's expansion: `$name` takes the longest run of letters, digits and `_`; `${name}` is explicit;
/// `$$` is a dollar; an unknown group is empty; a malformed `$` stands for itself.
pub(super) fn expand_into<'t>(
    out: &mut String,
    template: &str,
    group: impl Fn(&str) -> Option<&'t str>,
) {
    let mut rest = template;
    while let Some((before, tail)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(tail) = tail.strip_prefix('$') {
            out.push('$');
            rest = tail;
            continue;
        }
        let Some((name, tail)) = group_name(tail) else {
            out.push('$');
            rest = tail;
            continue;
        };
        out.push_str(group(name).unwrap_or_default());
        rest = tail;
    }
    out.push_str(rest);
}

/// The text of a group, by number or name.
pub(super) fn group<'t>(text: &'t str, captures: &Captures, name: &str) -> Option<&'t str> {
    let span = match name.parse::<usize>() {
        Ok(index) => captures.get_group(index),
        Err(_) => captures.get_group_by_name(name),
    }?;
    text.get(span.start..span.end)
}

fn group_name(rest: &str) -> Option<(&str, &str)> {
    let (braced, body) = match rest.strip_prefix('{') {
        Some(body) => (true, body),
        None => (false, rest),
    };
    let end = body
        .find(|c: char| !(c == '_' || c.is_alphanumeric()))
        .unwrap_or(body.len());
    if end == 0 {
        return None;
    }
    let (name, tail) = body.split_at(end);
    if braced {
        tail.strip_prefix('}').map(|tail| (name, tail))
    } else {
        Some((name, tail))
    }
}
