//! A token at rest: the JSON of RFC 6749 §5.1 plus `expires_at`.

use std::time::SystemTime;

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Token, members};
use crate::clock;

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("access_token", self.access_token())?;
        map.serialize_entry("token_type", self.token_type())?;
        if let Some(at) = self.expires_at() {
            // Whole seconds, cut off: a stored token expires a little early rather than late.
            let seconds = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
            map.serialize_entry("expires_at", &seconds)?;
        }
        if let Some(refresh_token) = self.refresh_token() {
            map.serialize_entry("refresh_token", refresh_token)?;
        }
        if let Some(scope) = self.scope() {
            map.serialize_entry("scope", scope)?;
        }
        for (name, value) in &self.0.extra {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not as a `Map`: the error of one repeats the text that it got instead.
        let Value::Object(members) = Value::deserialize(deserializer)? else {
            return Err(D::Error::custom("a stored token is an object"));
        };
        members::from_store(members, clock::now()).map_err(|error| D::Error::custom(error.context()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_stored_is_what_is_read() {
        let written: Token = serde_json::from_value(json!({
            "access_token": "a", "token_type": "bearer", "expires_at": 4102444800_u64, "refresh_token": "r",
            "scope": "read", "id_token": "i", "nothing": null
        }))
        .unwrap();
        let read: Token = serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
        assert_eq!(read, written);
        assert_eq!(read.expires_at(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(4102444800)));
    }

    #[test]
    fn an_expiry_in_the_past_is_kept() {
        let token: Token = serde_json::from_value(json!({"access_token": "a", "expires_at": 1000.75})).unwrap();
        assert!(token.is_expired(Duration::ZERO));
        assert_eq!(serde_json::to_value(&token).unwrap()["expires_at"], 1000);
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        for (stored, named) in [
            (json!({"access_token": "a", "expires_at": "2026-01-01T00:00:00Z"}), "expires_at"),
            (json!({"access_token": "a", "token_type": "mac"}), "token_type"),
            (json!({"refresh_token": "r"}), "access_token"),
        ] {
            let error = serde_json::from_value::<Token>(stored).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
