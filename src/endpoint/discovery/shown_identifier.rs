//! Prints identifiers that a server has sent, such as an issuer.

use crate::endpoint::request_secrets::RequestSecrets;
use crate::into_url::WithoutQuery;
use crate::text::{printable, repeats_secret};

/// The maximum length of an identifier in an error, so that the reasons of the other addresses are shown too.
const MAX_IDENTIFIER_SHOWN: usize = 128;

/// Returns an identifier for an error: without its query, which may contain a key, and not if the rest repeats one of the secrets.
/// The whole text is compared, before it is truncated.
pub(super) fn shown_identifier(identifier: &str, secrets: &[&RequestSecrets]) -> String {
    let identifier = format!("{:?}", WithoutQuery(identifier));
    match secrets.iter().any(|secrets| repeats_secret(&identifier, &secrets.texts())) {
        true => "(one that cannot be printed)".to_owned(),
        false => printable(&identifier, MAX_IDENTIFIER_SHOWN),
    }
}
