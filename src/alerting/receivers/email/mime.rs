//! MIME as Go's libraries write it.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::alerting::receivers::context::hex;

/// Go's `mime.QEncoding.Encode("utf-8", ...)`: encoded words of at most 75 characters, or the value itself.
pub(super) fn encode_header(value: &str) -> String {
    const OPEN: &str = "=?utf-8?q?";
    const CONTENT_MAX: usize = 75 - OPEN.len() - "?=".len();
    let plain = value.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t'));
    if plain {
        return value.to_owned();
    }
    let mut out = OPEN.to_owned();
    let mut length = 0;
    for c in value.chars() {
        let as_is = matches!(c, ' '..='~') && !matches!(c, '=' | '?' | '_');
        let width = if as_is { 1 } else { 3 * c.len_utf8() };
        if length + width > CONTENT_MAX {
            out.push_str("?=\r\n ");
            out.push_str(OPEN);
            length = 0;
        }
        length += width;
        if c == ' ' {
            out.push('_');
        } else if as_is {
            out.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(out, "={byte:02X}");
            }
        }
    }
    out.push_str("?=");
    out
}

/// Go's `quotedprintable.Writer`: lines of at most 76 characters ending in CR LF.
pub(super) fn quoted_printable(text: &str) -> String {
    let mut writer = Writer::default();
    for byte in text.bytes() {
        match byte {
            b'\n' | b'\r' => writer.line_end(byte),
            b'!'..=b'<' | b'>'..=b'~' | b' ' | b'\t' => writer.plain(byte),
            byte => writer.escaped(byte),
        }
    }
    writer.close_blank();
    writer.out.push_str(&writer.line);
    writer.out
}

const LINE_MAX: usize = 76;

#[derive(Default)]
struct Writer {
    out: String,
    line: String,
    after_cr: bool,
}

impl Writer {
    fn plain(&mut self, byte: u8) {
        if self.line.len() == LINE_MAX - 1 {
            self.soft_break();
        }
        self.line.push(char::from(byte));
        self.after_cr = false;
    }

    fn escaped(&mut self, byte: u8) {
        if LINE_MAX - 1 - self.line.len() < 3 {
            self.soft_break();
        }
        let _ = write!(self.line, "={byte:02X}");
        // compat: an escape does not reset Go's memory of a carriage return.
    }

    fn line_end(&mut self, byte: u8) {
        if self.after_cr && byte == b'\n' {
            self.after_cr = false;
            return;
        }
        self.close_blank();
        self.hard_break();
        self.after_cr = byte == b'\r';
    }

    /// A blank at the end of a line would be lost on the way.
    fn close_blank(&mut self) {
        if let Some(blank @ (b' ' | b'\t')) = self.line.bytes().next_back() {
            self.line.pop();
            self.escaped(blank);
        }
    }

    fn soft_break(&mut self) {
        self.line.push('=');
        self.hard_break();
    }

    fn hard_break(&mut self) {
        self.out.push_str(&self.line);
        self.out.push_str("\r\n");
        self.line.clear();
    }
}

/// Sixty hexadecimal digits.
pub(super) fn boundary(seed: u64, key: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(seed.to_le_bytes());
    digest.update(key.as_bytes());
    let mut out = hex(&digest.finalize());
    out.truncate(60);
    out
}

/// The parts between boundaries.
pub(super) fn multipart(boundary: &str, parts: &[(&str, String)]) -> String {
    let mut out = String::new();
    for (i, (kind, text)) in parts.iter().enumerate() {
        if i > 0 {
            out.push_str("\r\n");
        }
        let _ = write!(
            out,
            "--{boundary}\r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Type: {kind}; charset=UTF-8\r\n\r\n"
        );
        out.push_str(&quoted_printable(text));
    }
    let _ = write!(out, "\r\n--{boundary}--\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_encoded_when_they_must_be() {
        assert_eq!(encode_header("plain"), "plain");
        assert_eq!(encode_header("ünï x"), "=?utf-8?q?=C3=BCn=C3=AF_x?=");
        assert_eq!(encode_header("a\r\nBcc: b"), "=?utf-8?q?a=0D=0ABcc:_b?=");
        let long = encode_header(&"ü".repeat(30));
        assert!(long.split("\r\n ").all(|word| word.len() <= 75), "{long}");
    }

    #[test]
    fn long_lines_and_trailing_blanks_are_escaped() {
        assert_eq!(
            quoted_printable("a = b \nc\r\nd\t"),
            "a =3D b=20\r\nc\r\nd=09"
        );
        let text = quoted_printable(&"x".repeat(200));
        assert!(text.lines().all(|line| line.len() <= 76));
        assert_eq!(text.replace("=\r\n", ""), "x".repeat(200));
    }
}
