//! The token endpoint: a form in, a token out (RFC 6749 §3.2).

mod response;
mod retry_after;
mod revocation;

pub(crate) use self::response::Answer;
pub use self::revocation::RevocationEndpoint;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use url::Url;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use crate::client::Client;
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::form::{self, Form};
use crate::into_url::{self, IntoUrl};
use crate::token::{self, Token};
use crate::transport::Transport;

/// A token endpoint and the client that authenticates at it: what a grant of your own needs to turn a form into a token.
///
/// One that exists has a good address: `https`, or `http` on this machine, without user information or fragment. Its own
/// query is kept.
///
/// ```
/// use tower_oauth2::{Error, Token, client::Client, endpoint::TokenEndpoint, form::Form, transport::Transport};
///
/// # fn main() -> Result<(), Error> {
/// let endpoint = TokenEndpoint::new("https://auth.example.com/token", Client::basic("id", "secret"))?;
///
/// // The JWT bearer grant of RFC 7523, as a closure.
/// let grant = move |_previous: Option<Token>, http: Transport| {
///     let endpoint = endpoint.clone();
///     async move {
///         let form = Form::new("urn:ietf:params:oauth:grant-type:jwt-bearer").param("assertion", "eyJhbGciOi…");
///         endpoint.token(&http, form).await
///     }
/// };
/// # let _layer = tower_oauth2::OAuth2Layer::new(grant);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TokenEndpoint {
    uri: Uri,
    client: Client,
    headers: HeaderMap,
    bearer_types: Vec<String>,
    /// Whether credentials may go over cleartext to another machine.
    cleartext: bool,
}

impl TokenEndpoint {
    /// The endpoint at this address, for this client.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when the address or the client's id is wrong,
    /// [`ErrorKind::Cleartext`] when it is `http://` to another machine.
    pub fn new(token_url: impl IntoUrl, client: Client) -> Result<Self, Error> {
        let url = into_url::endpoint_url("token_url", token_url)?;
        into_url::refuse_cleartext("token_url", &url)?;
        Ok(Self { cleartext: false, ..Self::dangerous_cleartext(url, client)? })
    }

    /// As [`TokenEndpoint::new`], but `http://` may go to any machine.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when the address or the client's id is wrong.
    ///
    /// # Security
    ///
    /// Whoever sees the traffic sees the client's secret and the tokens. Only for a network that is protected otherwise,
    /// such as a service mesh.
    pub fn dangerous_cleartext(token_url: impl IntoUrl, client: Client) -> Result<Self, Error> {
        let uri = into_url::endpoint_uri("token_url", token_url)?;
        client.check()?;
        Ok(Self { uri, client, headers: HeaderMap::new(), bearer_types: Vec::new(), cleartext: true })
    }

    /// A header of every request, such as an API key or a `User-Agent`. Those of the protocol are not replaced.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when no header can have that name or value.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Result<Self, Error> {
        let name = HeaderName::try_from(name.as_ref()).map_err(|why| Error::argument("header", why))?;
        let mut value = HeaderValue::try_from(value.as_ref()).map_err(|why| Error::argument("header", why))?;
        value.set_sensitive(true);
        self.headers.append(name, value);
        Ok(self)
    }

    /// A `token_type` of the server's own that means Bearer, such as eBay's `Application Access Token`.
    #[must_use]
    pub fn bearer_type(mut self, token_type: impl Into<String>) -> Self {
        self.bearer_types.push(token_type.into());
        self
    }

    /// The id that a code is given to.
    pub(crate) fn client_id(&self) -> Result<&str, Error> {
        self.client.id().ok_or_else(|| Error::argument("client", "a code is given to a client: it needs an id"))
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The address of another endpoint of the same server, which gets the same credentials: by the same rule.
    pub(crate) fn sibling(&self, name: &str, url: impl IntoUrl) -> Result<Url, Error> {
        let url = into_url::endpoint_url(name, url)?;
        if !self.cleartext {
            into_url::refuse_cleartext(name, &url)?;
        }
        Ok(url)
    }

    /// Sends the form with the client's authentication and reads the token from the answer.
    ///
    /// # Errors
    ///
    /// As [`Transport::send`]; [`ErrorKind::Redirected`] for a 3xx; what the server says went
    /// wrong, with its [`status`](Error::status), [`oauth`](Error::oauth) and [`retry_after`](Error::retry_after);
    /// [`ErrorKind::Malformed`] for an answer that is no token and no error.
    ///
    /// [`ErrorKind::InvalidGrant`] to a form of `refresh_token` says that the refresh token is dead. A grant that
    /// hands this error on need do no more: the layer, and a store, let go of the refresh token, if it is still the same.
    ///
    /// # Panics
    ///
    /// As [`Transport::send`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request. A code or a rotating refresh token in the form may be spent then.
    pub async fn token(&self, http: &Transport, form: Form) -> Result<Token, Error> {
        let is_refresh = form.pairs().any(|pair| pair == ("grant_type", "refresh_token"));
        let answer = self.ask(http, &self.uri, form).await;
        self.read(answer.map_err(|error| match error.kind() {
            ErrorKind::InvalidGrant if is_refresh => error.with_spent_refresh_token(),
            _ => error,
        })?)
    }

    /// Reads the token from an answer that has just arrived.
    pub(crate) fn read(&self, answer: Answer) -> Result<Token, Error> {
        token::from_answer(answer.members, clock::now(), &self.bearer_types)
            .map_err(|error| error.with_status(answer.status))
    }

    /// Posts a form to an endpoint of the same server, with the client's authentication, and reads the members of the
    /// answer.
    pub(crate) async fn ask(&self, http: &Transport, uri: &Uri, form: Form) -> Result<Answer, Error> {
        let mut headers = self.headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let form = self.client.authenticate(form, &mut headers);
        let mut request = Request::new(form.encode());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        let credentials = headers.get(AUTHORIZATION).cloned();
        *request.headers_mut() = headers;
        let answer = http.send(request).await?;
        // A server may repeat them as it reads them, or as they came.
        let added =
            self.headers.values().filter_map(|header| header.to_str().ok()).filter(|text| text.len() >= form::SHORTEST);
        let plain: Vec<&str> = form.secrets().chain(self.client.secret()).chain(added).collect();
        let encoded: Vec<Zeroizing<String>> =
            plain.iter().map(|secret| Zeroizing::new(byte_serialize(secret.as_bytes()).collect())).collect();
        let credentials = credentials.as_ref().and_then(|header| header.to_str().ok()?.strip_prefix("Basic "));
        let secrets: Vec<&str> =
            plain.into_iter().chain(encoded.iter().map(|secret| secret.as_str())).chain(credentials).collect();
        response::read(&answer, clock::now(), &secrets)
    }
}
