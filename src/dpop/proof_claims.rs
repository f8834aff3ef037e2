//! Writes the claims of one proof (RFC 9449 §4.2).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};

use super::nonces::DpopNonce;
use super::proof::ProofRequest;
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::random;

/// Holds the claims, in the order of the RFC's examples.
#[derive(Serialize)]
pub(super) struct ProofClaims<'a, Id = ProofId> {
    jti: Id,
    htm: &'a str,
    htu: &'a str,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

impl<'a> ProofClaims<'a> {
    /// Creates the claims of a new proof. Its time lies `backdate` in the past.
    pub(super) fn new(
        request: &'a ProofRequest<'_>,
        nonce: Option<&'a DpopNonce>,
        backdate: Duration,
    ) -> Result<Self, Error> {
        Ok(Self {
            jti: ProofId::random()?,
            htm: request.method.as_str(),
            htu: request.htu.as_str(),
            iat: issued_at(clock::now().unix_millis(), backdate),
            ath: request.ath,
            nonce: nonce.map(DpopNonce::as_str),
        })
    }
}

/// The length of the claims for an address and a nonce of usual lengths.
const USUAL_LEN: usize = 512;

impl<Id: Serialize> ProofClaims<'_, Id> {
    /// Runs `f` with the claims as JSON. Usually they need no allocation.
    pub(super) fn with_json<R>(&self, f: impl FnOnce(&[u8]) -> Result<R, Error>) -> Result<R, Error> {
        let mut buffer = [0; USUAL_LEN];
        let mut rest = &mut buffer[..];
        if serde_json::to_writer(&mut rest, self).is_ok() {
            let unused = rest.len();
            return f(&buffer[..USUAL_LEN - unused]);
        }
        // They are too long for the buffer.
        f(&serde_json::to_vec(self).map_err(|why| Error::caused_by(ErrorKind::Proof, why))?)
    }
}

/// Identifies a proof, as `jti`: 16 random bytes.
pub(super) struct ProofId([u8; 16]);

impl ProofId {
    fn random() -> Result<Self, Error> {
        Ok(Self(*random::octets()?))
    }
}

impl Serialize for ProofId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; 22];
        // 16 bytes are 22 characters of base64, which are ASCII.
        let length = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(std::str::from_utf8(&text[..length]).map_err(serde::ser::Error::custom)?)
    }
}

/// Rounds down: servers reject a time in the future, even by milliseconds.
fn issued_at(unix_millis: u64, backdate: Duration) -> u64 {
    unix_millis.saturating_sub(backdate.as_millis().try_into().unwrap_or(u64::MAX)) / 1000
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
            URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token_request).unwrap()),
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
            URL_SAFE_NO_PAD.encode(serde_json::to_vec(&api_request).unwrap()),
            "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9"
        );
        let with_nonce = ProofClaims { nonce: Some("eyJ7S_zG.eyJH0-Z.HX4w-7v"), ..token_request };
        let json = serde_json::to_vec(&with_nonce).unwrap();
        assert!(json.ends_with(br#""iat":1562262616,"nonce":"eyJ7S_zG.eyJH0-Z.HX4w-7v"}"#));
    }

    #[test]
    fn claims_of_any_length_are_the_same_json() {
        for length in [0, 100, 400, 430, 440, 450, 460, 512, 5000] {
            let htu = format!("https://api.example.com/{}", "a".repeat(length));
            let claims = ProofClaims { jti: "j", htm: "GET", htu: &htu, iat: 1, ath: None, nonce: Some("n") };
            let expected = serde_json::to_vec(&claims).unwrap();
            assert_eq!(claims.with_json(|json| Ok(json.to_vec())).unwrap(), expected, "{length}");
        }
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
