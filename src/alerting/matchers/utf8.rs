//! The UTF-8 syntax: names and values quoted or free of reserved characters.

use super::lexer::{Kind, Lexer, Token};
use super::{Error, Matcher};
use crate::model::MatchOp;
use crate::text::quote::unquote;

/// Parses any number of matchers, with or without braces around them.
pub fn parse_matchers(input: &str) -> Result<Vec<Matcher>, Error> {
    Parser {
        lexer: Lexer::new(input),
        braced: false,
        matchers: Vec::new(),
    }
    .parse()
}

/// Parses exactly one matcher.
pub fn parse_matcher(input: &str) -> Result<Matcher, Error> {
    let mut matchers = parse_matchers(input)?;
    let count = matchers.len();
    match matchers.pop() {
        None => Err(bad("no matchers")),
        Some(matcher) if count == 1 => Ok(matcher),
        Some(_) => Err(bad(format!("expected 1 matcher, found {count}"))),
    }
}

fn bad(text: impl Into<String>) -> Error {
    Error::BadMatcher(text.into())
}

/// Why an expected token was not there.
enum Miss {
    End,
    Other(Error),
}

impl Miss {
    fn because(self, what: &str) -> Error {
        match self {
            Self::End => bad(format!("end of input: {what}")),
            Self::Other(error) => bad(format!("{error}: {what}")),
        }
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    braced: bool,
    matchers: Vec<Matcher>,
}

impl<'a> Parser<'a> {
    fn parse(mut self) -> Result<Vec<Matcher>, Error> {
        let Some(first) = self.lexer.peek()? else {
            return Ok(self.matchers);
        };
        if first.kind == Kind::OpenBrace {
            self.braced = true;
            self.lexer.scan()?;
        }
        let mut more = match self.lexer.peek()? {
            None => false,
            Some(token) => token.kind != Kind::CloseBrace,
        };
        while more {
            self.matcher()?;
            more = self.separator()?;
        }
        self.close_brace()?;
        match self.lexer.scan() {
            Err(error) => Err(bad(format!("{error}: expected end of input"))),
            Ok(None) => Ok(self.matchers),
            Ok(Some(token)) => Err(bad(format!(
                "{}:{}: {}: expected end of input",
                token.column_start, token.column_end, token.text
            ))),
        }
    }

    fn matcher(&mut self) -> Result<(), Error> {
        let name = self
            .expect(&[Kind::Quoted, Kind::Unquoted])
            .map_err(|miss| miss.because("expected label name"))?;
        let name = text_of(name)?;
        let operator = self
            .expect(&[
                Kind::Equals,
                Kind::NotEquals,
                Kind::Matches,
                Kind::NotMatches,
            ])
            .map_err(|miss| miss.because("expected an operator such as '=', '!=', '=~' or '!~'"))?;
        let op = match operator.kind {
            Kind::NotEquals => MatchOp::NotEqual,
            Kind::Matches => MatchOp::Regex,
            Kind::NotMatches => MatchOp::NotRegex,
            _ => MatchOp::Equal,
        };
        let value = self
            .expect(&[Kind::Unquoted, Kind::Quoted])
            .map_err(|miss| miss.because("expected label value"))?;
        let value = text_of(value)?;
        let matcher = Matcher::new(op, name, value)
            .map_err(|error| bad(format!("failed to create matcher: {error}")))?;
        self.matchers.push(matcher);
        Ok(())
    }

    /// Reads what follows a matcher; whether another one follows.
    fn separator(&mut self) -> Result<bool, Error> {
        match self.look(&[Kind::Comma, Kind::CloseBrace]) {
            Err(Miss::End) => return Ok(false),
            Err(miss) => return Err(miss.because("expected a comma or close brace")),
            Ok(token) if token.kind == Kind::CloseBrace => return Ok(false),
            Ok(_) => {}
        }
        self.lexer.scan()?;
        match self.look(&[Kind::CloseBrace, Kind::Unquoted, Kind::Quoted]) {
            Err(Miss::End) => Ok(false),
            Err(miss) => Err(miss.because("expected a matcher or close brace after comma")),
            Ok(token) => Ok(token.kind != Kind::CloseBrace),
        }
    }

    fn close_brace(&mut self) -> Result<(), Error> {
        let found = self.expect(&[Kind::CloseBrace]);
        let column = self.lexer.columns;
        match (self.braced, found) {
            (true, Ok(_)) | (false, Err(_)) => Ok(()),
            (true, Err(miss)) => Err(bad(format!(
                "0:{column}: {}",
                miss.because("expected close brace")
            ))),
            (false, Ok(_)) => Err(bad(format!("0:{column}: }}: expected opening brace"))),
        }
    }

    fn expect(&mut self, kinds: &[Kind]) -> Result<Token<'a>, Miss> {
        let token = self.look(kinds)?;
        self.lexer.scan().map_err(Miss::Other)?;
        Ok(token)
    }

    fn look(&self, kinds: &[Kind]) -> Result<Token<'a>, Miss> {
        match self.lexer.peek() {
            Err(error) => Err(Miss::Other(error)),
            Ok(None) => Err(Miss::End),
            Ok(Some(token)) if kinds.contains(&token.kind) => Ok(token),
            Ok(Some(token)) => Err(Miss::Other(bad(format!(
                "{}:{}: unexpected {}",
                token.column_start, token.column_end, token.text
            )))),
        }
    }
}

fn text_of(token: Token<'_>) -> Result<String, Error> {
    if token.kind != Kind::Quoted {
        return Ok(token.text.to_owned());
    }
    unquote(token.text).ok_or_else(|| {
        bad(format!(
            "{}:{}: {}: invalid input",
            token.column_start, token.column_end, token.text
        ))
    })
}
