//! The client: who asks for a token, and how it proves that (RFC 6749 §2.3).

mod basic;

use std::fmt;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::error::Error;
use crate::form::Form;
use crate::secret::Secret;

/// The client's id, and how it authenticates at the token endpoint ([RFC 6749 §2.3]).
///
/// ```
/// use tower_oauth2::client::Client;
///
/// let client = Client::basic("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw");
/// assert_eq!(format!("{client:?}"), r#"Client { id: "s6BhdRkqt3", method: Basic }"#);
/// ```
///
/// An empty id is refused by the builder that takes the client.
///
/// [RFC 6749 §2.3]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3
#[derive(Clone)]
pub struct Client {
    id: String,
    method: Method,
}

#[derive(Clone)]
enum Method {
    Basic(Secret),
    BasicRaw(Secret),
    Post(Secret),
    Public,
    None,
}

impl Client {
    /// A confidential client that sends `Authorization: Basic`, id and secret form-encoded as [RFC 6749 §2.3.1] asks.
    ///
    /// Where a server does not decode them, and id or secret holds more than letters, digits and `-._*`, see
    /// [`Client::basic_raw`].
    ///
    /// [RFC 6749 §2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
    pub fn basic(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { id: id.into(), method: Method::Basic(Secret::new(secret)) }
    }

    /// As [`Client::basic`], but id and secret as they are, for the many servers that do not decode them (RFC 7617).
    ///
    /// An id with a colon is refused by the builder: the server would cut it there.
    pub fn basic_raw(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { id: id.into(), method: Method::BasicRaw(Secret::new(secret)) }
    }

    /// A confidential client that sends `client_id` and `client_secret` in the form. An empty secret is left out.
    ///
    /// For servers that ask for it: where both are known the header is to be preferred ([RFC 6749 §2.3.1]).
    ///
    /// [RFC 6749 §2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
    pub fn post(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { id: id.into(), method: Method::Post(Secret::new(secret)) }
    }

    /// A client without a secret ([RFC 6749 §2.1]): `client_id` is sent in the form. A program in the hands of its users is
    /// one, for they can read what is in it.
    ///
    /// [RFC 6749 §2.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.1
    pub fn public(id: impl Into<String>) -> Self {
        Self { id: id.into(), method: Method::Public }
    }

    /// No client at all: nothing is sent. For servers that know the client otherwise, or do not ask.
    pub fn none() -> Self {
        Self { id: String::new(), method: Method::None }
    }

    /// Whether it can authenticate at all.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.method {
            Method::None => Ok(()),
            _ if self.id.is_empty() => Err(Error::argument("client", "the client id is empty")),
            Method::BasicRaw(_) if self.id.contains(':') => Err(Error::argument(
                "client",
                "`basic_raw` cannot send an id with a colon (RFC 7617 §2); use `basic` or `post`",
            )),
            _ => Ok(()),
        }
    }

    /// The id; `None` for [`Client::none`].
    pub(crate) fn id(&self) -> Option<&str> {
        (!self.id.is_empty()).then_some(&self.id)
    }

    /// Adds the authentication to a request: by one method, never two (RFC 6749 §2.3).
    pub(crate) fn authenticate(&self, form: Form, headers: &mut HeaderMap) -> Form {
        match &self.method {
            Method::Basic(secret) => {
                headers.insert(AUTHORIZATION, basic::encoded(&self.id, secret.expose()));
                form.without("client_secret")
            }
            Method::BasicRaw(secret) => {
                headers.insert(AUTHORIZATION, basic::raw(&self.id, secret.expose()));
                form.without("client_secret")
            }
            Method::Post(secret) if !secret.expose().is_empty() => {
                form.credential("client_id", &self.id).credential("client_secret", secret.expose())
            }
            Method::Post(_) | Method::Public => form.credential("client_id", &self.id),
            Method::None => form,
        }
    }

    /// What no error may repeat.
    pub(crate) fn secret(&self) -> Option<&str> {
        match &self.method {
            Method::Basic(secret) | Method::BasicRaw(secret) | Method::Post(secret) => Some(secret.expose()),
            Method::Public | Method::None => None,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = match self.method {
            Method::Basic(_) => "Basic",
            Method::BasicRaw(_) => "BasicRaw",
            Method::Post(_) => "Post",
            Method::Public => "Public",
            Method::None => "None",
        };
        f.debug_struct("Client").field("id", &self.id).field("method", &format_args!("{method}")).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(client: &Client) -> (bool, String) {
        let mut headers = HeaderMap::new();
        let form = client.authenticate(Form::new("g"), &mut headers);
        let body = form.encode();
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
            (Client::none(), false, "grant_type=g"),
        ] {
            assert_eq!(sent(&client), (header, body.to_owned()), "{client:?}");
        }
    }

    #[test]
    fn an_id_that_cannot_be_sent_is_refused() {
        for (client, accepted) in [
            (Client::basic("", "s"), false),
            (Client::post("", "s"), false),
            (Client::public(""), false),
            (Client::basic_raw("a:b", "s"), false),
            (Client::basic("a:b", "s"), true),
            (Client::none(), true),
        ] {
            assert_eq!(client.check().is_ok(), accepted, "{client:?}");
        }
    }
}
