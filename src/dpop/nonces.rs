//! The nonces that servers demand in proofs (RFC 9449 §8, §9).

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use http::HeaderMap;

use super::htu::Htu;
use crate::sync::{AtomicBool, Mutex, Ordering, lock};

/// The maximum number of nonces. A client talks to few servers, and a server that is dropped costs one more attempt.
const MAX_NONCES: usize = 100;

/// The maximum length of a nonce in bytes.
const MAX_NONCE_LEN: usize = 1024;

const DPOP_NONCE: &str = "dpop-nonce";

/// Which server a request goes to. A nonce of one is not sent to the other, even if both have the same origin (RFC 9449 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerRole {
    AuthorizationServer,
    Api,
}

/// A nonce that a server gave. It is cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DpopNonce(Arc<str>);

impl DpopNonce {
    /// Reads the nonce of a response: `None` without one, with several, and for a value that is not `1*NQCHAR` or too long.
    pub(super) fn text(headers: &HeaderMap) -> Option<&str> {
        let mut all = headers.get_all(DPOP_NONCE).iter();
        let (Some(value), None) = (all.next(), all.next()) else { return None };
        let value = value.to_str().ok()?;
        // RFC 6749 Appendix A: NQCHAR is visible ASCII without the quote and the backslash.
        let is_valid = value.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
        (is_valid && !value.is_empty() && value.len() <= MAX_NONCE_LEN).then_some(value)
    }

    /// Reads the nonce of a response, as [`text`](Self::text) does.
    #[cfg(test)]
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        Self::text(headers).map(|text| Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DpopNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DpopNonce")
    }
}

/// The nonce that an API gave for one request, which is sent again. Clones are of the same request.
#[derive(Clone, Debug)]
pub(crate) struct ServerNonce {
    origin: String,
    nonce: DpopNonce,
    is_sent: Arc<AtomicBool>,
}

impl ServerNonce {
    pub(crate) fn new(address: &Htu, nonce: DpopNonce) -> Self {
        Self { origin: address.origin().to_owned(), nonce, is_sent: Arc::default() }
    }

    /// Returns the nonce for a request to `address`; `None` if it is of another origin, or was sent before.
    pub(crate) fn get(&self, address: &Htu) -> Option<&DpopNonce> {
        (self.origin == address.origin() && !self.is_sent.load(Ordering::Relaxed)).then_some(&self.nonce)
    }

    /// Records that the request was sent. If a layer in between sends it once more, for example after a 503, the last nonce of the API is
    /// the better one.
    pub(crate) fn mark_sent(&self) {
        self.is_sent.store(true, Ordering::Relaxed);
    }
}

/// Keeps the last nonce of each server.
#[derive(Default)]
pub(super) struct NonceStore(Mutex<VecDeque<StoredNonce>>);

struct StoredNonce {
    role: ServerRole,
    origin: String,
    nonce: DpopNonce,
}

impl NonceStore {
    /// Returns the nonce that the next proof for this server contains.
    pub(super) fn get(&self, role: ServerRole, origin: &str) -> Option<DpopNonce> {
        lock(&self.0).iter().rev().find(|stored| stored.belongs_to(role, origin)).map(|stored| stored.nonce.clone())
    }

    /// Replaces the nonce of this server, and returns it. The server whose nonce is the oldest is dropped if there are too many.
    pub(super) fn set(&self, role: ServerRole, origin: &str, nonce: &str) -> DpopNonce {
        let mut all = lock(&self.0);
        let stored = all.iter().rposition(|stored| stored.belongs_to(role, origin)).and_then(|at| all.remove(at));
        let stored = match stored {
            // Many servers give the same nonce for minutes.
            Some(stored) if stored.nonce.as_str() == nonce => stored,
            Some(stored) => StoredNonce { nonce: DpopNonce(nonce.into()), ..stored },
            None => StoredNonce { role, origin: origin.to_owned(), nonce: DpopNonce(nonce.into()) },
        };
        let nonce = stored.nonce.clone();
        if all.len() >= MAX_NONCES {
            all.pop_front();
        }
        all.push_back(stored);
        nonce
    }
}

impl StoredNonce {
    fn belongs_to(&self, role: ServerRole, origin: &str) -> bool {
        self.role == role && self.origin == origin
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let pair = |value: &&str| (HeaderName::from_static(DPOP_NONCE), HeaderValue::from_str(value).unwrap());
        values.iter().map(pair).collect()
    }

    fn nonce(text: &str) -> DpopNonce {
        DpopNonce(text.into())
    }

    #[test]
    fn only_one_valid_nonce_counts() {
        let max_len = "n".repeat(1024);
        for (values, expected) in [
            (&[][..], None),
            (&["eyJ7S_zG.eyJH0-Z.HX4w-7v"], Some("eyJ7S_zG.eyJH0-Z.HX4w-7v")),
            (&["!#[]~"], Some("!#[]~")),
            (&["a,b"], Some("a,b")),
            (&[""], None),
            (&["a b"], None),
            (&["a\tb"], None),
            (&["a\"b"], None),
            (&["a\\b"], None),
            (&["a", "b"], None),
            (&["a", "a"], None),
            (&[max_len.as_str()], Some(max_len.as_str())),
            (&[&format!("{max_len}n")], None),
        ] {
            assert_eq!(DpopNonce::text(&headers(values)), expected, "{values:?}");
        }
        let mut not_ascii = HeaderMap::new();
        not_ascii.insert(DPOP_NONCE, HeaderValue::from_bytes(b"n\xc3\xbc").unwrap());
        assert_eq!(DpopNonce::text(&not_ascii), None);
    }

    #[test]
    fn a_nonce_belongs_to_a_role_and_an_origin() {
        use ServerRole::{Api, AuthorizationServer};
        let nonces = NonceStore::default();
        nonces.set(AuthorizationServer, "https://a.example", "as");
        nonces.set(Api, "https://a.example", "api");
        nonces.set(Api, "https://a.example:8443", "other");
        for (role, origin, expected) in [
            (AuthorizationServer, "https://a.example", Some("as")),
            (Api, "https://a.example", Some("api")),
            (Api, "https://a.example:8443", Some("other")),
            (AuthorizationServer, "https://a.example:8443", None),
            (Api, "http://a.example", None),
        ] {
            assert_eq!(nonces.get(role, origin).as_ref().map(DpopNonce::as_str), expected, "{role:?} {origin}");
        }
    }

    #[test]
    fn the_server_with_the_oldest_nonce_is_dropped() {
        let nonces = NonceStore::default();
        let get = |origin: &str| nonces.get(ServerRole::Api, origin);
        for number in 0..100 {
            nonces.set(ServerRole::Api, &number.to_string(), "first");
        }
        // A newer nonce of a known server makes another server the oldest.
        nonces.set(ServerRole::Api, "0", "second");
        nonces.set(ServerRole::Api, "100", "first");
        assert_eq!(get("1"), None);
        assert_eq!(get("0"), Some(nonce("second")));
        assert!(get("2").is_some() && get("100").is_some());
    }

    proptest! {
        /// With fewer servers than the limit, the store is a map.
        #[test]
        fn each_server_has_its_last_nonce(writes in prop::collection::vec((0..4_u8, any::<bool>(), "[a-z]{1,4}"), 0..200)) {
            let (nonces, mut expected) = (NonceStore::default(), HashMap::new());
            for (origin, is_api, text) in writes {
                let role = if is_api { ServerRole::Api } else { ServerRole::AuthorizationServer };
                nonces.set(role, &origin.to_string(), &text);
                expected.insert((origin, is_api), text);
            }
            for ((origin, is_api), text) in expected {
                let role = if is_api { ServerRole::Api } else { ServerRole::AuthorizationServer };
                prop_assert_eq!(nonces.get(role, &origin.to_string()), Some(nonce(&text)));
            }
        }
    }
}
