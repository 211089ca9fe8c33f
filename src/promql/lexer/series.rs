use crate::model::histogram::CounterResetHint;
use crate::promql::ast::BinaryOp;
use crate::text::quote::quote;

use super::{HistogramKey, Lexer, State, Step, Token, TokenKind, is_alpha, is_space, quote_rune};

impl Lexer<'_> {
    /// The values after a series.
    pub(super) fn lex_value_sequence(&mut self) -> Step {
        let Some(c) = self.peek_char() else {
            self.state = State::Statements;
            return None;
        };
        if c.is_ascii_digit() || (c == '.' && self.digit_at(self.pos + 1)) {
            return Some(self.lex_number());
        }
        self.next_char();
        Some(match c {
            '{' if self.peek() == Some(b'{') => {
                self.pos += 1;
                self.in_histogram = true;
                self.state = State::Histogram;
                self.emit(TokenKind::OpenHistogram)
            }
            ' ' | '\t' | '\n' | '\r' => self.emit_space(),
            '+' => self.emit(TokenKind::Op(BinaryOp::Add)),
            '-' => self.emit(TokenKind::Op(BinaryOp::Sub)),
            'x' => self.emit(TokenKind::Times),
            '_' => self.emit(TokenKind::Blank),
            c if is_alpha(c) => self.lex_keyword_or_identifier(),
            c => self.fail(format!(
                "unexpected character in series sequence: {}",
                quote_rune(Some(c))
            )),
        })
    }

    /// Emits one blank and swallows those behind it.
    fn emit_space(&mut self) -> Token {
        let token = self.emit(TokenKind::Space);
        self.skip_space();
        token
    }

    /// The inside of `{{...}}`.
    pub(super) fn lex_histogram(&mut self) -> Token {
        if self.bracket_open {
            return self.lex_buckets();
        }
        let Some(c) = self.peek_char() else {
            return self.fail("histogram description incomplete unexpected: '\u{fffd}'");
        };
        if c.is_ascii_digit() {
            return self.lex_number();
        }
        self.next_char();
        match c {
            c if c.is_ascii() && is_space(c as u8) => self.emit_space(),
            c if is_alpha(c) => self.lex_histogram_word(),
            ':' => self.emit(TokenKind::Colon),
            '-' => self.emit(TokenKind::Op(BinaryOp::Sub)),
            '[' => {
                self.bracket_open = true;
                self.emit(TokenKind::LeftBracket)
            }
            '}' if self.peek() == Some(b'}') => {
                self.pos += 1;
                self.in_histogram = false;
                self.state = State::ValueSequence;
                self.emit(TokenKind::CloseHistogram)
            }
            c => self.fail(format!(
                "histogram description incomplete unexpected: {}",
                quote_rune(Some(c))
            )),
        }
    }

    fn lex_histogram_word(&mut self) -> Token {
        self.skip_while(|b| is_alpha(char::from(b)));
        let word = self.word();
        let key = HistogramKey::ALL
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word));
        if let Some((_, key)) = key {
            if self.peek() == Some(b':') {
                return self.emit(TokenKind::HistogramKey(key));
            }
            return self.fail("missing `:` for histogram descriptor");
        }
        let kind = match word.to_ascii_lowercase().as_str() {
            "inf" | "nan" => TokenKind::Number,
            "unknown" => TokenKind::ResetHint(CounterResetHint::Unknown),
            "reset" => TokenKind::ResetHint(CounterResetHint::Reset),
            "not_reset" => TokenKind::ResetHint(CounterResetHint::NotReset),
            "gauge" => TokenKind::ResetHint(CounterResetHint::Gauge),
            _ => {
                let message = format!("bad histogram descriptor found: {}", quote(word));
                return self.fail(message);
            }
        };
        self.emit(kind)
    }

    fn lex_buckets(&mut self) -> Token {
        let Some(c) = self.peek_char() else {
            return self.fail("invalid character in buckets description: '\u{fffd}'");
        };
        if c.is_ascii_digit() {
            return self.lex_number();
        }
        self.next_char();
        match c {
            c if c.is_ascii() && is_space(c as u8) => self.emit_space(),
            '-' => self.emit(TokenKind::Op(BinaryOp::Sub)),
            ']' => {
                self.bracket_open = false;
                self.emit(TokenKind::RightBracket)
            }
            c if is_alpha(c) => {
                while !matches!(self.word().to_ascii_lowercase().as_str(), "inf" | "nan") {
                    match self.next_char() {
                        Some(c) if is_alpha(c) && self.pos - self.start <= 3 => {}
                        other => {
                            return self.fail(format!(
                                "invalid character in buckets description: {}",
                                quote_rune(other)
                            ));
                        }
                    }
                }
                self.emit(TokenKind::Number)
            }
            c => self.fail(format!(
                "invalid character in buckets description: {}",
                quote_rune(Some(c))
            )),
        }
    }
}
