//! Makes the proof for one request (RFC 9449 §4.2).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderValue, Method, Uri};
use serde::Serialize;

use super::htu::Htu;
use super::nonces::{DpopNonce, ServerRole};
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::random;

/// The request that a proof is made for.
#[derive(Clone, Debug)]
pub(crate) struct ProofRequest<'a> {
    pub(crate) role: ServerRole,
    pub(crate) method: &'a Method,
    /// The whole address, with scheme and authority.
    pub(crate) uri: &'a Uri,
    /// The hash of the access token that the request carries: see [`access_token_hash`](crate::token::access_token_hash).
    pub(crate) ath: Option<&'a str>,
    /// A nonce in place of the last one of this server, for a request that is sent again.
    pub(crate) nonce: Option<DpopNonce>,
}

/// The value of the header `DPoP`, and the nonce that it contains.
#[derive(Clone, Debug)]
pub(crate) struct DpopProof {
    pub(crate) value: HeaderValue,
    pub(crate) nonce: Option<DpopNonce>,
}

/// A proof, or the future of a signer that makes it.
pub(crate) enum Proving {
    /// The key is in memory.
    #[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "only keys in memory sign at once"))]
    Done(DpopProof),
    Signing(Pin<Box<dyn Future<Output = Result<DpopProof, Error>> + Send>>),
}

impl Proving {
    /// Waits for the proof, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Proof`] when the time has passed. The errors of the signer pass unchanged.
    pub(crate) async fn within(self, timeout: Duration) -> Result<DpopProof, Error> {
        match self {
            Self::Done(proof) => Ok(proof),
            Self::Signing(signing) => clock::within(timeout, signing).await.unwrap_or_else(|| {
                Err(Error::new(ErrorKind::Proof, format!("the signer made no DPoP proof within {timeout:?}")))
            }),
        }
    }
}

/// Holds the claims, in the order of the RFC's examples.
#[derive(Serialize)]
struct ProofClaims<'a> {
    jti: &'a str,
    htm: &'a str,
    htu: &'a str,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

/// Returns the claims of a proof with a fresh `jti`, as JSON.
pub(super) fn claims(
    request: &ProofRequest<'_>,
    htu: &Htu,
    nonce: Option<&DpopNonce>,
    backdate: Duration,
) -> Result<Vec<u8>, Error> {
    let mut jti = [0; 22];
    let jti = encode_jti(random::octets::<16>()?.as_slice(), &mut jti);
    let iat = issued_at(clock::now().unix_millis(), backdate);
    to_json(&ProofClaims {
        jti,
        htm: request.method.as_str(),
        htu: htu.as_str(),
        iat,
        ath: request.ath,
        nonce: nonce.map(DpopNonce::as_str),
    })
}

fn encode_jti<'a>(octets: &[u8], text: &'a mut [u8; 22]) -> &'a str {
    // 16 bytes are 22 characters of base64, which are ASCII.
    let length = URL_SAFE_NO_PAD.encode_slice(octets, text).unwrap_or_default();
    std::str::from_utf8(&text[..length]).unwrap_or_default()
}

fn to_json(claims: &ProofClaims<'_>) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(claims).map_err(|why| Error::caused_by(ErrorKind::Proof, why))
}

/// Rounds down: servers reject a time in the future, even by milliseconds.
fn issued_at(unix_millis: u64, backdate: Duration) -> u64 {
    unix_millis.saturating_sub(backdate.as_millis().try_into().unwrap_or(u64::MAX)) / 1000
}

/// Returns a signed token as the value of a header. It is sensitive: until it expires, it can be sent again.
pub(super) fn header_value(token: impl Into<Bytes>) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_maybe_shared(token.into())
        .map_err(|_| Error::new(ErrorKind::Proof, "the signer returned a token that a header cannot contain"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Proving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done(_) => "Done",
            Self::Signing(_) => "Signing",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9449 §4.2, §7.1 and §8: the JSON of the examples, without blanks.
    #[test]
    fn the_claims_have_the_bytes_of_the_rfc() {
        let token_request = ProofClaims {
            jti: "-BwC3ESc6acc2lTc",
            htm: "POST",
            htu: "https://server.example.com/token",
            iat: 1_562_262_616,
            ath: None,
            nonce: None,
        };
        assert_eq!(
            URL_SAFE_NO_PAD.encode(to_json(&token_request).unwrap()),
            "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ"
        );
        let api_request = ProofClaims {
            jti: "e1j3V_bKic8-LAEB",
            htm: "GET",
            htu: "https://resource.example.org/protectedresource",
            iat: 1_562_262_618,
            ath: Some("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"),
            nonce: None,
        };
        assert_eq!(
            URL_SAFE_NO_PAD.encode(to_json(&api_request).unwrap()),
            "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9"
        );
        let with_nonce = ProofClaims { nonce: Some("eyJ7S_zG.eyJH0-Z.HX4w-7v"), ..token_request };
        assert!(to_json(&with_nonce).unwrap().ends_with(br#""iat":1562262616,"nonce":"eyJ7S_zG.eyJH0-Z.HX4w-7v"}"#));
    }

    #[test]
    fn the_time_is_rounded_down() {
        for (unix_millis, backdate, iat) in [
            (1_562_262_616_999, Duration::ZERO, 1_562_262_616),
            (1_562_262_616_000, Duration::from_millis(1), 1_562_262_615),
            (1_562_262_616_000, Duration::from_secs(10), 1_562_262_606),
            (1_562_262_616_000, Duration::MAX, 0),
            (0, Duration::ZERO, 0),
        ] {
            assert_eq!(issued_at(unix_millis, backdate), iat, "{unix_millis} {backdate:?}");
        }
    }
}
