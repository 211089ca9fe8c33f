use std::fmt;

/// A form in which targets can expose metrics, as `scrape_protocols` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScrapeProtocol {
    /// Length-delimited `io.prometheus.client.MetricFamily` messages.
    PrometheusProto,
    /// The classic text form.
    PrometheusText0_0_4,
    /// The classic text form with quoted UTF-8 names.
    PrometheusText1_0_0,
    /// OpenMetrics text, first draft.
    OpenMetricsText0_0_1,
    /// OpenMetrics text 1.0.
    OpenMetricsText1_0_0,
}

impl ScrapeProtocol {
    /// Every protocol, in the order in which upstream's error texts list them.
    pub const ALL: [Self; 5] = [
        Self::OpenMetricsText0_0_1,
        Self::OpenMetricsText1_0_0,
        Self::PrometheusProto,
        Self::PrometheusText0_0_4,
        Self::PrometheusText1_0_0,
    ];

    /// What is asked for when nothing is configured.
    pub const DEFAULT: [Self; 4] = [
        Self::OpenMetricsText1_0_0,
        Self::OpenMetricsText0_0_1,
        Self::PrometheusText1_0_0,
        Self::PrometheusText0_0_4,
    ];

    /// What is asked for by default when native histograms are scraped.
    pub const DEFAULT_PROTO_FIRST: [Self; 5] = [
        Self::PrometheusProto,
        Self::OpenMetricsText1_0_0,
        Self::OpenMetricsText0_0_1,
        Self::PrometheusText1_0_0,
        Self::PrometheusText0_0_4,
    ];

    /// Reads the word in the configuration; letter case counts.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == word)
    }

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PrometheusProto => "PrometheusProto",
            Self::PrometheusText0_0_4 => "PrometheusText0.0.4",
            Self::PrometheusText1_0_0 => "PrometheusText1.0.0",
            Self::OpenMetricsText0_0_1 => "OpenMetricsText0.0.1",
            Self::OpenMetricsText1_0_0 => "OpenMetricsText1.0.0",
        }
    }

    /// The media range in `Accept` headers.
    pub const fn accept(self) -> &'static str {
        match self {
            Self::PrometheusProto => {
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
            }
            Self::PrometheusText0_0_4 => "text/plain;version=0.0.4",
            Self::PrometheusText1_0_0 => "text/plain;version=1.0.0",
            Self::OpenMetricsText0_0_1 => "application/openmetrics-text;version=0.0.1",
            Self::OpenMetricsText1_0_0 => "application/openmetrics-text;version=1.0.0",
        }
    }

    /// The media type that stands in for a missing or unknown `Content-Type`.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::PrometheusProto => "application/vnd.google.protobuf",
            Self::PrometheusText0_0_4 | Self::PrometheusText1_0_0 => "text/plain",
            Self::OpenMetricsText0_0_1 | Self::OpenMetricsText1_0_0 => {
                "application/openmetrics-text"
            }
        }
    }
}

impl fmt::Display for ScrapeProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How targets shall write names that are not of the classic kind: `metric_name_escaping_scheme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EscapingScheme {
    /// As they are, quoted.
    #[default]
    AllowUtf8,
    /// Every foreign character becomes `_`.
    Underscores,
    /// Dots become `_dot_`, `_` becomes `__`, others `__`.
    Dots,
    /// `U__` in front, foreign characters as `_hex_`.
    Values,
}

impl EscapingScheme {
    /// Reads the word in the configuration and in `Accept` headers.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::AllowUtf8, Self::Underscores, Self::Dots, Self::Values]
            .into_iter()
            .find(|scheme| scheme.as_str() == word)
    }

    /// The word in the configuration and in `Accept` headers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }
}

impl fmt::Display for EscapingScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The `Accept` header that asks for `protocols`, the first preferred.
///
/// compat: only the text forms that know quoted names are told the escaping scheme.
pub fn accept_header(protocols: &[ScrapeProtocol], escaping: EscapingScheme) -> String {
    let mut ranges = Vec::with_capacity(protocols.len() + 1);
    let mut weight = ScrapeProtocol::ALL.len() + 1;
    for protocol in protocols {
        let escaping = match protocol {
            ScrapeProtocol::PrometheusText1_0_0 | ScrapeProtocol::OpenMetricsText1_0_0 => {
                format!(";escaping={escaping}")
            }
            _ => String::new(),
        };
        ranges.push(format!("{}{escaping};q=0.{weight}", protocol.accept()));
        weight = weight.saturating_sub(1);
    }
    ranges.push(format!("*/*;q=0.{weight}"));
    ranges.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_header_is_upstreams() {
        assert_eq!(
            accept_header(&ScrapeProtocol::DEFAULT, EscapingScheme::AllowUtf8),
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        );
    }

    #[test]
    fn words_are_read_back() {
        for protocol in ScrapeProtocol::ALL {
            assert_eq!(ScrapeProtocol::parse(protocol.as_str()), Some(protocol));
        }
        assert_eq!(ScrapeProtocol::parse("prometheusproto"), None);
        assert_eq!(EscapingScheme::parse("dots"), Some(EscapingScheme::Dots));
    }
}
