//! `Authorization: Basic`, in the two ways that servers read it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

/// Id and secret form-encoded (RFC 6749 §2.3.1, Appendix B), then base64.
pub(super) fn encoded(id: &str, secret: &str) -> HeaderValue {
    let mut pair = Zeroizing::new(String::new());
    pair.extend(byte_serialize(id.as_bytes()));
    pair.push(':');
    pair.extend(byte_serialize(secret.as_bytes()));
    header(&pair)
}

/// Id and secret as they are (RFC 7617).
pub(super) fn raw(id: &str, secret: &str) -> HeaderValue {
    header(&Zeroizing::new(format!("{id}:{secret}")))
}

fn header(pair: &str) -> HeaderValue {
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair)));
    // Base64 is always a header value; an empty one would be refused by the server, not by a panic here.
    let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The vector of openid/AppAuth-Android#337.
    #[test]
    fn the_vector_of_appauth() {
        let header = encoded("1PpG/Q 1", "z/tZ9VwFZqApmIQ+ZH1I5pLk/uB4ud:X2/8bL+wfFTt1rFw=");
        assert!(header.is_sensitive());
        assert_eq!(
            header,
            "Basic MVBwRyUyRlErMTp6JTJGdFo5VndGWnFBcG1JUSUyQlpIMUk1cExrJTJGdUI0dWQlM0FYMiUyRjhiTCUyQndmRlR0MXJGdyUzRA=="
        );
    }

    #[test]
    fn raw_is_rfc_7617() {
        assert_eq!(raw("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    proptest! {
        /// A server that decodes gets what was configured, whatever characters it holds.
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
