//! A response with content codings is its decoded body, or an error, and never longer than the limit.
//!
//! An input is a response with its `content-encoding` and its encoded body. If the body begins with `$`, the rest is plain text, which the
//! target encodes with the codings of the header.

#![no_main]

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use libfuzzer_sys::{Corpus, fuzz_target};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tower::service_fn;
use tower_oauth2::client::Client;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};
use tower_oauth2_fuzz::{
    Ending, Request, SECRET, SECRET_PREFIX, ServerResponse, TOKEN_URL, contains_secret, error_text, in_virtual_time,
};

/// The maximum size of a body, encoded or decoded, in bytes.
const LIMIT: usize = 4096;

/// The maximum number of codings of one body.
const MAX_CODINGS: usize = 4;

fuzz_target!(|input: &[u8]| -> Corpus {
    if contains_secret(input) {
        return Corpus::Reject;
    }
    let mut response = ServerResponse::parse_encoded(input);
    response.ending = Ending::Complete;
    let names = names(&response.headers);
    let text = response.body.strip_prefix(b"$").map(Bytes::copy_from_slice);
    if let Some(text) = &text {
        let Some(body) = encode(&names, text) else { return Corpus::Reject };
        response.body = body;
    }
    let (outcome, seen) = obtain(&response);
    if let Some((headers, body)) = &seen {
        assert!(body.len() <= LIMIT, "{} bytes", body.len());
        assert!(!headers.contains_key(CONTENT_ENCODING));
        let is_decoded = response.headers.contains_key(CONTENT_ENCODING);
        assert!(!is_decoded || !headers.contains_key(CONTENT_LENGTH), "it describes the encoded body");
    }
    let is_short = response.body.len() <= LIMIT;
    match (&text, seen) {
        // Decoding returns the text.
        (Some(text), Some((_, body))) => assert_eq!(body, text),
        (Some(text), None) => assert!(
            // Between two codings, the body may be longer than the limit.
            !is_short || text.len() > LIMIT / 2 || names.len() > MAX_CODINGS,
            "{names:?}: {outcome:?}"
        ),
        (None, _) => {}
    }
    if let Err(error) = &outcome {
        let text = error_text(error);
        assert!(!text.contains(SECRET_PREFIX), "{text}");
        assert!(!matches!(error.kind(), ErrorKind::Panicked | ErrorKind::Transport | ErrorKind::Timeout), "{text}");
        // An overloaded server is recognized by its status.
        if is_short && matches!(response.status.as_u16(), 408 | 429 | 500..=599) {
            assert_eq!(error.kind(), ErrorKind::Overloaded);
        }
    }
    Corpus::Keep
});

/// Returns the outcome of the layer, and the response that `map_response` receives.
fn obtain(response: &ServerResponse) -> (Result<Token, Error>, Option<(HeaderMap, Bytes)>) {
    let seen = Arc::new(Mutex::new(None));
    let grant = ClientCredentials::new(TOKEN_URL, Client::post("id", SECRET)).unwrap().map_response({
        let seen = seen.clone();
        move |response| {
            *seen.lock().unwrap() = Some((response.headers().clone(), response.body().clone()));
            response
        }
    });
    let response = response.clone();
    let service = service_fn(move |_: Request| response.clone().deliver());
    let layer = OAuth2Layer::new(grant).max_response_size(LIMIT).unwrap().token_service(service);
    let outcome = in_virtual_time(Duration::from_secs(60), layer.tokens().get());
    let seen = seen.lock().unwrap().take();
    (outcome, seen)
}

/// Returns the codings in the header.
fn names(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(CONTENT_ENCODING).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let values = values.map(|value| value.to_ascii_lowercase()).collect::<Vec<_>>().join(",");
    let names = values.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "identity");
    names.map(ToOwned::to_owned).collect()
}

/// Encodes the text with the codings, or returns `None` for a coding without an encoder.
fn encode(names: &[String], text: &[u8]) -> Option<Bytes> {
    // More codings would only take time.
    if names.len() > 2 * MAX_CODINGS {
        return None;
    }
    names.iter().enumerate().try_fold(Bytes::copy_from_slice(text), |body, (at, name)| {
        let encoded = match name.as_str() {
            "gzip" | "x-gzip" => written(GzEncoder::new(Vec::new(), Compression::fast()), &body, GzEncoder::finish),
            // Servers use this name for zlib and for the raw stream.
            "deflate" if at % 2 == 0 => {
                written(ZlibEncoder::new(Vec::new(), Compression::fast()), &body, ZlibEncoder::finish)
            }
            "deflate" => written(DeflateEncoder::new(Vec::new(), Compression::fast()), &body, DeflateEncoder::finish),
            "zstd" => compress_to_vec(&body[..], CompressionLevel::Fastest),
            _ => return None,
        };
        Some(encoded.into())
    })
}

fn written<E: io::Write>(mut encoder: E, body: &[u8], finish: impl FnOnce(E) -> io::Result<Vec<u8>>) -> Vec<u8> {
    encoder.write_all(body).and_then(|()| finish(encoder)).expect("writing to a vector cannot fail")
}
