//! The kinds of errors, and the sentence that an error of each kind starts with.

/// The kind of an [`Error`](crate::Error), which decides what to do next.
///
/// [Troubleshooting](crate::docs::troubleshooting#errors) has an entry for each kind, with its usual causes. A
/// [table](crate::docs::grants#kinds-of-errors) lists the kinds for grants of your own.
///
/// ```
/// use tower_oauth2::{Error, ErrorKind};
///
/// fn needs_person(error: &Error) -> bool {
///     use ErrorKind::{Denied, LoginExpired, LoginRequired};
///     matches!(error.kind(), LoginRequired | Denied | LoginExpired)
/// }
///
/// let error = Error::caused_by(ErrorKind::LoginRequired, "the refresh token is gone");
/// assert!(needs_person(&error));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is invalid: a malformed URL, an empty client id, a scope with forbidden characters. Change the code.
    Configuration,
    /// The token or a secret would be sent over `http://` to a host that is not loopback. Use `https://`.
    Cleartext,
    /// The request goes to an origin that the token is not bound to, and the layer denies such requests.
    OriginDenied,
    /// The handle has no service yet to send a token request through. Send a request through a service of the layer first, or set
    /// a `token_service`.
    NoTransport,
    /// A token request was sent through the layer that waits for it. Set a `token_service` without the layer.
    /// Or the function of a `TenantsLayer` uses that layer for the key that it was called for.
    Recursion,
    /// The token endpoint could not be reached: name resolution, connect, TLS, reset. The layer retries after the back-off.
    Transport,
    /// The token endpoint did not respond within the timeout. The layer retries after the back-off.
    Timeout,
    /// The authorization server is overloaded or unavailable (408, 429, 5xx, `temporarily_unavailable`).
    Overloaded,
    /// The authorization server rejected the client (`invalid_client`, `unauthorized_client`, or a 401 without an error to a client
    /// that authenticates).
    ClientRejected,
    /// The client's secret, assertion or signature could not be obtained: a missing file, an unusable key, a failed signature. The
    /// layer retries after the back-off.
    Proof,
    /// The authorization server rejected the request (`invalid_scope`, `invalid_request`, another OAuth error).
    RequestRejected,
    /// The response is an error without an OAuth `error`: the page of a proxy or a firewall, a 404, an empty 403. It does not reject
    /// the grant, so the refresh token is kept. The layer retries after the back-off.
    NotOAuth,
    /// The authorization server rejected the grant: code, password or refresh token (`invalid_grant`).
    InvalidGrant,
    /// A person has to log in: there is no refresh token, or the server rejects it, and the grant may not start a login without a
    /// call of [`Tokens::refresh`](crate::Tokens::refresh). Call it when the person can log in.
    LoginRequired,
    /// The person denied the login (`access_denied`), or has no login of the strength that an API demands
    /// (`unmet_authentication_requirements`). Only [`Tokens::refresh`](crate::Tokens::refresh) starts another one.
    Denied,
    /// The person did not complete the login in time. Only [`Tokens::refresh`](crate::Tokens::refresh) starts another one.
    LoginExpired,
    /// The loopback address for the redirect of the browser could not be opened.
    Loopback,
    /// The response of the token endpoint cannot be used: not JSON, no token, too large, an unknown token type.
    Malformed,
    /// The token endpoint sent a redirect. Redirects are never followed, because the request contains a secret.
    Redirected,
    /// The token store could not be used, or another process held its lock for too long. The layer retries after the back-off.
    Store,
    /// The grant or the inner service panicked.
    Panicked,
}

impl ErrorKind {
    /// Returns the start of the error's text: what happened, and what a person can do. It contains no names of the API.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Configuration => "invalid configuration",
            Self::Cleartext => "a credential must not be sent over cleartext http; use https",
            Self::OriginDenied => {
                "the token is not bound to the origin of this request; add the origin, or send the request without the layer"
            }
            Self::NoTransport => "no service is available yet to send a request to the authorization server",
            Self::Recursion => "the token request would wait for itself",
            Self::Transport => "the authorization server could not be reached",
            Self::Timeout => "no token was obtained in time",
            Self::Overloaded => "the authorization server is overloaded or unavailable",
            Self::ClientRejected => {
                "the authorization server rejected the client; check the client id, the secret and the authentication method"
            }
            Self::Proof => {
                "the client could not prove its identity: the secret, the assertion or the signature is missing"
            }
            Self::RequestRejected => {
                "the authorization server rejected the request; check the scope, the parameters and the permissions of the client"
            }
            Self::NotOAuth => {
                "the response is not an OAuth error; check the URL of the endpoint, and whether a proxy or a firewall responded"
            }
            Self::InvalidGrant => {
                "the authorization server rejected the grant: it is expired, revoked, or was issued to another client"
            }
            Self::LoginRequired => "a person has to log in",
            Self::Denied => "the login was denied",
            Self::LoginExpired => "the login was not completed in time",
            Self::Loopback => "the local address for the redirect of the browser could not be opened",
            Self::Malformed => "the response of the authorization server cannot be used",
            Self::Redirected => {
                "the authorization server sent a redirect, which is not followed; use the URL that it redirects to"
            }
            Self::Store => "the token store could not be used",
            Self::Panicked => "the grant panicked",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ErrorKind::{self, *};

    const ALL: [ErrorKind; 21] = [
        Configuration,
        Cleartext,
        OriginDenied,
        NoTransport,
        Recursion,
        Transport,
        Timeout,
        Overloaded,
        ClientRejected,
        Proof,
        RequestRejected,
        NotOAuth,
        InvalidGrant,
        LoginRequired,
        Denied,
        LoginExpired,
        Loopback,
        Malformed,
        Redirected,
        Store,
        Panicked,
    ];

    /// Returns the names of the variants, from the source of this file.
    fn variants() -> BTreeSet<&'static str> {
        let (_, body) = include_str!("kind.rs").split_once("pub enum ErrorKind {").unwrap();
        let (body, _) = body.split_once("\n}").unwrap();
        body.lines().filter_map(|line| line.trim().strip_suffix(',')).filter(|name| !name.starts_with('/')).collect()
    }

    /// Returns the headings of the second level that are names in code, and the text below each, with single blanks.
    fn entries(page: &str) -> Vec<(&str, String)> {
        let sections = page.split("\n## ").skip(1);
        let named = sections.filter_map(|section| section.strip_prefix('`')?.split_once('`'));
        named.map(|(name, text)| (name, text.split_whitespace().collect::<Vec<_>>().join(" "))).collect()
    }

    #[test]
    fn each_kind_has_an_entry_in_troubleshooting_that_starts_with_its_message() {
        let page = entries(include_str!("../../docs/troubleshooting.md"));
        assert_eq!(page.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), variants());
        assert_eq!(page.len(), ALL.len(), "`ALL` is complete");
        for (name, text) in page {
            let kind = ALL.into_iter().find(|kind| format!("{kind:?}") == name).unwrap();
            assert!(text.starts_with(&format!("> {} *Means:*", kind.message())), "{name}: {text}");
            assert!(text.contains("*Do:*"), "{name}");
        }
    }
}
