//! Tokens of the UTF-8 syntax, with the positions that upstream's errors show (in characters).

use super::Error;

/// Characters that end a text without quotes.
pub(super) fn is_reserved(c: char) -> bool {
    c.is_whitespace() || "{}!=~,\\\"'`".contains(c)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    OpenBrace,
    CloseBrace,
    Comma,
    Equals,
    NotEquals,
    Matches,
    NotMatches,
    Quoted,
    Unquoted,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) column_start: usize,
    pub(super) column_end: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    input: &'a str,
    /// Where the current token starts.
    start: usize,
    /// Where the cursor is.
    pos: usize,
    column: usize,
    /// Characters read so far.
    pub(super) columns: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(input: &'a str) -> Self {
        Self {
            input,
            start: 0,
            pos: 0,
            column: 0,
            columns: 0,
        }
    }

    /// The next token without consuming it; `None` at the end of the input.
    pub(super) fn peek(&self) -> Result<Option<Token<'a>>, Error> {
        self.clone().scan()
    }

    /// The next token; `None` at the end of the input.
    pub(super) fn scan(&mut self) -> Result<Option<Token<'a>>, Error> {
        while let Some(c) = self.peek_char() {
            let kind = match c {
                '{' => self.single(Kind::OpenBrace),
                '}' => self.single(Kind::CloseBrace),
                ',' => self.single(Kind::Comma),
                '=' | '!' => self.operator()?,
                '"' => self.quoted()?,
                c if !is_reserved(c) => {
                    while self.peek_char().is_some_and(|c| !is_reserved(c)) {
                        self.next_char();
                    }
                    Kind::Unquoted
                }
                c => {
                    self.next_char();
                    if c.is_whitespace() {
                        self.start = self.pos;
                        self.column = self.columns;
                        continue;
                    }
                    return Err(self.error("invalid input"));
                }
            };
            let token = Token {
                kind,
                text: self.current(),
                column_start: self.column,
                column_end: self.columns,
            };
            self.start = self.pos;
            self.column = self.columns;
            return Ok(Some(token));
        }
        Ok(None)
    }

    fn single(&mut self, kind: Kind) -> Kind {
        self.next_char();
        kind
    }

    fn operator(&mut self) -> Result<Kind, Error> {
        if self.accept('!') {
            if self.accept('=') {
                return Ok(Kind::NotEquals);
            }
            if self.accept('~') {
                return Ok(Kind::NotMatches);
            }
            return Err(if self.pos >= self.input.len() {
                Error::BadMatcher(format!(
                    "{}:{}: unexpected end of input, expected one of '=~'",
                    self.column, self.columns
                ))
            } else {
                self.error("expected one of '=~'")
            });
        }
        self.next_char();
        Ok(if self.accept('~') {
            Kind::Matches
        } else {
            Kind::Equals
        })
    }

    fn quoted(&mut self) -> Result<Kind, Error> {
        self.next_char();
        let mut escaped = false;
        while let Some(c) = self.next_char() {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == '"' {
                return Ok(Kind::Quoted);
            }
        }
        Err(self.error("missing end \""))
    }

    fn error(&self, what: &str) -> Error {
        Error::BadMatcher(format!(
            "{}:{}: {}: {what}",
            self.column,
            self.columns,
            self.current()
        ))
    }

    fn current(&self) -> &'a str {
        self.input.get(self.start..self.pos).unwrap_or_default()
    }

    fn accept(&mut self, wanted: char) -> bool {
        let found = self.peek_char() == Some(wanted);
        if found {
            self.next_char();
        }
        found
    }

    fn peek_char(&self) -> Option<char> {
        self.input.get(self.pos..)?.chars().next()
    }

    fn next_char(&mut self) -> Option<char> {
        let c = self.peek_char()?;
        self.pos += c.len_utf8();
        self.columns += 1;
        Some(c)
    }
}
