//! Which tokens does a text hold? One token at a time, over bytes, in constant memory.
//!
//! // compat: the states, and with them which words are keywords where, are upstream's; so are the
//! texts and positions of errors. An error ends the text: after it only [`TokenKind::Eof`] follows.

mod number;
mod series;
mod string;
mod token;

pub(crate) use token::{HistogramKey, Keyword, Token, TokenKind, describe_token};

use crate::promql::ast::BinaryOp;

/// Where the lexer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Statements,
    Braces,
    DurationExpr,
    ValueSequence,
    Histogram,
    Done,
}

/// Cuts a text into tokens.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    input: &'a [u8],
    state: State,
    pos: usize,
    start: usize,
    paren_depth: usize,
    bracket_open: bool,
    brace_open: bool,
    got_colon: bool,
    got_duration: bool,
    series: bool,
    in_histogram: bool,
    error: Option<String>,
}

/// What a state function says: a token, or "ask again".
type Step = Option<Token>;

impl<'a> Lexer<'a> {
    /// A lexer for queries.
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self {
            input,
            state: State::Statements,
            pos: 0,
            start: 0,
            paren_depth: 0,
            bracket_open: false,
            brace_open: false,
            got_colon: false,
            got_duration: false,
            series: false,
            in_histogram: false,
            error: None,
        }
    }

    /// A lexer for the series lines of test files.
    pub(crate) fn for_series(input: &'a [u8]) -> Self {
        Self {
            series: true,
            ..Self::new(input)
        }
    }

    /// The next token.
    pub(crate) fn next_token(&mut self) -> Token {
        loop {
            let step = match self.state {
                State::Statements => self.lex_statements(),
                State::Braces => self.lex_braces(),
                State::DurationExpr => self.lex_duration_expr(),
                State::ValueSequence => self.lex_value_sequence(),
                State::Histogram => Some(self.lex_histogram()),
                State::Done => Some(self.emit(TokenKind::Eof)),
            };
            if let Some(token) = step {
                return token;
            }
        }
    }

    /// The text of the error behind a [`TokenKind::Error`].
    pub(crate) fn take_error(&mut self) -> String {
        self.error.take().unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.input.get(self.pos).copied()
    }

    /// The character at the position; bytes that are no UTF-8 read as U+FFFD.
    fn peek_char(&self) -> Option<char> {
        self.decode().map(|(c, _)| c)
    }

    fn decode(&self) -> Option<(char, usize)> {
        let rest = self.input.get(self.pos..)?;
        let first = *rest.first()?;
        if first < 0x80 {
            return Some((char::from(first), 1));
        }
        let window = rest.get(..rest.len().min(4)).unwrap_or(rest);
        let valid = match std::str::from_utf8(window) {
            Ok(text) => text,
            Err(e) => std::str::from_utf8(window.get(..e.valid_up_to()).unwrap_or_default())
                .unwrap_or_default(),
        };
        Some(
            valid
                .chars()
                .next()
                .map_or((char::REPLACEMENT_CHARACTER, 1), |c| (c, c.len_utf8())),
        )
    }

    fn next_char(&mut self) -> Option<char> {
        let (c, width) = self.decode()?;
        self.pos += width;
        Some(c)
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.pos += usize::from(found);
        found
    }

    fn skip_while(&mut self, accept: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&accept) {
            self.pos += 1;
        }
    }

    fn word(&self) -> &'a str {
        self.input
            .get(self.start..self.pos)
            .and_then(|word| std::str::from_utf8(word).ok())
            .unwrap_or_default()
    }

    fn emit(&mut self, kind: TokenKind) -> Token {
        let token = Token {
            kind,
            start: self.start,
            end: self.pos,
        };
        self.start = self.pos;
        token
    }

    /// Upstream reports lexer errors from the start of the token to the end of the text.
    fn fail(&mut self, message: impl Into<String>) -> Token {
        self.error = Some(message.into());
        self.state = State::Done;
        let token = Token {
            kind: TokenKind::Error,
            start: self.start,
            end: self.input.len(),
        };
        self.pos = self.input.len();
        self.start = self.pos;
        token
    }

    fn skip_space(&mut self) {
        self.skip_while(is_space);
        self.start = self.pos;
    }

    fn skip_comment(&mut self) {
        self.skip_while(|b| b != b'\n' && b != b'\r');
        self.start = self.pos;
    }

    /// Where tokens continue after one that ended: upstream's `lexStatements` looks at what is open.
    fn resume(&mut self) {
        self.state = if self.in_histogram {
            State::Histogram
        } else if self.brace_open {
            State::Braces
        } else {
            State::Statements
        };
    }

    fn lex_statements(&mut self) -> Step {
        if self.in_histogram || self.brace_open {
            self.resume();
            return None;
        }
        let Some(c) = self.peek_char() else {
            return Some(self.end_of_statements());
        };
        if c == '#' {
            self.skip_comment();
            return None;
        }
        if c.is_ascii() && is_space(c as u8) {
            self.skip_space();
            return None;
        }
        if c.is_ascii_digit() || (c == '.' && self.digit_at(self.pos + 1)) {
            return Some(self.lex_number_or_duration());
        }
        self.next_char();
        if let Some(op) = arithmetic(c) {
            return Some(self.emit(TokenKind::Op(op)));
        }
        Some(match c {
            ',' => self.emit(TokenKind::Comma),
            '=' => match self.peek_char() {
                Some('=') => self.after(1, TokenKind::Op(BinaryOp::Equal)),
                Some('~') => self.fail("unexpected character after '=': '~'"),
                _ => self.emit(TokenKind::Eql),
            },
            '!' => match self.peek_char() {
                Some('=') => self.after(1, TokenKind::Op(BinaryOp::NotEqual)),
                other => self.fail(format!(
                    "unexpected character after '!': {}",
                    quote_rune(other)
                )),
            },
            '<' => match self.peek() {
                Some(b'=') => self.after(1, TokenKind::Op(BinaryOp::LessEqual)),
                Some(b'/') => self.after(1, TokenKind::Op(BinaryOp::TrimUpper)),
                _ => self.emit(TokenKind::Op(BinaryOp::Less)),
            },
            '>' => match self.peek() {
                Some(b'=') => self.after(1, TokenKind::Op(BinaryOp::GreaterEqual)),
                Some(b'/') => self.after(1, TokenKind::Op(BinaryOp::TrimLower)),
                _ => self.emit(TokenKind::Op(BinaryOp::Greater)),
            },
            '"' | '\'' | '`' => self.lex_string(c),
            '(' => self.open_paren(),
            ')' => self.close_paren(),
            '{' => {
                self.brace_open = true;
                self.state = State::Braces;
                self.emit(TokenKind::LeftBrace)
            }
            '[' => self.open_bracket(),
            ']' if !self.bracket_open => self.fail("unexpected right bracket ']'"),
            ']' => {
                self.bracket_open = false;
                self.emit(TokenKind::RightBracket)
            }
            '@' => self.emit(TokenKind::At),
            c if is_alpha(c) || c == ':' => self.lex_word_in_statements(c),
            c => self.fail(format!("unexpected character: {}", quote_rune(Some(c)))),
        })
    }

    fn end_of_statements(&mut self) -> Token {
        if self.paren_depth != 0 {
            return self.fail("unclosed left parenthesis");
        }
        if self.bracket_open {
            return self.fail("unclosed left bracket");
        }
        self.state = State::Done;
        self.emit(TokenKind::Eof)
    }

    fn after(&mut self, bytes: usize, kind: TokenKind) -> Token {
        self.pos += bytes;
        self.emit(kind)
    }

    fn open_paren(&mut self) -> Token {
        self.paren_depth += 1;
        self.emit(TokenKind::LeftParen)
    }

    fn close_paren(&mut self) -> Token {
        let token = self.emit(TokenKind::RightParen);
        let Some(depth) = self.paren_depth.checked_sub(1) else {
            return self.fail("unexpected right parenthesis ')'");
        };
        self.paren_depth = depth;
        token
    }

    fn open_bracket(&mut self) -> Token {
        if self.bracket_open {
            return self.fail("unexpected left bracket '['");
        }
        let token = self.emit(TokenKind::LeftBracket);
        self.skip_space();
        self.got_colon = false;
        self.got_duration = false;
        self.bracket_open = true;
        self.state = State::DurationExpr;
        token
    }

    fn lex_word_in_statements(&mut self, first: char) -> Token {
        if !self.bracket_open {
            return self.lex_keyword_or_identifier();
        }
        match first {
            ':' if self.got_colon => return self.fail("unexpected colon ':'"),
            ':' => {
                self.got_colon = true;
                return self.emit(TokenKind::Colon);
            }
            _ => {}
        }
        if let Some(keyword) = self.duration_keyword(first) {
            return self.emit(TokenKind::Keyword(keyword));
        }
        self.fail(format!(
            "unexpected character: {}, expected ':'",
            quote_rune(Some(first))
        ))
    }

    /// The word at the position if it is one of those that durations are made of.
    fn duration_keyword(&mut self, first: char) -> Option<Keyword> {
        if !matches!(first.to_ascii_lowercase(), 's' | 'm' | 'r') {
            return None;
        }
        self.skip_while(|b| is_alpha(char::from(b)));
        let word = self.word();
        [
            ("step", Keyword::Step),
            ("range", Keyword::Range),
            ("min_of", Keyword::MinOf),
            ("max_of", Keyword::MaxOf),
        ]
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word))
        .map(|(_, keyword)| keyword)
    }

    fn lex_duration_expr(&mut self) -> Step {
        let Some(c) = self.peek_char() else {
            return Some(self.fail("unexpected end of input in duration expression"));
        };
        if c.is_ascii() && is_space(c as u8) {
            self.skip_space();
            return None;
        }
        if c.is_ascii_digit() || (c == '.' && self.digit_at(self.pos + 1)) {
            self.got_duration = true;
            self.state = State::Statements;
            return Some(self.lex_number_or_duration());
        }
        self.next_char();
        if let Some(op) = arithmetic(c) {
            return Some(self.emit(TokenKind::Op(op)));
        }
        Some(match c {
            ']' => {
                self.bracket_open = false;
                self.got_colon = false;
                self.state = State::Statements;
                self.emit(TokenKind::RightBracket)
            }
            ':' => {
                let token = self.emit(TokenKind::Colon);
                if !self.got_duration {
                    return Some(
                        self.fail("unexpected colon before duration in duration expression"),
                    );
                }
                if self.got_colon {
                    return Some(self.fail("unexpected repeated colon in duration expression"));
                }
                self.got_colon = true;
                token
            }
            '(' => self.open_paren(),
            ')' => self.close_paren(),
            ',' => self.emit(TokenKind::Comma),
            c => match self.duration_keyword(c) {
                Some(keyword) => {
                    self.got_duration |= matches!(keyword, Keyword::Step | Keyword::Range);
                    self.emit(TokenKind::Keyword(keyword))
                }
                None => self.fail(format!(
                    "unexpected character in duration expression: {}",
                    quote_rune(Some(c))
                )),
            },
        })
    }

    fn lex_braces(&mut self) -> Step {
        let Some(c) = self.peek_char() else {
            return Some(self.fail("unexpected end of input inside braces"));
        };
        if c == '#' {
            self.skip_comment();
            return None;
        }
        if c.is_ascii() && is_space(c as u8) {
            self.skip_space();
            return None;
        }
        self.next_char();
        Some(match c {
            c if is_alpha(c) => {
                self.skip_while(is_alphanumeric);
                self.emit(TokenKind::Identifier)
            }
            ',' => self.emit(TokenKind::Comma),
            '"' | '\'' | '`' => self.lex_string(c),
            '=' if self.accept(b'~') => self.emit(TokenKind::EqlRegex),
            '=' => self.emit(TokenKind::Eql),
            '!' => match self.peek_char() {
                Some('~') => self.after(1, TokenKind::NeqRegex),
                Some('=') => self.after(1, TokenKind::Op(BinaryOp::NotEqual)),
                other => self.fail(format!(
                    "unexpected character after '!' inside braces: {}",
                    quote_rune(other)
                )),
            },
            '{' => self.fail("unexpected left brace '{'"),
            '}' => {
                self.brace_open = false;
                self.state = if self.series {
                    State::ValueSequence
                } else {
                    State::Statements
                };
                self.emit(TokenKind::RightBrace)
            }
            c => self.fail(format!(
                "unexpected character inside braces: {}",
                quote_rune(Some(c))
            )),
        })
    }

    fn lex_keyword_or_identifier(&mut self) -> Token {
        self.skip_while(|b| is_alphanumeric(b) || b == b':');
        let word = self.word();
        let kind =
            match token::keyword(word) {
                // compat: these three are keywords only before a parenthesis, so that metrics of their name
                // that older queries use still work.
                Some(TokenKind::Keyword(
                    Keyword::Fill | Keyword::FillLeft | Keyword::FillRight,
                )) if !self.parenthesis_follows() => TokenKind::Identifier,
                Some(kind) => kind,
                None if word.contains(':') => TokenKind::MetricIdentifier,
                None => TokenKind::Identifier,
            };
        if self.series && self.peek() != Some(b'{') {
            self.state = State::ValueSequence;
        } else {
            self.resume();
        }
        self.emit(kind)
    }

    fn parenthesis_follows(&self) -> bool {
        self.input
            .get(self.pos..)
            .unwrap_or_default()
            .iter()
            .find(|b| !is_space(**b))
            == Some(&b'(')
    }

    fn digit_at(&self, pos: usize) -> bool {
        self.input.get(pos).is_some_and(u8::is_ascii_digit)
    }
}

fn arithmetic(c: char) -> Option<BinaryOp> {
    Some(match c {
        '*' => BinaryOp::Mul,
        '/' => BinaryOp::Div,
        '%' => BinaryOp::Mod,
        '+' => BinaryOp::Add,
        '-' => BinaryOp::Sub,
        '^' => BinaryOp::Pow,
        _ => return None,
    })
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}

fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_alphanumeric(b: u8) -> bool {
    b == b'_' || b.is_ascii_alphanumeric()
}

/// Go's `%q` of a rune; the end of the text reads as U+FFFD.
fn quote_rune(c: Option<char>) -> String {
    match c {
        None => "'\u{fffd}'".to_owned(),
        Some('\'') => "'\\''".to_owned(),
        Some('"') => "'\"'".to_owned(),
        Some(c) => {
            let quoted = crate::text::quote::quote(c.encode_utf8(&mut [0; 4]));
            format!("'{}'", quoted.trim_matches('"'))
        }
    }
}

#[cfg(test)]
mod tests;
