//! `Authorization: Basic`, with and without form-encoding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

/// Returns the header with id and secret form-encoded (RFC 6749 §2.3.1, Appendix B).
pub(super) fn encoded(id: &str, secret: &str) -> HeaderValue {
    let mut pair = Zeroizing::new(String::new());
    pair.extend(byte_serialize(id.as_bytes()));
    pair.push(':');
    pair.extend(byte_serialize(secret.as_bytes()));
    header(&pair)
}

/// Returns the header with id and secret as they are (RFC 7617).
pub(super) fn raw(id: &str, secret: &str) -> HeaderValue {
    header(&Zeroizing::new(format!("{id}:{secret}")))
}

fn header(pair: &str) -> HeaderValue {
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair)));
    // Base64 is always a valid header value. If it were not, the server would reject an empty one, which is better than a panic.
    let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The test vector of openid/AppAuth-Android#337.
    #[test]
    fn the_test_vector_of_appauth() {
        let header = encoded("1PpG/Q 1", "z/tZ9VwFZqApmIQ+ZH1I5pLk/uB4ud:X2/8bL+wfFTt1rFw=");
        assert!(header.is_sensitive());
        assert_eq!(
            header,
            "Basic MVBwRyUyRlErMTp6JTJGdFo5VndGWnFBcG1JUSUyQlpIMUk1cExrJTJGdUI0dWQlM0FYMiUyRjhiTCUyQndmRlR0MXJGdyUzRA=="
        );
    }

    #[test]
    fn raw_credentials_are_those_of_rfc_7617() {
        assert_eq!(raw("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    proptest! {
        /// A server that decodes the header gets the configured id and secret, whatever their characters.
        #[test]
        fn decoding_gives_id_and_secret_back(id in ".+", secret in ".*") {
            let header = encoded(&id, &secret);
            let pair = STANDARD.decode(&header.as_bytes()["Basic ".len()..]).unwrap();
            let pair = String::from_utf8(pair).unwrap();
            let (one, two) = pair.split_once(':').unwrap();
            let decode = |text: &str| {
                url::form_urlencoded::parse(format!("k={text}").as_bytes()).next().unwrap().1.into_owned()
            };
            prop_assert_eq!((decode(one), decode(two)), (id, secret));
        }
    }
}
