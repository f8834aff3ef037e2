//! Checks the id of a client with a metadata document (draft-ietf-oauth-client-id-metadata-document §3).

use crate::client::Client;
use crate::error::Error;
use crate::into_url;

/// Checks that the id of the client can be the URL of its metadata document, and that the client shares no secret with a server.
///
/// # Errors
///
/// If it is not.
pub(super) fn check(client: &Client) -> Result<(), Error> {
    let fails = |why: &str| Err(Error::argument("client_metadata", why));
    let id = client.id().unwrap_or_default();
    if into_url::identifier_url("client_metadata", id)?.scheme() != "https" {
        return fails("must begin with https://");
    }
    // The URL parser resolves dot segments, and the server compares the text.
    let before_query = id.split('?').next().unwrap_or_default();
    let (_, path) = before_query["https://".len()..].split_once('/').unwrap_or_default();
    if path.is_empty() {
        return fails("must have a path: it is the URL of a document, and not only an origin");
    }
    if path.split('/').any(|segment| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")) {
        return fails("must not have the segments `.` and `..`");
    }
    if client.has_shared_secret() {
        return fails(
            "the client must have no shared secret, because every authorization server would know it; use \
                      `Client::public` or `Client::private_key_jwt`",
        );
    }
    client.check_texts()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_url_of_a_document_can_be_the_id() {
        for (id, named) in [
            ("https://app.example.com/client.json", None),
            ("https://app.example.com/a/?v=1", None),
            ("HTTPS://app.example.com/client.json", None),
            ("https://app.example.com/..a", None),
            ("https://app.example.com", Some("path")),
            ("https://app.example.com/", Some("path")),
            ("https://app.example.com?x=/y", Some("path")),
            ("http://localhost/client.json", Some("https://")),
            ("https://app.example.com/a/../b", Some("segments")),
            ("https://app.example.com/./b", Some("segments")),
            ("https://app.example.com/%2E%2e/b", Some("segments")),
            ("https://app.example.com/a#b", Some("fragment")),
            ("https://me@app.example.com/a", Some("user name")),
            ("https://app.example.com/a b", Some("spaces")),
            ("my-app", Some("URL")),
            ("", Some("URL")),
        ] {
            let checked = check(&Client::public(id));
            match (named, checked) {
                (None, Ok(())) => {}
                (Some(named), Err(error)) => assert!(error.to_string().contains(named), "{id}: {error}"),
                (_, checked) => panic!("{id}: {checked:?}"),
            }
        }
    }

    #[test]
    fn a_shared_secret_is_an_error() {
        let id = "https://app.example.com/client.json";
        for client in [Client::basic(id, "hunter2"), Client::post(id, "hunter2"), Client::basic_raw("a", "hunter2")] {
            let text = check(&client).unwrap_err().to_string();
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
