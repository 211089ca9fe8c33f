//! Prometheus's protobuf messages for pushes and reads, with the numbers of upstream's `.proto` files.
//!
//! [`decode`] refuses bytes whose messages would take far more memory than the bytes themselves.

mod read;
pub mod v2;
mod write;

use prost::Message;
use thiserror::Error as ThisError;

pub use read::{LabelMatcher, Query, QueryResult, ReadHints, ReadRequest, ReadResponse};
pub use write::{
    BucketSpan, Exemplar, Histogram, Label, MetricMetadata, Sample, TimeSeries, WriteRequest,
    histogram,
};

use super::wire::{Field, Fields};

/// Why a message cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are no such message.
    #[error("{0}")]
    Malformed(String),
    /// The message has more parts than a sender has a reason to send.
    #[error("message has more than {0} parts")]
    TooManyParts(usize),
    /// The bytes claim to be, or are, larger than allowed once decompressed.
    #[error("decompressed size exceeds {0} bytes")]
    TooLarge(usize),
}

/// Decompresses a snappy block of at most `max` bytes.
pub fn decompress(block: &[u8], max: usize) -> Result<Vec<u8>, Error> {
    let malformed = |e: snap::Error| Error::Malformed(e.to_string());
    // The length is told in front, so nothing is reserved for what is too large.
    let length = snap::raw::decompress_len(block).map_err(malformed)?;
    if length > max {
        return Err(Error::TooLarge(max));
    }
    snap::raw::Decoder::new()
        .decompress_vec(block)
        .map_err(malformed)
}

/// Compresses into a snappy block.
pub fn compress(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    snap::raw::Encoder::new()
        .compress_vec(bytes)
        .map_err(|e| Error::Malformed(e.to_string()))
}

/// Decodes a message whose parts, down to the second level, are at most `max_parts`. A part may be two
/// bytes long and takes about a hundred in memory.
pub fn decode<M: Message + Default>(bytes: &[u8], max_parts: usize) -> Result<M, Error> {
    let mut parts = 0_usize;
    for field in Fields::new(bytes) {
        let Ok((_, Field::Bytes(message))) = field else {
            continue;
        };
        parts += 1;
        // What is no message but a text is counted too; a text of that length is no sender's either.
        parts += Fields::new(message)
            .filter(|f| matches!(f, Ok((_, Field::Bytes(_)))))
            .count();
        if parts > max_parts {
            return Err(Error::TooManyParts(max_parts));
        }
    }
    M::decode(bytes).map_err(|e| Error::Malformed(e.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_survive_the_way_there_and_back() {
        let request = WriteRequest {
            timeseries: vec![TimeSeries {
                labels: vec![Label {
                    name: "a".to_owned(),
                    value: "b".to_owned(),
                }],
                samples: vec![Sample {
                    value: 1.5,
                    timestamp: -3,
                }],
                ..TimeSeries::default()
            }],
            ..WriteRequest::default()
        };
        let block = compress(&request.encode_to_vec()).unwrap();
        let bytes = decompress(&block, 1000).unwrap();
        assert_eq!(decode::<WriteRequest>(&bytes, 10).unwrap(), request);
        assert_eq!(decompress(&block, 5), Err(Error::TooLarge(5)));
    }

    #[test]
    fn bombs_are_refused() {
        let bomb = [0x0a, 0].repeat(1000);
        assert_eq!(
            decode::<WriteRequest>(&bomb, 100),
            Err(Error::TooManyParts(100))
        );
        // A block that claims four gigabytes.
        assert!(decompress(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0], 1 << 20).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decompress(&bytes, 1 << 16);
            let _ = decode::<WriteRequest>(&bytes, 1000);
            let _ = decode::<v2::Request>(&bytes, 1000);
            let _ = decode::<ReadRequest>(&bytes, 1000);
        }
    }
}
