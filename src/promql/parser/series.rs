use crate::model::{Labels, METRIC_NAME};
use crate::promql::lexer::TokenKind;

use super::expr::names_metric;
use super::stream::{Parsed, Parser, Unwind};

impl Parser<'_> {
    /// A series and nothing else.
    pub(crate) fn parse_metric_only(&mut self) -> Option<Labels> {
        let parsed = self
            .parse_metric()
            .and_then(|labels| self.expect(TokenKind::Eof).map(|_| labels));
        parsed.map_err(|unwind| self.give_up(unwind)).ok()
    }

    /// A metric name, labels in braces, or both, or neither.
    pub(crate) fn parse_metric(&mut self) -> Parsed<Labels> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        let name = names_metric(self.token.kind).then(|| {
            let token = self.advance();
            self.text_of(token)
        });
        if self.at(TokenKind::LeftBrace) {
            self.parse_label_set(&mut pairs)?;
        }
        pairs.extend(name.map(|name| (METRIC_NAME.to_owned(), name)));
        Ok(Labels::from_pairs(pairs))
    }

    fn parse_label_set(&mut self, pairs: &mut Vec<(String, String)>) -> Parsed<()> {
        self.advance();
        if self.accept(TokenKind::RightBrace) {
            return Ok(());
        }
        loop {
            let item = self.parse_label()?;
            pairs.push(item);
            match self.token.kind {
                TokenKind::RightBrace => {
                    self.advance();
                    return Ok(());
                }
                TokenKind::Comma => {
                    self.advance();
                    if self.accept(TokenKind::RightBrace) {
                        return Ok(());
                    }
                }
                _ => return self.refuse("label set", "\",\" or \"}\""),
            }
        }
    }

    fn parse_label(&mut self) -> Parsed<(String, String)> {
        let token = self.token;
        let name = match token.kind {
            TokenKind::Identifier => {
                self.advance();
                self.text_of(token)
            }
            TokenKind::String => {
                self.advance();
                let name = self.unquoted(token);
                if !self.at(TokenKind::Eql) {
                    return Ok((METRIC_NAME.to_owned(), name));
                }
                name
            }
            _ => return self.refuse("label set", "identifier or \"}\""),
        };
        if !self.accept(TokenKind::Eql) {
            return self.refuse("label set", "\"=\"");
        }
        if !self.at(TokenKind::String) {
            return self.refuse("label set", "string");
        }
        let value = self.advance();
        Ok((name, self.unquoted(value)))
    }

    /// Reports the current token and stops: nothing after it would be believed.
    pub(crate) fn refuse<T>(&mut self, context: &str, expected: &str) -> Parsed<T> {
        self.unexpected(context, expected);
        Err(Unwind::Abort)
    }
}
