//! Public JSON Web Keys: reads one, and computes its thumbprint (RFC 7517, RFC 7638).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Algorithm, Members};
use crate::error::Error;

/// Members of a private key (RFC 7518 §6.2.2, §6.3.2, §6.4).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The members of a public key that its thumbprint covers, in the order of their names (RFC 7638 §3.2).
#[derive(Clone, Debug)]
pub(crate) struct PublicJwk(Members);

impl PublicJwk {
    #[cfg(feature = "jwt")]
    pub(super) fn new(members: Members) -> Self {
        Self(members)
    }

    /// Reads a public JWK that verifies signatures of this algorithm. Other members, such as `kid` and `use`, are left out.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for a text that is no JWK, for a set of keys, a private key, and a
    /// key of another algorithm.
    pub(crate) fn parse(jwk: &str, algorithm: Algorithm) -> Result<Self, Error> {
        // The parser's error would repeat parts of the text.
        let jwk: Map<String, Value> = serde_json::from_str(jwk).map_err(|_| invalid("it is no JSON object"))?;
        if jwk.contains_key("keys") {
            return Err(invalid("this is a set of keys; pass one of its members"));
        }
        if PRIVATE.iter().any(|name| jwk.contains_key(*name)) {
            return Err(invalid("it holds the private key; pass the public part only"));
        }
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let names: &[&str] = match text("kty") {
            Some("EC") => &["crv", "kty", "x", "y"],
            Some("OKP") => &["crv", "kty", "x"],
            Some("RSA") => &["e", "kty", "n"],
            _ => return Err(invalid("its `kty` is not `EC`, `OKP` or `RSA`")),
        };
        if !fits(algorithm, text("kty"), text("crv")) {
            return Err(invalid(format!("a key with this `kty` and `crv` does not verify {algorithm}")));
        }
        let mut members = Members::default();
        for name in names {
            let value = text(name).unwrap_or_default();
            let is_number = !matches!(*name, "crv" | "kty");
            if is_number && (value.is_empty() || URL_SAFE_NO_PAD.decode(value).is_err()) {
                return Err(invalid(format!("its `{name}` is missing, or no base64url")));
            }
            members.set(*name, value);
        }
        Ok(Self(members))
    }

    /// Returns the SHA-256 thumbprint (RFC 7638): 43 characters.
    pub(crate) fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.to_json()))
    }

    /// Returns the key as the `jwk` of a header.
    pub(crate) fn to_value(&self) -> Value {
        self.0.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect::<Map<_, _>>().into()
    }
}

/// Returns whether keys of this type and curve sign by the algorithm (RFC 7518 §3.1, RFC 8037 §3.1, RFC 8812 §3.2, RFC 9864 §2.2).
fn fits(algorithm: Algorithm, kty: Option<&str>, crv: Option<&str>) -> bool {
    match algorithm {
        Algorithm::Es256 => (kty, crv) == (Some("EC"), Some("P-256")),
        Algorithm::Es384 => (kty, crv) == (Some("EC"), Some("P-384")),
        Algorithm::Es512 => (kty, crv) == (Some("EC"), Some("P-521")),
        Algorithm::Es256k => (kty, crv) == (Some("EC"), Some("secp256k1")),
        Algorithm::EdDsa => kty == Some("OKP") && matches!(crv, Some("Ed25519" | "Ed448")),
        Algorithm::Ed25519 => (kty, crv) == (Some("OKP"), Some("Ed25519")),
        Algorithm::Rs256
        | Algorithm::Rs384
        | Algorithm::Rs512
        | Algorithm::Ps256
        | Algorithm::Ps384
        | Algorithm::Ps512 => kty == Some("RSA"),
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => false,
    }
}

fn invalid(why: impl std::fmt::Display) -> Error {
    Error::argument("public_jwk", why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn thumbprints_are_those_of_the_rfcs() {
        for (jwk, algorithm, thumbprint) in [
            (
                // RFC 7638 §3.1.
                r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#,
                Algorithm::Rs256,
                "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            ),
            (
                // RFC 8037 A.3.
                r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
                Algorithm::EdDsa,
                "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            ),
            (
                // RFC 9449 §4.1, §6.1.
                r#"{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}"#,
                Algorithm::Es256,
                "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
            ),
        ] {
            assert_eq!(PublicJwk::parse(jwk, algorithm).unwrap().thumbprint(), thumbprint);
        }
    }

    #[test]
    fn keys_that_prove_nothing_are_rejected() {
        let p256 = r#""kty":"EC","crv":"P-256","x":"AA","y":"AA""#;
        for (jwk, algorithm, named) in [
            ("", Algorithm::Es256, "JSON"),
            ("[]", Algorithm::Es256, "JSON"),
            (r#"{"keys":[]}"#, Algorithm::Es256, "set of keys"),
            ("{}", Algorithm::Es256, "`kty`"),
            (r#"{"kty":"oct"}"#, Algorithm::Hs256, "`kty`"),
            (r#"{"kty":"oct","k":"AA"}"#, Algorithm::Hs256, "private"),
            (&format!(r#"{{{p256},"d":"AA"}}"#), Algorithm::Es256, "private"),
            (&format!("{{{p256}}}"), Algorithm::Es384, "ES384"),
            (&format!("{{{p256}}}"), Algorithm::Hs256, "HS256"),
            (&format!("{{{p256}}}"), Algorithm::Rs256, "RS256"),
            (r#"{"kty":"EC","crv":"P-256","x":"AA"}"#, Algorithm::Es256, "`y`"),
            (r#"{"kty":"EC","crv":"P-256","x":"A=","y":"AA"}"#, Algorithm::Es256, "`x`"),
            (r#"{"kty":"EC","crv":"P-256","x":"","y":"AA"}"#, Algorithm::Es256, "`x`"),
            (r#"{"kty":"RSA","e":"AQAB","n":7}"#, Algorithm::Ps256, "`n`"),
            (r#"{"kty":"OKP","crv":"X25519","x":"AA"}"#, Algorithm::EdDsa, "EdDSA"),
        ] {
            let error = PublicJwk::parse(jwk, algorithm).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{jwk}");
            assert!(error.to_string().contains(named), "{jwk}: {error}");
        }
        let curves = [(Algorithm::Es512, "P-521"), (Algorithm::Es256k, "secp256k1"), (Algorithm::Es384, "P-384")];
        for (algorithm, curve) in curves {
            PublicJwk::parse(&format!(r#"{{"kty":"EC","crv":"{curve}","x":"AA","y":"AA"}}"#), algorithm).unwrap();
        }
    }
}
