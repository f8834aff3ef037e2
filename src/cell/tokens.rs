//! The handle to the shared token.

use std::fmt;
use std::sync::Arc;

use http::Request;
use tokio::sync::watch;

use super::{Acquired, Cell};
use crate::attach::{self, Attach};
use crate::error::{Error, ErrorKind};
use crate::token::Token;

/// A handle to the token that a layer shares with all its services. Cheap to clone.
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
/// // This layer has no service yet to send a token call through.
/// assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::NoTransport);
///
/// // A token from elsewhere needs none.
/// tokens.set(Token::bearer("2YotnFZFEjr1zCsicMWpAA")?);
/// assert_eq!(tokens.get().await?.access_token(), "2YotnFZFEjr1zCsicMWpAA");
///
/// tokens.invalidate();
/// assert_eq!(tokens.peek(), None);
/// # Ok(())
/// # }
/// ```
///
/// What needs the network goes through the layer's `token_service`, or else through the inner service of a service of
/// the layer, known once one of them was asked whether it is ready.
#[derive(Clone)]
pub struct Tokens {
    cell: Arc<Cell>,
    attach: Arc<Attach>,
}

impl Tokens {
    pub(crate) fn new(cell: Arc<Cell>, attach: Arc<Attach>) -> Self {
        Self { cell, attach }
    }

    /// The token: at once if it serves, else from the token call that is under way or is begun now. One that is due is
    /// renewed meanwhile, as by a request.
    ///
    /// # Errors
    ///
    /// What went wrong with that call; the remembered error of an earlier one until its back-off has passed;
    /// [`ErrorKind::NoTransport`](crate::ErrorKind::NoTransport) where there is nothing yet to send it through.
    ///
    /// # Cancel safety
    ///
    /// The call goes on without the caller, and its token is kept for the next.
    pub async fn get(&self) -> Result<Token, Error> {
        let mut acquired = self.cell.acquire(|| None);
        loop {
            acquired = match acquired {
                Acquired::Usable(current) => return Ok(current.token.clone()),
                Acquired::Failed(failure) => return Err(failure.error),
                Acquired::Wait(wait) => match wait.await {
                    Ok(current) => return Ok(current.token.clone()),
                    Err(failure) => self.cell.after(failure),
                },
            };
        }
    }

    /// The newest token, without waiting, even if it has expired. `None` when there is none yet, or it was invalidated or
    /// forgotten.
    pub fn peek(&self) -> Option<Token> {
        self.cell.peek()
    }

    /// Renews the token now, whatever the clock says and whatever failed before; joins a token call that is under way. Where a
    /// person has to log in, it asks them.
    ///
    /// # Errors
    ///
    /// As [`Tokens::get`], but no remembered one: it tries. The token that was there stays in use until it expires.
    ///
    /// # Cancel safety
    ///
    /// As [`Tokens::get`].
    pub async fn refresh(&self) -> Result<Token, Error> {
        match self.renewed().await {
            // That was a call which a request began, and it might not ask.
            Err(error) if error.kind() == ErrorKind::LoginNeeded => self.renewed().await,
            outcome => outcome,
        }
    }

    /// The access token is not used again: the next request gets a new one. The refresh token is kept.
    pub fn invalidate(&self) {
        self.cell.invalidate();
    }

    /// Uses this token from now on: one that was stored, or came from elsewhere. A failure before it is forgotten; a token
    /// call under way has no effect any more.
    pub fn set(&self, token: Token) {
        self.cell.set(token);
    }

    /// Forgets the token, its refresh token too: the next request begins anew. A token call under way has no effect on the
    /// requests that begin after this.
    pub fn forget(&self) {
        self.cell.forget();
    }

    /// Follows the token: what [`peek`](Tokens::peek) gives, and each change of it. A change may be skipped when the next
    /// follows at once; the last one never is.
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
    /// Do not hold what [`borrow`](watch::Receiver::borrow) gives while calling a method of this handle.
    pub fn changes(&self) -> watch::Receiver<Option<Token>> {
        self.cell.watch()
    }

    /// Puts the token into a request that is sent without the layer, by the layer's rules: not over cleartext, not to a
    /// foreign origin, not in place of an `Authorization` that is there. Its answer is not looked at: after a 401 it is for
    /// you to [`invalidate`](Tokens::invalidate).
    ///
    /// ```
    /// # use tower_oauth2::{OAuth2Layer, Token, client::Client, grant::ClientCredentials};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let grant = ClientCredentials::new("https://auth.example.com/token", Client::basic("id", "secret"))?;
    /// # let tokens = OAuth2Layer::new(grant).tokens();
    /// # tokens.set(Token::bearer("2YotnFZFEjr1zCsicMWpAA")?);
    /// // The handshake of a web socket, say.
    /// let mut request = http::Request::get("https://api.example.com/events").body(())?;
    /// tokens.authorize(&mut request).await?;
    /// assert_eq!(request.headers()["authorization"], "Bearer 2YotnFZFEjr1zCsicMWpAA");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Tokens::get`]; [`ErrorKind::Cleartext`](crate::ErrorKind::Cleartext) and, where the layer refuses foreign
    /// origins, [`ErrorKind::ForeignOrigin`](crate::ErrorKind::ForeignOrigin).
    ///
    /// # Cancel safety
    ///
    /// As [`Tokens::get`]; the request is changed at the end only.
    pub async fn authorize<B>(&self, request: &mut Request<B>) -> Result<(), Error> {
        if self.attach.wants(request)? {
            let token = self.get().await?;
            attach::insert(request, token.header());
        }
        Ok(())
    }

    async fn renewed(&self) -> Result<Token, Error> {
        loop {
            let failure = match self.cell.renew() {
                Acquired::Usable(current) => return Ok(current.token.clone()),
                Acquired::Failed(failure) => return Err(failure.error),
                Acquired::Wait(wait) => match wait.await {
                    Ok(current) => return Ok(current.token.clone()),
                    Err(failure) => failure,
                },
            };
            // One that had not to be kept was not this one's own.
            if !failure.is_void() {
                return Err(failure.error);
            }
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("token", &self.peek()).finish_non_exhaustive()
    }
}
