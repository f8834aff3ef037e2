//! What kinds of failure there are, and what each asks of the user.

/// What kind of failure an [`Error`](crate::Error) is: what to do next depends on it.
///
/// [Troubleshooting](crate::docs::troubleshooting#errors) has an entry for each, with its usual causes.
///
/// ```
/// use tower_oauth2::{Error, ErrorKind};
///
/// fn is_for_the_person(error: &Error) -> bool {
///     use ErrorKind::{Denied, LoginExpired, LoginNeeded};
///     matches!(error.kind(), LoginNeeded | Denied | LoginExpired)
/// }
///
/// let error = Error::caused_by(ErrorKind::LoginNeeded, "the refresh token is gone");
/// assert!(is_for_the_person(&error));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is wrong: a malformed URL, an empty client id, a scope with forbidden characters. Change the code.
    Configuration,
    /// The token or a secret would have gone over `http://` to a host that is not loopback. Use `https://`.
    Cleartext,
    /// The request goes to an origin that the token is not bound to, and the layer was told to refuse those.
    ForeignOrigin,
    /// This handle has nothing yet to send a token call through. Send a request through a service of the layer first,
    /// or give the layer a `token_service`.
    NoTransport,
    /// A token call went through the layer that was waiting for it. Give `token_service` a client without the layer.
    Recursion,
    /// The token endpoint could not be reached: name resolution, connect, TLS, reset. Tried again after the back-off.
    Transport,
    /// The token endpoint did not answer within the deadline. Tried again after the back-off.
    Timeout,
    /// The authorization server is overloaded or out of order (408, 429, 5xx, `temporarily_unavailable`).
    Overloaded,
    /// The authorization server does not accept the client (`invalid_client`, `unauthorized_client`, or a bare 401).
    ClientRejected,
    /// The authorization server does not accept the request (`invalid_scope`, `invalid_request`, another 4xx).
    RequestRejected,
    /// The authorization server does not accept the grant: code, password or refresh token (`invalid_grant`).
    InvalidGrant,
    /// A person has to log in: there is no refresh token, or a dead one, and the grant may not ask by itself. Call
    /// [`Tokens::refresh`](crate::Tokens::refresh) when the person is there.
    LoginNeeded,
    /// The person said no (`access_denied`). They are not asked again before [`Tokens::refresh`](crate::Tokens::refresh).
    Denied,
    /// The person let the time pass. They are not asked again before [`Tokens::refresh`](crate::Tokens::refresh).
    LoginExpired,
    /// The loopback address that a browser is sent back to could not be opened.
    Loopback,
    /// The answer of the token endpoint cannot be used: not JSON, no token in it, too large, an unknown token type.
    Malformed,
    /// The token endpoint answered with a redirect, which is never followed: a secret would follow it.
    Redirected,
    /// The token store could not be used, or another process was renewing the token for too long. Tried again after the
    /// back-off.
    Store,
    /// The grant, or the service under it, panicked.
    Panicked,
}

impl ErrorKind {
    /// The sentence that an error of this kind begins with: what happened, and what to do next.
    pub(super) fn says(self) -> &'static str {
        match self {
            Self::Configuration => "wrong argument",
            Self::Cleartext => "refused to send a credential over cleartext http; use https",
            Self::ForeignOrigin => "refused to send a request to an origin that the token is not bound to",
            Self::NoTransport => {
                "nothing to send a token call through yet; send a request through the layer's service first, or give the layer a `token_service`"
            }
            Self::Recursion => {
                "a token call went through the layer that waits for it; give `token_service` a client without this layer"
            }
            Self::Transport => "the authorization server could not be reached",
            Self::Timeout => "the authorization server did not answer in time",
            Self::Overloaded => "the authorization server is overloaded or out of order",
            Self::ClientRejected => {
                "the authorization server rejected the client; check its id, its secret and how it authenticates"
            }
            Self::RequestRejected => {
                "the authorization server rejected the token request; check scope, parameters and what the client is allowed"
            }
            Self::InvalidGrant => {
                "the authorization server rejected the grant: it is expired, revoked or not this client's"
            }
            Self::LoginNeeded => {
                "a person has to log in; ask them with `Tokens::refresh`, or bring a token with `Tokens::set`"
            }
            Self::Denied => "the person refused to log in; no request asks them again, but `Tokens::refresh` does",
            Self::LoginExpired => {
                "the person did not log in in time; no request asks them again, but `Tokens::refresh` does"
            }
            Self::Loopback => "the address for the browser to come back to could not be opened",
            Self::Malformed => "the answer of the authorization server cannot be used",
            Self::Redirected => {
                "the authorization server redirected, which is not followed; use the address it moved to"
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

    const ALL: [ErrorKind; 19] = [
        Configuration,
        Cleartext,
        ForeignOrigin,
        NoTransport,
        Recursion,
        Transport,
        Timeout,
        Overloaded,
        ClientRejected,
        RequestRejected,
        InvalidGrant,
        LoginNeeded,
        Denied,
        LoginExpired,
        Loopback,
        Malformed,
        Redirected,
        Store,
        Panicked,
    ];

    /// The variants, as they stand in this file.
    fn variants() -> BTreeSet<&'static str> {
        let (_, body) = include_str!("kind.rs").split_once("pub enum ErrorKind {").unwrap();
        let (body, _) = body.split_once("\n}").unwrap();
        body.lines().filter_map(|line| line.trim().strip_suffix(',')).filter(|name| !name.starts_with('/')).collect()
    }

    /// The headings of the second level that are names in code, and what stands below each, with single blanks.
    fn entries(page: &str) -> Vec<(&str, String)> {
        let sections = page.split("\n## ").skip(1);
        let named = sections.filter_map(|section| section.strip_prefix('`')?.split_once('`'));
        named.map(|(name, text)| (name, text.split_whitespace().collect::<Vec<_>>().join(" "))).collect()
    }

    #[test]
    fn each_kind_has_an_entry_in_troubleshooting_that_begins_with_what_it_says() {
        let page = entries(include_str!("../../docs/troubleshooting.md"));
        assert_eq!(page.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), variants());
        assert_eq!(page.len(), ALL.len(), "`ALL` has each");
        for (name, text) in page {
            let kind = ALL.into_iter().find(|kind| format!("{kind:?}") == name).unwrap();
            assert!(text.starts_with(&format!("> {} *Means:*", kind.says())), "{name}: {text}");
            assert!(text.contains("*Do:*"), "{name}");
        }
    }
}
