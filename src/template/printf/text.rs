//! Strings and characters, in quotes, in hexadecimal and as code points.

use std::fmt::Write as _;

use super::Printer;
use crate::text::quote::quote;

impl Printer {
    pub(super) fn string(&mut self, text: &str, verb: char) {
        let cut = |text: &str, precision: Option<usize>| match precision {
            Some(p) => text.chars().take(p).collect(),
            None => text.to_owned(),
        };
        match verb {
            'v' if self.flags.sharp_v => {
                let quoted = quote(text);
                self.pad(&quoted);
            }
            'x' | 'X' => {
                let mut bytes = text.as_bytes();
                if let Some(p) = self.flags.precision {
                    bytes = &bytes[..p.min(bytes.len())];
                }
                let hex = self.hex_bytes(bytes, verb);
                self.pad(&hex);
            }
            'q' => {
                let text = cut(text, self.flags.precision);
                let quoted = if self.flags.sharp && backquotable(&text) {
                    format!("`{text}`")
                } else if self.flags.plus {
                    quote_ascii(&text)
                } else {
                    quote(&text)
                };
                self.pad(&quoted);
            }
            _ => {
                let text = cut(text, self.flags.precision);
                self.pad(&text);
            }
        }
    }

    fn hex_bytes(&self, bytes: &[u8], verb: char) -> String {
        let mut out = String::new();
        let prefix = if verb == 'x' { "0x" } else { "0X" };
        for (i, byte) in bytes.iter().enumerate() {
            if self.flags.space && i > 0 {
                out.push(' ');
            }
            if self.flags.sharp && (self.flags.space || i == 0) {
                out.push_str(prefix);
            }
            let _ = if verb == 'x' {
                write!(out, "{byte:02x}")
            } else {
                write!(out, "{byte:02X}")
            };
        }
        out
    }

    /// `U+00E9`, and with `#` the character itself if it can be seen.
    pub(super) fn code_point(&mut self, magnitude: u64, negative: bool) {
        let number = if negative {
            magnitude.wrapping_neg()
        } else {
            magnitude
        };
        let digits = self.flags.precision.unwrap_or(0).max(4);
        let mut shown = format!("U+{number:0digits$X}");
        let c = u32::try_from(number).ok().and_then(char::from_u32);
        if let Some(c) = c.filter(|c| self.flags.sharp && is_printable(*c)) {
            let _ = write!(shown, " '{c}'");
        }
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(&shown);
        self.flags.zero = zero;
    }

    pub(super) fn character(&mut self, magnitude: u64, negative: bool, verb: char) {
        let c = if negative {
            '\u{fffd}'
        } else {
            u32::try_from(magnitude)
                .ok()
                .and_then(char::from_u32)
                .unwrap_or('\u{fffd}')
        };
        let text = if verb == 'c' {
            c.to_string()
        } else {
            match c {
                '\'' => "'\\''".to_owned(),
                '"' => "'\"'".to_owned(),
                c => {
                    let text = c.to_string();
                    let quoted = if self.flags.plus {
                        quote_ascii(&text)
                    } else {
                        quote(&text)
                    };
                    format!("'{}'", &quoted[1..quoted.len() - 1])
                }
            }
        };
        self.pad(&text);
    }
}

/// compat: `strconv.IsPrint`; what it quotes as itself.
fn is_printable(c: char) -> bool {
    matches!(c, '"' | '\\') || quote(&c.to_string()) == format!("\"{c}\"")
}

fn backquotable(text: &str) -> bool {
    let good = |c: char| c == '\t' || (c >= ' ' && !matches!(c, '`' | '\u{7f}' | '\u{feff}'));
    text.chars().all(good)
}

/// As Go's packages quote in their complaints: in backquotes where that can be.
pub(in crate::template) fn backquote(text: &str) -> String {
    if backquotable(text) {
        format!("`{text}`")
    } else {
        quote(text)
    }
}

/// `strconv.QuoteToASCII`.
fn quote_ascii(text: &str) -> String {
    let mut out = String::new();
    for c in quote(text).chars() {
        if c.is_ascii() {
            out.push(c);
        } else if u32::from(c) < 0x1_0000 {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            let _ = write!(out, "\\U{:08x}", u32::from(c));
        }
    }
    out
}
