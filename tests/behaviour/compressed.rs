//! A compressed response is decoded although token requests accept none, within the limit on its size.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use tower::{BoxError, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::RevocationEndpoint;
use tower_oauth2::grant::{ClientCredentials, Context, DeviceCode, Grant as _, RefreshToken};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token, Tokens};

use crate::support::{Body, TOKEN_URL, grant};

const TOKEN: &[u8] = br#"{"access_token":"a","token_type":"Bearer","expires_in":3600,"scope":"read read read read"}"#;
const INVALID_GRANT: &[u8] = br#"{"error":"invalid_grant","error_description":"expired expired expired expired"}"#;

/// `TOKEN` and `INVALID_GRANT` in the output of the reference encoders.
const TOKEN_BR: &[u8] =
    b"\x1b\x59\x00\x00\x2d\x0e\xec\x66\xbf\xec\x5f\x11\x86\x23\x62\x3b\x69\x4c\x2d\x32\xe3\xb6\xb7\x6c\
      \xd2\x4a\x28\xac\x75\x58\x60\xfa\xb6\xc8\x57\x99\x5c\xa7\x1c\xb8\x97\xb5\x28\xd1\xc0\x62\xfd\xde\
      \x0b\x11\x09\xc5\xa7\xc5\x5a\x36\x0a\x28\xc6\x0b\xfb\x5d\x04\xae\x8e\x6c\xc9\x13\xcc\x68\x20\x07";
const TOKEN_ZSTD: &[u8] =
    b"\x28\xb5\x2f\xfd\x04\x68\x1d\x02\x00\x22\x84\x0d\x11\xa0\xed\xa0\x23\x21\xba\x23\xae\x26\xa9\x10\
      \x99\xc2\x98\xa9\x1f\xc2\xf3\x20\xe9\x72\x43\xfd\x20\x04\x19\xe5\x4c\x9d\x5e\x56\x0e\xee\xc3\x79\
      \x59\xd7\xbc\x7c\x5d\x7c\xe7\xe1\xfa\x72\xb6\xab\xbd\xd3\xbd\x08\xe9\x65\x03\x00\x28\x52\xdb\x28\
      \x79\x7f\x15\x26\x55\x34\x68\x7c";
const INVALID_GRANT_BR: &[u8] =
    b"\x1b\x4e\x00\x60\x8c\xd4\x62\xcd\x19\xee\x04\xba\xb1\x54\x65\xb9\xbc\xf8\x60\x11\x31\x09\xa6\x0e\
      \x4b\x1f\x6c\xc0\x09\x40\xf6\x8b\x4d\x32\x30\x0c\x8e\xc3\xe7\x1a\x4b\x44\x7e\x42\x05\xd5\xf3\xd1\
      \x1f\x42\x62\xd5\xf3\x02\x7c\x53\xeb\x0c\x10\x03";
const INVALID_GRANT_ZSTD: &[u8] =
    b"\x28\xb5\x2f\xfd\x00\x68\xc5\x01\x00\x22\x43\x0b\x11\xb0\xeb\x67\x86\x84\x4d\x08\xd9\x28\x33\x27\
      \x41\x96\x0a\x92\x7c\x02\xcf\x00\xf3\x9a\x5a\x5a\x78\x91\xae\xa4\x2f\x2a\x71\x04\xaf\x25\x37\x03\
      \xf5\x10\xb6\x6a\xe1\xa3\x3f\xed\x02\x02\x00\x57\x6a\x6b\xb1\x39\x06";

fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap().into()
}

fn zlib(body: &[u8]) -> Bytes {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap().into()
}

fn raw_deflate(body: &[u8]) -> Bytes {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap().into()
}

fn encoded(status: u16, codings: &[&str], body: impl Into<Bytes>) -> Response<Body> {
    let body = body.into();
    let response = Response::builder().status(status).header(CONTENT_LENGTH, body.len());
    let response = codings.iter().fold(response, |response, coding| response.header(CONTENT_ENCODING, *coding));
    response.header(RETRY_AFTER, "7").body(body.into()).unwrap()
}

/// Returns a transport to a server that always sends this response.
fn server(response: Response<Body>) -> Transport {
    let response = Arc::new(response);
    Transport::new(service_fn(move |_: Request<Body>| {
        let response = (*response).clone();
        async move { Ok::<_, BoxError>(response) }
    }))
}

async fn obtain(response: Response<Body>) -> Result<Token, Error> {
    grant().obtain(Context::new(server(response))).await
}

/// Returns the handle of a layer with this maximum response size.
fn limited(limit: usize, response: Response<Body>) -> Tokens {
    let service = service_fn(move |_: Request<Body>| {
        let response = response.clone();
        async move { Ok::<_, BoxError>(response) }
    });
    OAuth2Layer::new(grant()).max_response_size(limit).unwrap().token_service(service).tokens()
}

#[tokio::test]
async fn a_token_is_decoded_from_any_coding() {
    let halves = TOKEN.split_at(40);
    for (codings, body) in [
        (&["gzip"][..], gzip(TOKEN)),
        (&["x-gzip"], gzip(TOKEN)),
        (&["GZip"], gzip(TOKEN)),
        (&["deflate"], zlib(TOKEN)),
        (&["deflate"], raw_deflate(TOKEN)),
        (&["br"], TOKEN_BR.into()),
        (&["zstd"], TOKEN_ZSTD.into()),
        (&["identity"], TOKEN.into()),
        (&["gzip, identity"], gzip(TOKEN)),
        // In the order in which they were applied.
        (&["deflate, gzip"], gzip(&zlib(TOKEN))),
        (&["br", "gzip"], gzip(TOKEN_BR)),
        (&["zstd", "deflate", "gzip"], gzip(&raw_deflate(TOKEN_ZSTD))),
        // Several members or frames are one body.
        (&["gzip"], [gzip(halves.0), gzip(halves.1)].concat().into()),
        (&["zstd"], [b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc", TOKEN_ZSTD].concat().into()),
    ] {
        let token = obtain(encoded(200, codings, body)).await.unwrap_or_else(|error| panic!("{codings:?}: {error}"));
        assert_eq!((token.access_token(), token.scope()), ("a", Some("read read read read")), "{codings:?}");
    }
}

#[tokio::test]
async fn an_error_is_decoded_from_any_coding() {
    for (coding, body) in [
        ("gzip", gzip(INVALID_GRANT)),
        ("deflate", zlib(INVALID_GRANT)),
        ("deflate", raw_deflate(INVALID_GRANT)),
        ("br", INVALID_GRANT_BR.into()),
        ("zstd", INVALID_GRANT_ZSTD.into()),
    ] {
        let error = obtain(encoded(400, &[coding], body)).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::InvalidGrant, Some(StatusCode::BAD_REQUEST)));
        let oauth = error.oauth().unwrap();
        assert_eq!(oauth.error(), "invalid_grant", "{coding}");
        assert_eq!(oauth.description(), Some("expired expired expired expired"));
    }
    // The error ends the login.
    let grant = RefreshToken::new(TOKEN_URL, Client::public("id"), "r").unwrap();
    let error = grant.obtain(Context::new(server(encoded(400, &["gzip"], gzip(INVALID_GRANT))))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
}

#[tokio::test(start_paused = true)]
async fn responses_of_every_endpoint_are_decoded() {
    let service = service_fn(async |request: Request<Body>| {
        let body: &[u8] = match request.uri().path() {
            "/device" => {
                br#"{"device_code":"d","user_code":"u","verification_uri":"https://example.com/","expires_in":60}"#
            }
            "/revoke" => return Ok(encoded(400, &["gzip"], gzip(br#"{"error":"invalid_request"}"#))),
            _ => TOKEN,
        };
        Ok::<_, BoxError>(encoded(200, &["gzip"], gzip(body)))
    });
    let http = Transport::new(service);
    let client = || Client::public("id");
    let device = DeviceCode::new("https://auth.example.com/device", TOKEN_URL, client(), |_| {}).unwrap();
    assert_eq!(device.obtain(Context::new(http.clone())).await.unwrap().access_token(), "a");
    let revocation = RevocationEndpoint::new("https://auth.example.com/revoke", client()).unwrap();
    let error = revocation.revoke(&http, &Token::bearer("a").unwrap()).await.unwrap_err();
    assert_eq!(error.oauth().unwrap().error(), "invalid_request");
}

#[tokio::test]
async fn a_truncated_body_is_an_error() {
    // A form, because a truncated form would be parsed as a shorter token.
    let form: &[u8] = b"access_token=0123456789abcdef&token_type=bearer";
    for (coding, body) in [
        ("gzip", gzip(form)),
        ("deflate", zlib(form)),
        ("deflate", raw_deflate(form)),
        ("br", TOKEN_BR.into()),
        ("zstd", TOKEN_ZSTD.into()),
    ] {
        for end in 1..body.len() {
            let Err(error) = obtain(encoded(200, &[coding], body.slice(..end))).await else {
                // Only the checksum at the end is missing.
                assert!(end + 4 >= body.len(), "{coding}: {end} of {} bytes are a token", body.len());
                continue;
            };
            assert_eq!(error.kind(), ErrorKind::Malformed, "{coding}: {error}");
        }
    }
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let error = obtain(encoded(200, &[coding], TOKEN)).await.unwrap_err();
        assert!(error.to_string().contains(&format!("`{coding}`")), "{error}");
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }
}

#[tokio::test]
async fn an_empty_body_is_valid_in_any_coding() {
    for (status, kind) in [(200, ErrorKind::Malformed), (401, ErrorKind::ClientRejected), (302, ErrorKind::Redirected)]
    {
        let error = obtain(encoded(status, &["gzip"], "")).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(!error.to_string().contains("gzip"), "{error}");
    }
}

#[tokio::test]
async fn the_error_names_an_unknown_coding() {
    let error = obtain(encoded(200, &["gzip, aes128gcm"], TOKEN)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("`aes128gcm`"), "{error}");
    let error = obtain(encoded(200, &["gzip, gzip, gzip, gzip, gzip"], gzip(TOKEN))).await.unwrap_err();
    assert!(error.to_string().contains("too many content codings"), "{error}");
    // A value that is not a name, or that repeats a secret, is not printed.
    for written in ["a\u{e9}\u{1b}[31m", &"x".repeat(33), "hunter2-secret", "x hunter2-secret"] {
        let grant = ClientCredentials::new(TOKEN_URL, Client::basic("id", "hunter2-secret")).unwrap();
        let mut response = encoded(200, &[], TOKEN);
        let Ok(value) = http::HeaderValue::from_bytes(written.as_bytes()) else { continue };
        response.headers_mut().insert(CONTENT_ENCODING, value);
        let error = grant.obtain(Context::new(server(response))).await.unwrap_err();
        assert!(error.to_string().contains("an unknown content coding"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

/// The status is enough, because the body of a gateway's page is ignored.
#[tokio::test]
async fn an_overloaded_server_is_recognized_without_decoding_the_body() {
    for (coding, body) in [("gzip", Bytes::from_static(b"garbage")), ("aes128gcm", Bytes::from_static(b"garbage"))] {
        for (status, kind) in [
            (503, ErrorKind::Overloaded),
            (429, ErrorKind::Overloaded),
            (408, ErrorKind::Overloaded),
            (302, ErrorKind::Redirected),
            (400, ErrorKind::Malformed),
            (200, ErrorKind::Malformed),
        ] {
            let error = obtain(encoded(status, &[coding], body.clone())).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{status}");
            assert_eq!(error.status().unwrap().as_u16(), status);
            assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        }
    }
}

#[tokio::test]
async fn the_limit_applies_to_the_encoded_and_the_decoded_size() {
    // The decoded body has the size of the limit, or one byte more.
    let long = [TOKEN, &[b' '; 400]].concat();
    for (coding, body, decoded) in [
        ("gzip", gzip(&long), long.len()),
        ("deflate", zlib(&long), long.len()),
        ("deflate", raw_deflate(&long), long.len()),
        ("br", TOKEN_BR.into(), TOKEN.len()),
        ("zstd", TOKEN_ZSTD.into(), TOKEN.len()),
    ] {
        limited(decoded, encoded(200, &[coding], body.clone())).get().await.unwrap();
        let error = limited(decoded - 1, encoded(200, &[coding], body)).get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(error.to_string().contains(&format!("decoded, is longer than {} bytes", decoded - 1)), "{error}");
    }
    // The encoded body is longer than the decoded one.
    let stored = GzEncoder::new(Vec::new(), Compression::none());
    let body: Bytes = { stored }.finish().unwrap().into();
    let error = limited(body.len() - 1, encoded(200, &["gzip"], body)).get().await.unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
}

/// Returns a gigabyte of zeros, in blocks of 128 KiB.
fn zstd_bomb() -> Bytes {
    let mut bomb = b"\x28\xb5\x2f\xfd\x00\x58".to_vec();
    for block in (0..8192).rev() {
        let header = (u32::from(block == 0)) | (1 << 1) | ((128 * 1024) << 3);
        bomb.extend_from_slice(&header.to_le_bytes()[..3]);
        bomb.push(0);
    }
    bomb.into()
}

#[tokio::test]
async fn a_decompression_bomb_is_an_error() {
    let zeros = vec![0; 16 * 1024 * 1024];
    // A mebibyte and a byte of zeros, from the reference encoder.
    let brotli: &[u8] = b"\x9b\x00\x00\x10\xf8\x27\x00\xe2\xb1\x40\x40\xf7\xfe\x01";
    for (codings, body) in [
        (&["gzip"][..], gzip(&zeros)),
        (&["gzip, gzip"], gzip(&gzip(&zeros))),
        (&["deflate"], zlib(&zeros)),
        (&["deflate"], raw_deflate(&zeros)),
        (&["br"], brotli.into()),
        (&["zstd"], zstd_bomb()),
    ] {
        let error = obtain(encoded(200, codings, body)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(error.to_string().contains("decoded, is longer than 1048576 bytes"), "{codings:?}: {error}");
    }
}

#[tokio::test]
async fn map_response_receives_the_decoded_body() {
    let grant = grant().map_response(|response| {
        assert_eq!(response.body(), TOKEN);
        assert!(!response.headers().contains_key(CONTENT_ENCODING), "it describes the encoded body");
        assert!(!response.headers().contains_key(CONTENT_LENGTH), "it describes the encoded body");
        assert_eq!(response.headers()[RETRY_AFTER], "7");
        response
    });
    grant.obtain(Context::new(server(encoded(200, &["gzip"], gzip(TOKEN))))).await.unwrap();
}

/// A custom grant that sends its own requests receives the response unchanged.
#[tokio::test]
async fn a_transport_does_not_decode() {
    let http = server(encoded(200, &["gzip"], gzip(TOKEN)));
    let response = http.send(Request::get("https://metadata.example/").body(Bytes::new()).unwrap()).await.unwrap();
    assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
    assert_eq!(response.body(), &gzip(TOKEN));
}
