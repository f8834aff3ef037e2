//! A client that was registered dynamically (RFC 7591), as it is kept with the token that was issued to it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Now;
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

impl RegistrationRecord {
    /// Returns whether the client's secret is still valid.
    pub(crate) fn is_valid(&self, now: Now) -> bool {
        self.client_secret_expires_at == 0 || now.unix_millis() / 1000 < self.client_secret_expires_at
    }
}

impl RegisteredMethod {
    /// All methods, in the order in which they are preferred: a program of a user cannot keep a secret.
    pub(crate) const ALL: [Self; 3] = [Self::Public, Self::Basic, Self::Post];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Public => "none",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

fn expose<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(serializer)
}

fn conceal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::clock;

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

    #[test]
    fn the_secret_expires_at_its_time_and_zero_is_never() {
        let now = clock::now();
        let seconds = now.unix_millis() / 1000;
        for (expires_at, after, is_valid) in
            [(0, 0, true), (seconds + 2, 0, true), (seconds + 2, 3, false), (1, 0, false), (u64::MAX, 9, true)]
        {
            let record = RegistrationRecord {
                client_id: "c".into(),
                client_secret: None,
                client_secret_expires_at: expires_at,
                token_endpoint_auth_method: RegisteredMethod::Public,
                redirect_uri: String::new(),
            };
            assert_eq!(record.is_valid(now.plus(Duration::from_secs(after))), is_valid, "{expires_at} {after}");
        }
    }
}
