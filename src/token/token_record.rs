//! What a token was requested with. It is stored with the token, so that other processes and later starts see it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::registration_record::RegistrationRecord;
use super::request_record::RequestRecord;

/// The member of a stored token that holds the record. It is no member of RFC 6749 §5.1, so no server sends it.
pub(super) const RECORD: &str = "tower_oauth2";

/// What a token was requested with. A token that the application made has an empty record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TokenRecord {
    /// The thumbprint of the DPoP key that the token request was proven with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dpop_jkt: Option<String>,
    /// The issuer identifier of the authorization server, if it was found by a resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<String>,
    /// The address of the resource's metadata, if a challenge has named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resource_metadata: Option<String>,
    /// The client that it was issued to, if it was registered dynamically.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) registration: Option<RegistrationRecord>,
    #[serde(flatten)]
    pub(crate) request: RequestRecord,
}

impl TokenRecord {
    /// Takes the record out of the members of a stored token. One that cannot be read counts as none.
    pub(super) fn take(members: &mut Map<String, Value>) -> Self {
        members.remove(RECORD).and_then(|record| serde_json::from_value(record).ok()).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
