use super::json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What kind of error the envelope names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is wrong (400).
    BadData,
    /// The query failed (422).
    Execution,
    /// The client went away (499).
    Canceled,
    /// The query took too long (503).
    Timeout,
    /// Our fault (500).
    Internal,
    /// Not there (404).
    NotFound,
    /// Not ready yet, or switched off (503).
    Unavailable,
    /// None of the offered formats (406).
    NotAcceptable,
}

impl ErrorKind {
    /// The word in the envelope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadData => "bad_data",
            Self::Execution => "execution",
            Self::Canceled => "canceled",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
            Self::NotFound => "not_found",
            Self::Unavailable => "unavailable",
            Self::NotAcceptable => "not_acceptable",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::BadData => StatusCode::BAD_REQUEST,
            Self::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Canceled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            Self::Timeout | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
        }
    }
}

/// An error answer.
#[derive(Debug, Clone)]
pub struct Failure {
    kind: ErrorKind,
    text: String,
    warnings: Vec<String>,
}

impl Failure {
    /// An error of `kind`.
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            warnings: Vec::new(),
        }
    }

    /// A wrong request.
    pub fn bad_data(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadData, text)
    }

    /// Adds what was remarked before the failure.
    #[must_use]
    pub fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.warnings = warnings;
        self
    }

    /// A wrong parameter.
    pub fn invalid(parameter: &str, text: impl std::fmt::Display) -> Self {
        Self::bad_data(format!(
            "invalid parameter {}: {text}",
            crate::text::quote::quote(parameter)
        ))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut body = format!(
            "{{\"status\":\"error\",\"errorType\":\"{}\",\"error\":{}",
            self.kind.as_str(),
            json::html_free(&self.text)
        );
        push_texts(&mut body, "warnings", &self.warnings);
        body.push('}');
        envelope(self.kind.status(), body)
    }
}

/// A success: data and what the user should know about it.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// JSON.
    data: String,
    warnings: Vec<String>,
    infos: Vec<String>,
}

impl Reply {
    /// Answers with `data`.
    pub fn json(data: &impl Serialize) -> Self {
        Self::raw(serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned()))
    }

    /// Answers with JSON that is written already.
    pub fn raw(data: impl Into<String>) -> Self {
        Self {
            data: data.into(),
            ..Self::default()
        }
    }

    /// Answers with 204 and nothing, as upstream where there is nothing to ask for.
    pub fn no_content() -> Self {
        Self::default()
    }

    /// Adds warnings and infos; at most ten of each are shown.
    #[must_use]
    pub fn with_notes(mut self, warnings: Vec<String>, infos: Vec<String>) -> Self {
        self.warnings = warnings;
        self.infos = infos;
        self
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        if self.data.is_empty() {
            return StatusCode::NO_CONTENT.into_response();
        }
        let mut body = String::with_capacity(self.data.len() + 64);
        body.push_str("{\"status\":\"success\",\"data\":");
        body.push_str(&self.data);
        push_texts(&mut body, "warnings", &self.warnings);
        push_texts(&mut body, "infos", &self.infos);
        body.push('}');
        envelope(StatusCode::OK, body)
    }
}

fn push_texts(body: &mut String, name: &str, texts: &[String]) {
    let list: Vec<String> = texts.iter().map(|text| json::html_free(text)).collect();
    if !list.is_empty() {
        body.push_str(",\"");
        body.push_str(name);
        body.push_str("\":[");
        body.push_str(&list.join(","));
        body.push(']');
    }
}

fn envelope(status: StatusCode, body: String) -> Response {
    (
        status,
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )],
        body,
    )
        .into_response()
}
