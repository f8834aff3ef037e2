//! The client, and the methods by which it authenticates.

use std::fmt;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::assertion::Assertion;
use super::basic;
use crate::error::Error;
use crate::form::Form;
use crate::secret::{CharacterSet, Secret};
use crate::source::{BoxSource, Source as _, SourceContext, fetch_within_timeout};

/// A client id, with the method by which the client authenticates at the token endpoint ([RFC 6749 §2.3]).
///
/// ```
/// use tower_oauth2::client::Client;
///
/// let client = Client::basic("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw");
/// assert_eq!(format!("{client:?}"), r#"Client { id: "s6BhdRkqt3", method: Basic }"#);
/// ```
///
/// The constructor that takes the client, such as [`TokenEndpoint::new`](crate::endpoint::TokenEndpoint::new), returns an error for an
/// empty id, and for an id or a secret with characters that [RFC 6749 Appendix A] excludes, such as a line break at the end of a file.
///
/// [RFC 6749 Appendix A]: https://www.rfc-editor.org/rfc/rfc6749#appendix-A
/// [RFC 6749 §2.3]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3
#[derive(Clone)]
pub struct Client {
    pub(super) id: String,
    pub(super) method: AuthMethod,
}

#[derive(Clone)]
pub(super) enum AuthMethod {
    Basic(Secret),
    BasicFrom(BoxSource),
    BasicRaw(Secret),
    Post(Secret),
    PostFrom(BoxSource),
    Assertion(Assertion),
    Tls,
    Public,
    None,
}

/// A form that contains the authentication of the client.
pub(crate) struct Authenticated {
    pub(crate) form: Form,
    /// The secret that was obtained for this request, which no error may repeat.
    pub(crate) secret: Option<Secret>,
}

impl Client {
    /// Creates a confidential client that sends `Authorization: Basic`, with id and secret form-encoded ([RFC 6749 §2.3.1]).
    ///
    /// Some servers do not decode them. If the id or the secret contains characters other than letters, digits and `-._*`, use
    /// [`Client::basic_raw`] for those servers.
    ///
    /// An empty secret is an error of the constructor that takes the client, because its usual cause is an environment variable that is not
    /// set. For a client without a secret, use [`Client::public`].
    ///
    /// [RFC 6749 §2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
    pub fn basic(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { id: id.into(), method: AuthMethod::Basic(Secret::new(secret)) }
    }

    /// Creates a confidential client that sends `Authorization: Basic`, with id and secret as they are ([RFC 7617]), for servers that do
    /// not decode them.
    ///
    /// An id with a colon is an error of the constructor that takes the client, because the server would split it there. An empty secret
    /// is sent, because some servers have such clients.
    ///
    /// [RFC 7617]: https://www.rfc-editor.org/rfc/rfc7617
    pub fn basic_raw(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { id: id.into(), method: AuthMethod::BasicRaw(Secret::new(secret)) }
    }

    /// Creates a confidential client that sends `client_id` and `client_secret` in the form. An empty secret is omitted.
    ///
    /// If a server supports both, prefer the header of [`Client::basic`] ([RFC 6749 §2.3.1]).
    ///
    /// [RFC 6749 §2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
    pub fn post(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { id: id.into(), method: AuthMethod::Post(Secret::new(secret)) }
    }

    /// Creates a public client, which has no secret ([RFC 6749 §2.1]). It sends `client_id` in the form.
    ///
    /// A program that is distributed to users is a public client, because its users can read a secret in it.
    ///
    /// [RFC 6749 §2.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.1
    pub fn public(id: impl Into<String>) -> Self {
        Self { id: id.into(), method: AuthMethod::Public }
    }

    /// Creates a client that sends neither an id nor a secret, for servers that identify the client in another way or not at all.
    pub fn none() -> Self {
        Self { id: String::new(), method: AuthMethod::None }
    }

    pub(super) fn new(id: impl Into<String>, method: AuthMethod) -> Self {
        Self { id: id.into(), method }
    }

    /// Validates the id, the secret, and everything else that can be checked without I/O. The error repeats neither the id nor the secret.
    /// `issuer` is the issuer of the authorization server, if it is known.
    pub(crate) fn check(&self, issuer: Option<&str>) -> Result<(), Error> {
        self.check_texts()?;
        match &self.method {
            AuthMethod::Assertion(assertion) => assertion.check(issuer),
            AuthMethod::BasicFrom(source) | AuthMethod::PostFrom(source) => source.check(issuer),
            _ => Ok(()),
        }
    }

    pub(crate) fn check_texts(&self) -> Result<(), Error> {
        match self.method {
            AuthMethod::None => Ok(()),
            _ if self.id.is_empty() => Err(Error::argument("client", "the client id is empty")),
            AuthMethod::Basic(ref secret) if secret.expose().is_empty() => Err(Error::argument(
                "client",
                "the client secret is empty; for a client without a secret, use `Client::public`",
            )),
            AuthMethod::BasicRaw(_) if self.id.contains(':') => Err(Error::argument(
                "client",
                "`basic_raw` cannot send an id with a colon (RFC 7617 §2); use `basic` or `post`",
            )),
            _ => {
                let (id, secret) = (&self.id, self.secret().unwrap_or_default());
                for (name, text) in [("id", id.as_str()), ("secret", secret)] {
                    if let Some(violation) = CharacterSet::Visible.violation(text) {
                        return Err(Error::argument("client", format!("the client {name} {violation}")));
                    }
                }
                Ok(())
            }
        }
    }

    /// Returns the id, or `None` for [`Client::none`].
    pub(crate) fn id(&self) -> Option<&str> {
        (!self.id.is_empty()).then_some(&self.id)
    }

    /// Adds the authentication to a request, with exactly one method (RFC 6749 §2.3). With a fixed secret, the future is ready at once.
    pub(crate) async fn authenticate(
        &self,
        form: Form,
        headers: &mut HeaderMap,
        cx: SourceContext,
    ) -> Result<Authenticated, Error> {
        let id = &self.id;
        let (form, secret) = match &self.method {
            AuthMethod::Basic(secret) => {
                headers.insert(AUTHORIZATION, basic::encoded(id, secret.expose()));
                (form.without("client_secret"), None)
            }
            AuthMethod::BasicFrom(source) => {
                let secret = fetch_secret(source, cx).await?;
                headers.insert(AUTHORIZATION, basic::encoded(id, secret.expose()));
                (form.without("client_secret"), Some(secret))
            }
            AuthMethod::BasicRaw(secret) => {
                headers.insert(AUTHORIZATION, basic::raw(id, secret.expose()));
                (form.without("client_secret"), None)
            }
            AuthMethod::Post(secret) if !secret.expose().is_empty() => {
                (form.credential("client_id", id).credential("client_secret", secret.expose()), None)
            }
            AuthMethod::PostFrom(source) => {
                let secret = fetch_secret(source, cx).await?;
                (form.credential("client_id", id).credential("client_secret", secret.expose()), None)
            }
            AuthMethod::Assertion(assertion) => (assertion.authenticate(id, form, cx).await?, None),
            AuthMethod::Tls => (form.without("client_secret").credential("client_id", id), None),
            AuthMethod::Post(_) | AuthMethod::Public => (form.credential("client_id", id), None),
            AuthMethod::None => (form, None),
        };
        Ok(Authenticated { form, secret })
    }

    /// Returns whether the client has a credential: a secret, a key, an assertion or a certificate.
    pub(crate) fn is_confidential(&self) -> bool {
        match &self.method {
            AuthMethod::Basic(secret) | AuthMethod::BasicRaw(secret) | AuthMethod::Post(secret) => {
                !secret.expose().is_empty()
            }
            AuthMethod::BasicFrom(_) | AuthMethod::PostFrom(_) | AuthMethod::Assertion(_) | AuthMethod::Tls => true,
            AuthMethod::Public | AuthMethod::None => false,
        }
    }

    /// Returns whether the client shares a secret with its authorization server.
    pub(crate) fn has_shared_secret(&self) -> bool {
        match &self.method {
            AuthMethod::Assertion(assertion) => assertion.secret().is_some(),
            AuthMethod::Post(secret) => !secret.expose().is_empty(),
            AuthMethod::Basic(_) | AuthMethod::BasicRaw(_) | AuthMethod::BasicFrom(_) | AuthMethod::PostFrom(_) => true,
            AuthMethod::Tls | AuthMethod::Public | AuthMethod::None => false,
        }
    }

    /// Returns the name of the authentication method in the metadata of servers (RFC 8414 §2), if there is one.
    #[cfg(feature = "loopback")]
    pub(crate) fn method_name(&self) -> Option<&'static str> {
        match &self.method {
            AuthMethod::Basic(_) | AuthMethod::BasicRaw(_) | AuthMethod::BasicFrom(_) => Some("client_secret_basic"),
            AuthMethod::Post(_) | AuthMethod::PostFrom(_) => Some("client_secret_post"),
            AuthMethod::Assertion(assertion) => assertion.method_name(),
            AuthMethod::Public => Some("none"),
            AuthMethod::Tls | AuthMethod::None => None,
        }
    }

    /// Returns whether the client authenticates with a TLS certificate.
    pub(crate) fn has_certificate(&self) -> bool {
        matches!(self.method, AuthMethod::Tls)
    }

    /// Returns whether the client authenticates. [`Client::none`] counts, because it may authenticate in another way, such as with a
    /// certificate.
    pub(crate) fn authenticates(&self) -> bool {
        match &self.method {
            AuthMethod::BasicRaw(_) | AuthMethod::None => true,
            _ => self.is_confidential(),
        }
    }

    /// Returns the secret, which no error may repeat.
    pub(crate) fn secret(&self) -> Option<&str> {
        match &self.method {
            AuthMethod::Basic(secret) | AuthMethod::BasicRaw(secret) | AuthMethod::Post(secret) => {
                Some(secret.expose())
            }
            AuthMethod::Assertion(assertion) => assertion.secret(),
            _ => None,
        }
    }
}

/// Obtains the client secret from the source, and validates its characters (RFC 6749 Appendix A).
async fn fetch_secret(source: &BoxSource, cx: SourceContext) -> Result<Secret, Error> {
    fetch_within_timeout(source, "the client secret", CharacterSet::Visible, cx).await
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = match &self.method {
            AuthMethod::Assertion(assertion) => assertion.name(),
            AuthMethod::BasicFrom(_) => "BasicFrom",
            AuthMethod::PostFrom(_) => "PostFrom",
            AuthMethod::Tls => "Tls",
            AuthMethod::Basic(_) => "Basic",
            AuthMethod::BasicRaw(_) => "BasicRaw",
            AuthMethod::Post(_) => "Post",
            AuthMethod::Public => "Public",
            AuthMethod::None => "None",
        };
        f.debug_struct("Client").field("id", &self.id).field("method", &format_args!("{method}")).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use futures_util::FutureExt as _;

    use super::*;
    use crate::transport::Transport;

    fn sent(client: &Client) -> (bool, String) {
        let mut headers = HeaderMap::new();
        let http =
            tower::service_fn(async |_: http::Request<Bytes>| Ok::<_, Infallible>(http::Response::new(String::new())));
        let cx = SourceContext::new(Transport::new(http));
        let authenticated = client.authenticate(Form::new("g"), &mut headers, cx).now_or_never();
        let body = authenticated.expect("a fixed secret does not yield").unwrap().form.encode();
        (headers.contains_key(AUTHORIZATION), String::from_utf8_lossy(&body).into_owned())
    }

    #[test]
    fn each_method_sends_one_kind_of_credential() {
        for (client, header, body) in [
            (Client::basic("i", "s"), true, "grant_type=g"),
            (Client::basic_raw("i", "s"), true, "grant_type=g"),
            (Client::post("i", "s"), false, "grant_type=g&client_id=i&client_secret=s"),
            (Client::post("i", ""), false, "grant_type=g&client_id=i"),
            (Client::public("i"), false, "grant_type=g&client_id=i"),
            (Client::tls("i"), false, "grant_type=g&client_id=i"),
            (Client::none(), false, "grant_type=g"),
        ] {
            assert_eq!(sent(&client), (header, body.to_owned()), "{client:?}");
        }
    }

    #[test]
    fn an_id_or_a_secret_that_cannot_be_sent_is_an_error() {
        for (client, accepted) in [
            (Client::basic("", "s"), false),
            (Client::post("", "s"), false),
            (Client::public(""), false),
            (Client::basic_raw("a:b", "s"), false),
            (Client::basic("a:b", "s"), true),
            (Client::basic("a", ""), false),
            (Client::basic_raw("a", ""), true),
            (Client::post("a", ""), true),
            (Client::public("a\n"), false),
            (Client::post("a", "s\n"), false),
            (Client::basic("a", "sé"), false),
            (Client::basic_raw("a b", "s s"), true),
            (Client::none(), true),
        ] {
            assert_eq!(client.check(None).is_ok(), accepted, "{client:?}");
        }
    }
}
