//! Removes the content codings of a response (RFC 9110 §8.4). Token requests accept none, but some servers and proxies compress anyway.

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};

use super::content_coding::ContentCoding;
#[cfg(feature = "decompression")]
use super::decompress;
#[cfg(feature = "decompression")]
use crate::catch_panic::catch_panic;

/// The maximum number of codings: real responses have one or two, and each of them costs time.
const MAX_CODINGS: usize = 4;

/// Why a body cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// The coding is unknown; its name as the server wrote it.
    Unknown(String),
    /// The crate was built without the feature `decompression`.
    #[cfg(not(feature = "decompression"))]
    NoDecoder(ContentCoding),
    TooMany,
    /// The decoded body is longer than this limit, in bytes.
    #[cfg(feature = "decompression")]
    TooLong(usize),
    /// The body is not valid in the coding that the header names.
    #[cfg(feature = "decompression")]
    Broken(ContentCoding),
}

#[cfg(feature = "decompression")]
fn decode_one(coding: ContentCoding, body: &[u8], limit: usize) -> Result<Bytes, DecodeError> {
    // The decoders are third-party code that parses untrusted data, so a panic counts as an error.
    match catch_panic(|| decompress::decompress(coding, body, limit)) {
        Ok(Ok(Some(decoded))) => Ok(decoded.into()),
        Ok(Ok(None)) => Err(DecodeError::TooLong(limit)),
        Ok(Err(_)) | Err(_) => Err(DecodeError::Broken(coding)),
    }
}

#[cfg(not(feature = "decompression"))]
fn decode_one(coding: ContentCoding, _: &[u8], _: usize) -> Result<Bytes, DecodeError> {
    Err(DecodeError::NoDecoder(coding))
}

/// Replaces the body with the decoded body, and removes the headers that describe the encoded one. An empty body needs no decoding.
///
/// If it returns an error, the response is unchanged.
pub(crate) fn decode_response(response: &mut Response<Bytes>, limit: usize) -> Result<(), DecodeError> {
    if !response.headers().contains_key(CONTENT_ENCODING) {
        return Ok(());
    }
    let mut body = response.body().clone();
    if !body.is_empty() {
        // The header lists the codings in the order in which they were applied.
        for coding in codings(response.headers())?.into_iter().rev() {
            body = decode_one(coding, &body, limit)?;
        }
    }
    *response.body_mut() = body;
    response.headers_mut().remove(CONTENT_ENCODING);
    response.headers_mut().remove(CONTENT_LENGTH);
    Ok(())
}

fn codings(headers: &HeaderMap) -> Result<Vec<ContentCoding>, DecodeError> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let value = String::from_utf8_lossy(value.as_bytes());
        let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
        for name in names.filter(|name| !is_identity(name)) {
            codings.push(ContentCoding::from_name(name).ok_or_else(|| DecodeError::Unknown(name.to_owned()))?);
        }
    }
    if codings.len() > MAX_CODINGS { Err(DecodeError::TooMany) } else { Ok(codings) }
}

/// Returns whether the name means that the body is not encoded. Some servers put the charset there instead of in `Content-Type`.
fn is_identity(name: &str) -> bool {
    const NAMES: [&str; 6] = ["identity", "none", "utf-8", "utf8", "us-ascii", "iso-8859-1"];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(codings: &[&str], body: &'static [u8]) -> Response<Bytes> {
        let builder =
            codings.iter().fold(Response::builder(), |builder, coding| builder.header(CONTENT_ENCODING, *coding));
        builder.header(CONTENT_LENGTH, body.len()).body(Bytes::from_static(body)).unwrap()
    }

    #[test]
    fn names_of_codings_are_parsed() {
        for (names, expected) in [
            (&["gzip"][..], Ok(vec![ContentCoding::Gzip])),
            (&["X-GZip"], Ok(vec![ContentCoding::Gzip])),
            (&["deflate, br"], Ok(vec![ContentCoding::Deflate, ContentCoding::Brotli])),
            (&["deflate", "identity,,ZSTD"], Ok(vec![ContentCoding::Deflate, ContentCoding::Zstd])),
            (&["identity"], Ok(vec![])),
            (&["UTF-8"], Ok(vec![])),
            (&["none", "utf8, gzip"], Ok(vec![ContentCoding::Gzip])),
            (&[""], Ok(vec![])),
            (&["gzip, compress"], Err(DecodeError::Unknown("compress".to_owned()))),
            (&["gzip;q=1"], Err(DecodeError::Unknown("gzip;q=1".to_owned()))),
            (&["gzip,gzip,gzip,gzip"], Ok(vec![ContentCoding::Gzip; 4])),
            (&["gzip,gzip,gzip", "gzip,gzip"], Err(DecodeError::TooMany)),
        ] {
            assert_eq!(codings(response(names, b"").headers()), expected, "{names:?}");
        }
    }

    #[test]
    fn a_body_without_coding_is_unchanged() {
        let mut plain = response(&[], b"{}");
        decode_response(&mut plain, 0).unwrap();
        assert_eq!((plain.body().as_ref(), plain.headers().len()), (&b"{}"[..], 1));
        let mut identity = response(&["identity"], b"{}");
        decode_response(&mut identity, 0).unwrap();
        assert_eq!((identity.body().as_ref(), identity.headers().len()), (&b"{}"[..], 0));
    }

    #[test]
    fn an_empty_body_is_valid_in_any_coding() {
        for coding in ["gzip", "deflate", "br", "zstd", "aes128gcm"] {
            let mut empty = response(&[coding], b"");
            decode_response(&mut empty, 0).unwrap();
            assert!(empty.body().is_empty() && empty.headers().is_empty(), "{coding}");
        }
    }
}
