//! The public handle to the shared token.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use http::Request;
use tokio::sync::watch;

use super::acquire::Acquire;
use super::bound_tokens::ProofCount;
use super::cached::CachedToken;
use super::keep_fresh::keep_fresh;
use super::token_cell::TokenCell;
use super::wait_future::Waited;
use crate::authorize::{SharedPolicy, insert_with_proof};
use crate::challenge::Challenge;
use crate::dpop::Proving;
use crate::endpoint::RevocationEndpoint;
use crate::error::{Error, ErrorKind};
use crate::grant::Reason;
use crate::source::{Source, SourceContext};
use crate::token::Token;

/// A handle to the token that a layer shares with all its services. Cheap to clone.
///
/// | method | what it does |
/// | --- | --- |
/// | [`get`](Self::get), [`peek`](Self::peek), [`changes`](Self::changes) | waits for a token; returns the token without waiting; watches it |
/// | [`authorize`](Self::authorize), [`reject`](Self::reject) | authorizes a request that is sent without the layer; reports a 401 to it |
/// | [`refresh`](Self::refresh), [`keep_fresh`](Self::keep_fresh) | refreshes the token now, or whenever it is due |
/// | [`step_up`](Self::step_up) | obtains a token that has what an API demands |
/// | [`set`](Self::set), [`invalidate`](Self::invalidate), [`forget`](Self::forget), [`revoke`](Self::revoke) | replaces the token, or ends its use |
/// | [`flush`](Self::flush) | waits for running refreshes and saves, at the end of a program |
///
/// ```
/// use tower_oauth2::{ErrorKind, OAuth2Layer, Token, client::Client, grant::ClientCredentials};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_oauth2::Error> {
/// let client = Client::basic("id", "secret");
/// let grant = ClientCredentials::new("https://auth.example.com/token", client)?;
/// let tokens = OAuth2Layer::new(grant).tokens();
/// assert_eq!(tokens.peek(), None);
///
/// // This layer has no service yet to send a token request through.
/// assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::NoTransport);
///
/// // `set` needs no token request.
/// tokens.set(Token::bearer("2YotnFZFEjr1zCsicMWpAA")?);
/// assert_eq!(tokens.get().await?.access_token(), "2YotnFZFEjr1zCsicMWpAA");
///
/// tokens.invalidate();
/// assert_eq!(tokens.peek(), None);
/// # Ok(())
/// # }
/// ```
///
/// Token requests of a handle go through the layer's `token_service`. Without one, they go through the inner service of the newest
/// service of the layer that was polled and not dropped.
#[derive(Clone)]
pub struct Tokens {
    cell: Arc<TokenCell>,
    policy: SharedPolicy,
}

impl Tokens {
    pub(crate) fn new(cell: Arc<TokenCell>, policy: SharedPolicy) -> Self {
        Self { cell, policy }
    }

    /// Returns the token. Waits for a refresh if there is no token that can be sent.
    ///
    /// It joins the running refresh, or starts one. If the token is due, it is returned and refreshed in the background. The
    /// [`max_wait`](crate::OAuth2Layer::max_wait) of the layer does not apply: limit the wait with `tokio::time::timeout`.
    ///
    /// # Errors
    ///
    /// The error of that refresh; the cached error of an earlier one, until its back-off has passed;
    /// [`ErrorKind::NoTransport`](crate::ErrorKind::NoTransport) if there is nothing to send a token request through;
    /// [`ErrorKind::Recursion`](crate::ErrorKind::Recursion) if it is called inside the grant or the client that obtains the token.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not cancel the refresh. Its token is kept for the next caller.
    pub async fn get(&self) -> Result<Token, Error> {
        Ok(self.current().await?.token.clone())
    }

    /// Returns the newest token without waiting, even if it has expired.
    ///
    /// Returns `None` if there is no token yet, or if it was invalidated, forgotten, or rejected before any response had accepted it.
    pub fn peek(&self) -> Option<Token> {
        self.cell.peek()
    }

    /// Refreshes the token now, even if it is fresh, and even during the back-off after a failure.
    ///
    /// It joins a running refresh. If a login is required, it starts the login. If a token is [set](Tokens::set) during the refresh, that
    /// token is returned at once.
    ///
    /// # Errors
    ///
    /// Like [`Tokens::get`], but without cached errors. After an error the current token stays in use until it expires.
    ///
    /// # Cancel safety
    ///
    /// Like [`Tokens::get`].
    #[doc(alias = "single flight")]
    #[doc(alias = "singleflight")]
    pub async fn refresh(&self) -> Result<Token, Error> {
        let mut may_repeat = true;
        loop {
            let wait_future = match self.cell.force_refresh() {
                Acquire::Token(token) => return Ok(token.token.clone()),
                Acquire::Failed(error) => return Err(error.error),
                Acquire::Wait(wait_future) => wait_future,
            };
            // A refresh with another reason does not always start a login. If it requires one, a second, forced refresh starts it.
            let has_joined = wait_future.has_joined_other_than(Reason::Forced);
            match wait_future.await {
                Waited::Token(token) => return Ok(token.token.clone()),
                Waited::Superseded => {}
                Waited::Failed(error) if has_joined && may_repeat && error.error.kind() == ErrorKind::LoginRequired => {
                    may_repeat = false;
                }
                Waited::Failed(error) => return Err(error.error),
            }
        }
    }

    /// Obtains a token that has what a challenge of an API demands, such as another scope or a fresher login. A grant with a person starts a
    /// login, even if [`step_up`](crate::OAuth2Layer::step_up) is not set.
    ///
    /// It is for a program that asks its user first:
    ///
    /// ```
    /// use http::HeaderMap;
    /// use tower_oauth2::{Challenge, Error, Tokens};
    ///
    /// /// Returns whether the request can be sent again.
    /// async fn handle_403(tokens: &Tokens, headers: &HeaderMap, user_agrees: bool) -> Result<bool, Error> {
    ///     let challenges = Challenge::parse(headers);
    ///     let Some(challenge) = challenges.iter().find(|it| it.error() == Some("insufficient_scope") && user_agrees) else {
    ///         return Ok(false);
    ///     };
    ///     tokens.step_up(challenge).await?;
    ///     Ok(true)
    /// }
    /// # let _ = handle_403;
    /// ```
    ///
    /// If the token was requested with all of it already, it is returned at once. If a refresh is running that asks for all of it, it joins that
    /// refresh; it waits for the end of another one first. If a token is [set](Tokens::set) during the login, that token is returned at once. It
    /// ignores earlier failures and [the limits of `step_up`](crate::docs::step_up#when-nothing-starts), and ends them. A challenge of any scheme
    /// is accepted, because the application has chosen it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the challenge demands neither a scope nor a login nor claims;
    /// [`ErrorKind::LoginRequired`](crate::ErrorKind::LoginRequired) if it demands a login, and the grant has none;
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied) and [`ErrorKind::LoginExpired`](crate::ErrorKind::LoginExpired) of the login; otherwise as
    /// [`Tokens::refresh`]. After an error the current token stays in use.
    ///
    /// # Cancel safety
    ///
    /// Like [`Tokens::get`].
    pub async fn step_up(&self, challenge: &Challenge) -> Result<Token, Error> {
        let trigger = self.cell.step_up_trigger(challenge)?;
        let mut may_repeat = true;
        loop {
            let wait_future = match self.cell.force_step_up(&trigger) {
                Acquire::Token(token) => return Ok(token.token.clone()),
                Acquire::Failed(error) => return Err(error.error),
                Acquire::Wait(wait_future) => wait_future,
            };
            let is_own = wait_future.asks_for(&trigger);
            // A refresh for a response does not always start a login. If it requires one, a second, forced refresh starts it.
            let has_joined = wait_future.has_joined_other_than(Reason::Forced);
            match wait_future.await {
                Waited::Token(token) if is_own => return Ok(token.token.clone()),
                Waited::Failed(error) if has_joined && may_repeat && error.error.kind() == ErrorKind::LoginRequired => {
                    may_repeat = false;
                }
                Waited::Failed(error) if is_own => return Err(error.error),
                // Another refresh has ended, or another token was set.
                Waited::Token(_) | Waited::Failed(_) | Waited::Superseded => {}
            }
        }
    }

    /// Reports that an API rejected this token, as the layer does after a 401.
    ///
    /// A 401 about the DPoP proof (`use_dpop_nonce`, `invalid_dpop_proof`) does not reject the token: do not report it. Give the headers of each
    /// response to [`Dpop::observe`](crate::dpop::Dpop::observe) instead, and send the request again.
    ///
    /// If it is still the newest token, a refresh starts at once, unless the back-off after an earlier rejection has not passed: see
    /// [behaviour](crate::docs::behaviour#rejections). A token that no response has accepted is not sent again. Reporting an older
    /// token, or a token of another layer, has no effect.
    ///
    /// If there is no service to send the token request through, the next request starts the refresh.
    ///
    /// ```
    /// # use tower_oauth2::{OAuth2Layer, Token, client::Client, grant::ClientCredentials};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let grant = ClientCredentials::new("https://auth.example.com/token", Client::basic("id", "secret"))?;
    /// # let tokens = OAuth2Layer::new(grant).tokens();
    /// # tokens.set(Token::bearer("2YotnFZFEjr1zCsicMWpAA")?);
    /// let token = tokens.get().await?;
    /// // A request is sent without the layer, and its response is a 401.
    /// tokens.reject(&token);
    /// assert_eq!(tokens.peek(), None, "the token is not sent again");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "401")]
    pub fn reject(&self, token: &Token) {
        self.cell.reject_token(token);
    }

    /// Invalidates the access token, so that the next request obtains a new one. The refresh token is kept.
    ///
    /// It starts no refresh. After a 401 use [`reject`](Tokens::reject), which does not affect a newer token.
    pub fn invalidate(&self) {
        self.cell.invalidate();
    }

    /// Replaces the token.
    ///
    /// All waiting callers continue with it. A cached error is dropped, and the result of a running refresh is ignored.
    ///
    /// The token is not saved in a [store](crate::store). The token of its next refresh is.
    pub fn set(&self, token: Token) {
        self.cell.set(token);
    }

    /// Forgets the token and its refresh token. The next request obtains a token as if there had been none.
    ///
    /// The result of a running refresh is ignored, and its waiters obtain another token in the same way.
    /// The token stays valid at the server: see [`revoke`](Tokens::revoke).
    #[doc(alias = "logout")]
    pub fn forget(&self) {
        self.cell.forget();
    }

    /// Returns a receiver for the token, as [`peek`](Tokens::peek) returns it, and for its changes.
    ///
    /// A change may be skipped if another one follows at once. The last one is not skipped.
    ///
    /// ```
    /// # use tower_oauth2::{OAuth2Layer, Token, client::Client, grant::RefreshToken};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let grant = RefreshToken::new("https://auth.example.com/token", Client::public("id"), "tGzv3JOkF0XG5Qx2TlKWIA")?;
    /// # let tokens = OAuth2Layer::new(grant).tokens();
    /// let mut changes = tokens.changes();
    /// tokens.set(Token::bearer("2YotnFZFEjr1zCsicMWpAA")?);
    /// changes.changed().await?;
    /// let newest = changes.borrow_and_update().clone();
    /// assert_eq!(newest, tokens.peek());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Do not hold the guard of [`borrow`](watch::Receiver::borrow) while calling a method of this handle.
    pub fn changes(&self) -> watch::Receiver<Option<Token>> {
        self.cell.subscribe()
    }

    /// Attaches the token to a request that is sent without the layer. Returns whether it was attached.
    ///
    /// A token that is bound to a [DPoP key](crate::docs::dpop#requests-without-the-layer) gets a proof for the method and the URI of this request, so
    /// change neither afterwards. To send a request again, authorize a copy that has neither header yet. Give the headers of each response to
    /// [`Dpop::observe`](crate::dpop::Dpop::observe), which keeps the nonce for the next proof.
    ///
    /// The rules of the layer apply: the token is not attached to a request that already has an `Authorization` header, or whose origin
    /// the token is not bound to. `wss` is treated as `https`, and `ws` as `http`. If the response is a 401, report it with [`reject`](Tokens::reject).
    ///
    /// ```
    /// # use tower_oauth2::{OAuth2Layer, Token, client::Client, grant::ClientCredentials};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let grant = ClientCredentials::new("https://auth.example.com/token", Client::basic("id", "secret"))?;
    /// # let tokens = OAuth2Layer::new(grant).tokens();
    /// # tokens.set(Token::bearer("2YotnFZFEjr1zCsicMWpAA")?);
    /// // The handshake of a WebSocket:
    /// let mut request = http::Request::get("wss://api.example.com/events").body(())?;
    /// assert!(tokens.authorize(&mut request).await?);
    /// assert_eq!(request.headers()["authorization"], "Bearer 2YotnFZFEjr1zCsicMWpAA");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Like [`Tokens::get`]; [`ErrorKind::Cleartext`](crate::ErrorKind::Cleartext) if the token would be sent over `http` or `ws` to
    /// another machine; [`ErrorKind::OriginDenied`](crate::ErrorKind::OriginDenied) if the layer
    /// [denies other origins](crate::OAuth2Layer::deny_other_origins). For a token that is bound to a key:
    /// [`ErrorKind::Proof`](crate::ErrorKind::Proof) if the grant does not have the key, or no proof can be made within the
    /// [token timeout](crate::OAuth2Layer::token_timeout); [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the request has no
    /// authority, and the layer not exactly one origin.
    ///
    /// # Cancel safety
    ///
    /// Like [`Tokens::get`]. The request is changed only when the future completes.
    pub async fn authorize<B>(&self, request: &mut Request<B>) -> Result<bool, Error> {
        let policy = self.policy.load();
        if !policy.should_authorize(request)? {
            return Ok(false);
        }
        let mut proofs = ProofCount::default();
        loop {
            let token = self.current().await?;
            let Some(key) = self.cell.bound_key(&token.token)? else {
                policy.insert(request, token.header());
                return Ok(true);
            };
            let proof = match self.cell.prove(&key, request, &policy)? {
                Proving::Done(proof) => proof,
                Proving::Signing(signing) => {
                    proofs.next()?;
                    signing.await?
                }
            };
            // The token may have expired or have been replaced while a signer made the proof.
            if self.cell.may_send(&token) {
                insert_with_proof(request, token.header(), proof.value);
                return Ok(true);
            }
        }
    }

    /// Waits until no refresh and no save to a store is running. It starts neither.
    ///
    /// A program that exits drops a running refresh. With refresh tokens that rotate, the login can then be lost: see
    /// [stores](crate::docs::stores#the-gap). So a short program calls this before it returns from `main`, also with an error. It does not
    /// return the outcome of the refresh: the next call of [`get`](Tokens::get) does.
    ///
    /// Inside the grant of this layer it returns at once, because waiting there would deadlock.
    ///
    /// ```
    /// # use tower_oauth2::{OAuth2Layer, Token, client::Client, grant::ClientCredentials};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let grant = ClientCredentials::new("https://auth.example.com/token", Client::basic("id", "secret"))?;
    /// # let tokens = OAuth2Layer::new(grant).tokens();
    /// // At the end of `main`:
    /// tokens.flush().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// The future can be dropped at any time. It also waits for a login, until the person has logged in: limit the wait with
    /// `tokio::time::timeout`.
    pub async fn flush(&self) {
        self.cell.flush().await;
    }

    /// Returns a future that keeps the token fresh while no request is sent.
    ///
    /// It is for refresh tokens that expire unless they are used. The future does nothing unless it is polled, so spawn it. It refreshes the
    /// token when it is due, expired or invalidated, and waits for the back-off after an error. Without a token it starts no refresh, and it
    /// never starts a login. After [`forget`](Tokens::forget) and [`revoke`](Tokens::revoke) it waits for the next token.
    ///
    /// The future ends when the layer, its services and its handles are dropped. It has no reference to them.
    ///
    /// ```
    /// # use tower_oauth2::{OAuth2Layer, client::Client, grant::RefreshToken};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let grant = RefreshToken::new("https://auth.example.com/token", Client::public("id"), "tGzv3JOkF0XG5Qx2TlKWIA")?;
    /// let layer = OAuth2Layer::new(grant);
    /// let kept = tokio::spawn(layer.tokens().keep_fresh());
    /// drop(layer);
    /// kept.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not cancel a refresh that it has started.
    pub fn keep_fresh(&self) -> impl Future<Output = ()> + Send + 'static {
        keep_fresh(Arc::downgrade(&self.cell))
    }

    /// Revokes the refresh token and the access token at the server ([RFC 7009]), and then forgets them.
    ///
    /// It calls [`flush`](Tokens::flush) first, so that the tokens of a running refresh or login are revoked, too. Without a token it does
    /// nothing. It does not change the store: remove the stored token with [`Persisted::clear`](crate::grant::Persisted::clear).
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use http_body_util::Full;
    /// # use tower_oauth2::{OAuth2Layer, Token, grant::RefreshToken};
    /// use tower_oauth2::{client::Client, endpoint::RevocationEndpoint};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let http_client = tower::service_fn(async |_: http::Request<Full<Bytes>>| {
    /// #     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    /// # });
    /// # let client = Client::public("app");
    /// # let grant = RefreshToken::new("https://auth.example.com/token", client.clone(), "tGzv3JOkF0XG5Qx2TlKWIA")?;
    /// # let tokens = OAuth2Layer::new(grant).token_service(http_client).tokens();
    /// # tokens.set(Token::bearer("2YotnFZFEjr1zCsicMWpAA")?);
    /// let endpoint = RevocationEndpoint::new("https://auth.example.com/revoke", client)?;
    /// tokens.revoke(&endpoint).await?;
    /// assert_eq!(tokens.peek(), None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Like [`RevocationEndpoint::revoke`]; [`ErrorKind::NoTransport`](crate::ErrorKind::NoTransport) if there is nothing to send the
    /// request through. After an error the token is kept, so that it can be revoked later. To log out locally nevertheless, call
    /// [`forget`](Tokens::forget).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the tokens may be revoked and not forgotten. Call it again: revoking a token twice is not an error.
    ///
    /// [RFC 7009]: https://www.rfc-editor.org/rfc/rfc7009
    #[doc(alias = "logout")]
    #[doc(alias = "log out")]
    pub async fn revoke(&self, endpoint: &RevocationEndpoint) -> Result<(), Error> {
        while let Some((token, transport)) = self.cell.token_to_revoke().await? {
            endpoint.revoke(&transport, &token).await?;
            // If another token has replaced this one, the next iteration revokes it.
            if self.cell.forget_if(&token) {
                break;
            }
        }
        Ok(())
    }

    async fn current(&self) -> Result<Arc<CachedToken>, Error> {
        loop {
            match self.cell.acquire(None, || None) {
                Acquire::Token(token) => return Ok(token),
                Acquire::Failed(error) => return Err(error.error),
                Acquire::Wait(wait_future) => match wait_future.await {
                    Waited::Token(token) => return Ok(token),
                    Waited::Failed(error) => return Err(error.error),
                    Waited::Superseded => {}
                },
            }
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("token", &self.peek()).finish_non_exhaustive()
    }
}

/// The access token of the layer, for a client assertion or a token exchange of another layer.
impl Source for Tokens {
    async fn fetch(&self, _cx: SourceContext) -> Result<String, Error> {
        Ok(self.get().await?.access_token().to_owned())
    }
}
