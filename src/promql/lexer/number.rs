use crate::text::quote::quote;

use super::{Lexer, Token, TokenKind, is_alphanumeric};

impl Lexer<'_> {
    pub(super) fn lex_number(&mut self) -> Token {
        if self.scan_number() {
            return self.emit(TokenKind::Number);
        }
        let message = format!("bad number syntax: {}", quote(self.text_so_far().as_ref()));
        self.fail(message)
    }

    pub(super) fn lex_number_or_duration(&mut self) -> Token {
        if self.scan_number() {
            return self.emit(TokenKind::Number);
        }
        if self.scan_rest_of_duration() {
            return self.emit(TokenKind::Duration);
        }
        let message = format!(
            "bad number or duration syntax: {}",
            quote(self.text_so_far().as_ref())
        );
        self.fail(message)
    }

    fn text_so_far(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.input.get(self.start..self.pos).unwrap_or_default())
    }

    /// Reads what looks like a number; whether it is one is decided when it is converted.
    // compat: the order of these checks decides how much of a broken number an error shows.
    fn scan_number(&mut self) -> bool {
        let begin = self.pos;
        let mut hex = false;
        // compat: `0x` would be ambiguous in series notation, where `x` repeats a value.
        if !self.series && self.accept(b'0') && (self.accept(b'x') || self.accept(b'X')) {
            self.accept(b'_');
            hex = true;
        }
        let is_digit = |b: u8| {
            if hex {
                b.is_ascii_hexdigit()
            } else {
                b.is_ascii_digit()
            }
        };
        self.accept(b'.');
        if self.peek().is_some_and(is_digit) {
            self.pos += 1;
        }
        let mut dot = false;
        let mut exponent = false;
        loop {
            match self.peek() {
                Some(b'.') => {
                    self.pos += 1;
                    if dot || self.peek().is_some_and(|b| matches!(b, b'_' | b'.')) {
                        // The second of two neighbouring dots is shown, too.
                        self.pos += usize::from(!dot);
                        return false;
                    }
                    dot = true;
                    if hex {
                        return false;
                    }
                }
                // compat: `e` is an exponent before it is a hexadecimal digit.
                Some(b'e' | b'E') => {
                    self.pos += 1;
                    if exponent {
                        return false;
                    }
                    exponent = true;
                    if !self.accept(b'+') {
                        self.accept(b'-');
                    }
                    if self.rejects_next(b"._eE") {
                        return false;
                    }
                }
                Some(b'_') => {
                    self.pos += 1;
                    if self.rejects_next(b"._eE") {
                        return false;
                    }
                }
                Some(b) if is_digit(b) => self.skip_while(is_digit),
                _ => break,
            }
        }
        if self.pos == begin {
            return false;
        }
        match self.peek() {
            Some(b'x') if self.series => true,
            Some(b) => !is_alphanumeric(b),
            None => true,
        }
    }

    /// Whether the text ends here or one of these bytes follows, which is consumed.
    fn rejects_next(&mut self, bytes: &[u8]) -> bool {
        match self.peek() {
            None => true,
            Some(b) if bytes.contains(&b) => {
                self.pos += 1;
                true
            }
            Some(_) => false,
        }
    }

    /// Reads from the first unit of a duration to its end.
    fn scan_rest_of_duration(&mut self) -> bool {
        if !self.accept_any(b"smhdwy") {
            return false;
        }
        // Bad units such as `hs` are caught when the duration is converted.
        self.accept(b's');
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.skip_while(|b| b.is_ascii_digit());
            if !self.accept_any(b"smhdw") {
                return false;
            }
            self.accept(b's');
        }
        if self.peek().is_some_and(is_alphanumeric) {
            self.pos += 1;
            return false;
        }
        true
    }

    fn accept_any(&mut self, bytes: &[u8]) -> bool {
        let found = self.peek().is_some_and(|b| bytes.contains(&b));
        self.pos += usize::from(found);
        found
    }
}
