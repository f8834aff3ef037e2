//! A client that was registered dynamically (RFC 7591), as it is kept with the token that was issued to it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::secret::Secret;

/// The authentication methods of a registered client (RFC 7591 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RegisteredMethod {
    #[serde(rename = "none")]
    Public,
    #[serde(rename = "client_secret_basic")]
    Basic,
    #[serde(rename = "client_secret_post")]
    Post,
}

/// A registered client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RegistrationRecord {
    pub(crate) client_id: String,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "expose", deserialize_with = "conceal", default)]
    pub(crate) client_secret: Option<Secret>,
    /// In Unix seconds; zero is never.
    #[serde(default)]
    pub(crate) client_secret_expires_at: u64,
    pub(crate) token_endpoint_auth_method: RegisteredMethod,
    /// The redirect URI that it was registered with.
    pub(crate) redirect_uri: String,
}

fn expose<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(serializer)
}

fn conceal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::token::{RequestRecord, Token, TokenRecord};

    #[test]
    fn a_client_survives_a_round_trip_and_its_secret_is_not_shown() {
        for stored in [
            json!({"client_id": "c", "client_secret": "hunter2", "client_secret_expires_at": 7,
                "token_endpoint_auth_method": "client_secret_post", "redirect_uri": "http://127.0.0.1:1/callback"}),
            json!({"client_id": "c", "client_secret_expires_at": 0, "token_endpoint_auth_method": "none",
                "redirect_uri": "http://127.0.0.1:1/callback"}),
        ] {
            let record: RegistrationRecord = serde_json::from_value(stored.clone()).unwrap();
            assert_eq!(serde_json::to_value(&record).unwrap(), stored);
            assert!(!format!("{record:?}").contains("hunter2"));
        }
    }

    proptest! {
        #[test]
        fn a_client_survives_with_its_stored_token(
            client_id in ".*",
            client_secret in prop::option::of(".*"),
            client_secret_expires_at in any::<u64>(),
            method in prop::sample::select(vec![RegisteredMethod::Public, RegisteredMethod::Basic, RegisteredMethod::Post]),
            redirect_uri in ".*",
            max_age in prop::option::of(any::<u64>()),
            login_at in prop::option::of(any::<u64>()),
        ) {
            let registration = RegistrationRecord {
                client_id,
                client_secret: client_secret.map(Secret::new),
                client_secret_expires_at,
                token_endpoint_auth_method: method,
                redirect_uri,
            };
            let request = RequestRecord { max_age, login_at, ..RequestRecord::default() };
            let record = TokenRecord { registration: Some(registration), request, ..TokenRecord::default() };
            let token = Token::bearer("a").unwrap().with_record(record.clone());
            let stored = serde_json::to_string(&token).unwrap();
            let read: Token = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(read.record(), &record);
        }
    }
}
