use super::{Lexer, Token, TokenKind};

impl Lexer<'_> {
    /// Reads a string whose opening quote has been read.
    pub(super) fn lex_string(&mut self, quote: char) -> Token {
        if quote == '`' {
            return self.lex_raw_string();
        }
        loop {
            match self.next_char() {
                Some('\\') => {
                    if let Err(message) = self.skip_escape(quote) {
                        return self.fail(message);
                    }
                }
                Some(char::REPLACEMENT_CHARACTER) => return self.fail("invalid UTF-8 rune"),
                None | Some('\n') => return self.fail("unterminated quoted string"),
                Some(c) if c == quote => break,
                Some(_) => {}
            }
        }
        self.emit(TokenKind::String)
    }

    fn lex_raw_string(&mut self) -> Token {
        loop {
            match self.next_char() {
                Some(char::REPLACEMENT_CHARACTER) => return self.fail("invalid UTF-8 rune"),
                None => return self.fail("unterminated raw string"),
                Some('`') => break,
                Some(_) => {}
            }
        }
        self.emit(TokenKind::String)
    }

    fn skip_escape(&mut self, quote: char) -> Result<(), String> {
        let unterminated = || "escape sequence not terminated".to_owned();
        let c = self.next_char().ok_or_else(unterminated)?;
        let (digits, radix, max, mut value) = match c {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => return Ok(()),
            c if c == quote => return Ok(()),
            '0'..='7' => (2, 8, 255, c.to_digit(8).unwrap_or(0)),
            'x' => (2, 16, 255, 0),
            'u' => (4, 16, 0x10_ffff, 0),
            'U' => (8, 16, 0x10_ffff, 0),
            c => return Err(format!("unknown escape sequence {}", unicode(c))),
        };
        for _ in 0..digits {
            let c = self.next_char().ok_or_else(unterminated)?;
            let digit = c
                .to_digit(radix)
                .ok_or_else(|| format!("illegal character {} in escape sequence", unicode(c)))?;
            value = value.wrapping_mul(radix).wrapping_add(digit);
        }
        if value > max || (0xd800..0xe000).contains(&value) {
            return Err("escape sequence is an invalid Unicode code point".to_owned());
        }
        Ok(())
    }
}

/// Go's `%#U`: `U+002E '.'`.
fn unicode(c: char) -> String {
    let code = format!("U+{:04X}", u32::from(c));
    if c.is_control() {
        code
    } else {
        format!("{code} '{c}'")
    }
}
