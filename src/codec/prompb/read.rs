use super::TimeSeries;

/// `prometheus.ReadRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadRequest {
    /// What is asked for.
    #[prost(message, repeated, tag = "1")]
    pub queries: Vec<Query>,
    /// Forms of answer that are understood, preferred first: 0 samples, 1 streamed chunks.
    #[prost(int32, repeated, tag = "2")]
    pub accepted_response_types: Vec<i32>,
}

/// One question.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Query {
    /// Begin of the range in milliseconds since the epoch.
    #[prost(int64, tag = "1")]
    pub start_timestamp_ms: i64,
    /// End of the range in milliseconds since the epoch.
    #[prost(int64, tag = "2")]
    pub end_timestamp_ms: i64,
    /// Which series.
    #[prost(message, repeated, tag = "3")]
    pub matchers: Vec<LabelMatcher>,
    /// What the asker will do with them.
    #[prost(message, optional, tag = "4")]
    pub hints: Option<ReadHints>,
}

/// A condition on a label.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct LabelMatcher {
    /// 0 equal, 1 not equal, 2 matches, 3 does not match.
    #[prost(int32, tag = "1")]
    pub r#type: i32,
    /// The label.
    #[prost(string, tag = "2")]
    pub name: String,
    /// What it is compared with.
    #[prost(string, tag = "3")]
    pub value: String,
}

/// What the asker will do with the samples.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadHints {
    /// The query's step in milliseconds.
    #[prost(int64, tag = "1")]
    pub step_ms: i64,
    /// The function around the selector.
    #[prost(string, tag = "2")]
    pub func: String,
    /// Begin in milliseconds since the epoch.
    #[prost(int64, tag = "3")]
    pub start_ms: i64,
    /// End in milliseconds since the epoch.
    #[prost(int64, tag = "4")]
    pub end_ms: i64,
    /// Labels of the aggregation around.
    #[prost(string, repeated, tag = "5")]
    pub grouping: Vec<String>,
    /// Whether these are kept or dropped.
    #[prost(bool, tag = "6")]
    pub by: bool,
    /// The selector's range in milliseconds.
    #[prost(int64, tag = "7")]
    pub range_ms: i64,
}

/// `prometheus.ReadResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadResponse {
    /// An answer for each question, in order.
    #[prost(message, repeated, tag = "1")]
    pub results: Vec<QueryResult>,
}

/// The answer to one question.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryResult {
    /// Series, sorted by labels.
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
}
