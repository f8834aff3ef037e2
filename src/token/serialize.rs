//! The JSON of a stored token: the members of RFC 6749 §5.1 and `expires_at`.

use std::time::SystemTime;

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::bearer_token::Token;
use super::parse;
use super::stored_as::StoredAs;
use super::token_record::RECORD;
use crate::clock;

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("access_token", self.access_token())?;
        map.serialize_entry("token_type", self.token_type())?;
        if let Some(at) = self.expires_at() {
            // Rounded down to seconds, so that a stored token does not expire late.
            let seconds = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
            map.serialize_entry("expires_at", &seconds)?;
            // The refresh-ahead window depends on the whole lifetime, of which `expires_at` gives only the rest.
            if let Some(lifetime) = self.lifetime() {
                map.serialize_entry("expires_in", &lifetime.as_secs())?;
            }
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
        if !self.record().is_empty() {
            map.serialize_entry(RECORD, self.record())?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not parsed as a `Map`, because its error would repeat a value of another type.
        let Value::Object(members) = Value::deserialize(deserializer)? else {
            return Err(D::Error::custom("a stored token is an object"));
        };
        parse::from_store(members, clock::now()).map_err(|error| D::Error::custom(error.context()))
    }
}

impl Token {
    /// Returns the version in a store, or `None` for a token that is neither from a store nor from a grant with a store.
    pub(crate) fn stored_as(&self) -> Option<StoredAs> {
        self.0.stored_as
    }

    pub(crate) fn with_stored_as(mut self, stored_as: StoredAs) -> Self {
        self.inner().stored_as = Some(stored_as);
        self
    }

    /// Returns whether both tokens have a version, and this version is greater.
    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        self.stored_as().zip(other.stored_as()).is_some_and(|(one, other)| one.version > other.version)
    }

    /// Returns whether both are the same token. One may have been stored, which rounds the expiry down to seconds.
    pub(crate) fn is_same_stored(&self, other: &Self) -> bool {
        let (a, b) = (&*self.0, &*other.0);
        self.is_same(other)
            && a.token_type == b.token_type
            && self.expires_at().map(seconds) == other.expires_at().map(seconds)
            && a.scope == b.scope
            && a.extra == b.extra
    }
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::token::TokenRecord;

    #[test]
    fn a_token_is_equal_after_a_round_trip() {
        let written: Token = serde_json::from_value(json!({
            "access_token": "a", "token_type": "bearer", "expires_at": 4102444800_u64, "refresh_token": "r",
            "scope": "read", "id_token": "i", "nothing": null
        }))
        .unwrap();
        let read: Token = serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
        assert_eq!(read, written);
        assert_eq!(read.expires_at(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(4102444800)));
        assert_eq!(read.lifetime(), None);
    }

    #[test]
    fn the_type_and_the_record_survive_a_round_trip_and_are_not_shown() {
        let record = TokenRecord { dpop_jkt: Some("0ZcO".into()), ..TokenRecord::default() };
        let token = Token::dpop("a").unwrap().with_record(record.clone());
        let stored = serde_json::to_value(&token).unwrap();
        assert_eq!(stored, json!({"access_token": "a", "token_type": "DPoP", "tower_oauth2": {"dpop_jkt": "0ZcO"}}));
        let read: Token = serde_json::from_value(stored).unwrap();
        assert!(read.is_dpop() && read == token && read.is_same_stored(&token));
        assert_eq!((read.record(), read.extra("tower_oauth2")), (&record, None));
        assert!(!format!("{read:?}").contains("0ZcO"));
        assert_eq!(read.header("Bearer"), "DPoP a");
    }

    #[test]
    fn a_record_that_cannot_be_read_counts_as_none() {
        for record in [json!(null), json!("x"), json!([]), json!({"dpop_jkt": 7}), json!({"later": 1})] {
            let token: Token = serde_json::from_value(json!({"access_token": "a", "tower_oauth2": record})).unwrap();
            assert_eq!((token.record(), token.extra("tower_oauth2")), (&TokenRecord::default(), None));
        }
        let stored = serde_json::to_value(Token::bearer("a").unwrap()).unwrap();
        assert_eq!(stored, json!({"access_token": "a", "token_type": "Bearer"}));
    }

    #[test]
    fn the_whole_lifetime_is_stored_beside_the_expiry() {
        let written = Token::bearer("a").unwrap().with_expires_in(Duration::from_secs(60));
        let mut stored = serde_json::to_value(&written).unwrap();
        assert_eq!(stored["expires_in"], 60);
        stored["expires_at"] = 1000.into();
        let read: Token = serde_json::from_value(stored).unwrap();
        assert_eq!((read.lifetime(), read.is_expired(Duration::ZERO)), (Some(Duration::from_secs(60)), true));
    }

    #[test]
    fn an_expiry_in_the_past_is_kept() {
        let token: Token = serde_json::from_value(json!({"access_token": "a", "expires_at": 1000.75})).unwrap();
        assert!(token.is_expired(Duration::ZERO));
        assert_eq!(serde_json::to_value(&token).unwrap()["expires_at"], 1000);
    }

    #[test]
    fn the_error_of_an_unusable_token_names_the_member() {
        for (stored, named) in [
            (json!({"access_token": "a", "expires_at": "2026-01-01T00:00:00Z"}), "expires_at"),
            (json!({"access_token": "a", "token_type": "mac"}), "token_type"),
            (json!({"refresh_token": "r"}), "access_token"),
        ] {
            let error = serde_json::from_value::<Token>(stored).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    fn token() -> Token {
        Token::bearer("a").unwrap().with_refresh_token("r").with_expires_in(Duration::from_millis(3_600_500))
    }

    #[test]
    fn a_stored_token_is_the_same_and_other_tokens_are_not() {
        let token = token();
        let stored: Token = serde_json::from_str(&serde_json::to_string(&token).unwrap()).unwrap();
        assert!(token.is_same_stored(&stored) && stored.is_same_stored(&token));
        assert!(!token.is_same_stored(&token.clone().with_refresh_token("s")));
        assert!(!token.is_same_stored(&token.clone().with_expires_in(Duration::from_secs(60))));
        let mut others = serde_json::to_value(&token).unwrap();
        others["id_token"] = "i".into();
        assert!(!token.is_same_stored(&serde_json::from_value(others).unwrap()));
    }

    #[test]
    fn the_version_is_not_part_of_the_token() {
        let stored_as = |version| token().with_stored_as(StoredAs { version, login: 1, logouts_before: 0 });
        assert!(stored_as(2).is_newer_than(&stored_as(1)) && !stored_as(1).is_newer_than(&stored_as(1)));
        assert!(!token().is_newer_than(&stored_as(1)) && !stored_as(1).is_newer_than(&token()));
        assert!(stored_as(2).is_same_stored(&token()));
        let token = stored_as(7);
        let stored = serde_json::to_value(&token).unwrap();
        assert_eq!(serde_json::from_value::<Token>(stored).unwrap().stored_as(), None);
    }
}
