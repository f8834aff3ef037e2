//! Reads the time of a login from an ID token (OpenID Connect Core §2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// Returns when the person logged in, in Unix seconds, if the ID token says so.
///
/// The signature is not verified, because the ID token is from the token endpoint (§3.1.3.7), and the time only decides when the person is asked
/// again.
pub(super) fn auth_time(id_token: &str) -> Option<u64> {
    let claims = URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1)?).ok()?;
    let claims: Map<String, Value> = serde_json::from_slice(&claims).ok()?;
    claims.get("auth_time")?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_read_and_anything_else_is_none() {
        let id_token = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(auth_time(&id_token(r#"{"sub": "alice", "auth_time": 1702682181}"#)), Some(1702682181));
        for other in
            [r#"{"auth_time": "1702682181"}"#, r#"{"auth_time": -1}"#, r#"{"auth_time": null}"#, "{}", "[]", "{"]
        {
            assert_eq!(auth_time(&id_token(other)), None, "{other}");
        }
        for other in ["", ".", "..", "e30", "e30.%%.x", "not a token"] {
            assert_eq!(auth_time(other), None, "{other}");
        }
    }
}
