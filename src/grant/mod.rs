//! Grants: the ways to get a token (RFC 6749 §1.3), and how to write another.
//!
//! | grant | for |
//! | --- | --- |
//! | [`ClientCredentials`] | a program that acts for itself |
//! | [`AuthorizationCode`] | a person at this machine, or a web application's visitors |
//! | [`DeviceCode`] | a person who has no browser on this machine |
//! | [`RefreshToken`] | a login that happened elsewhere |
//! | [`Password`] | servers that offer nothing better for a person |
//! | [`Persisted`] | each of these, with its token in a [store](crate::store) |
//! | any `Fn(Option<Token>, Transport) -> impl Future<Output = Result<Token, Error>>` | everything else |

mod authorization_code;
mod client_credentials;
mod common;
mod device_code;
mod parameters;
mod password;
mod persisted;
mod pkce;
mod preset;
mod refresh_token;

use std::future::Future;
use std::pin::Pin;

use crate::error::Error;
use crate::token::Token;
use crate::transport::Transport;

pub use self::authorization_code::{Authorization, AuthorizationCode, Code};
pub use self::client_credentials::ClientCredentials;
#[cfg(feature = "terminal")]
pub use self::device_code::terminal_prompt;
pub use self::device_code::{DeviceCode, DevicePrompt};
pub use self::password::Password;
pub use self::persisted::Persisted;
pub use self::refresh_token::RefreshToken;

/// A way to get a token.
///
/// Write one `async fn`, or a closure:
///
/// ```
/// use tower_oauth2::{Error, OAuth2Layer, Token, grant::Grant, transport::Transport};
///
/// struct FromTheVault;
///
/// impl Grant for FromTheVault {
///     async fn obtain(&self, _previous: Option<Token>, http: Transport) -> Result<Token, Error> {
///         let request = http::Request::get("https://vault.example.com/v1/token").body(Default::default()).unwrap();
///         let answer = http.send(request).await?;
///         Token::bearer(String::from_utf8_lossy(answer.body()))
///     }
/// }
///
/// let layer = OAuth2Layer::new(FromTheVault);
/// let layer = OAuth2Layer::new(async |_previous: Option<Token>, _http: Transport| Token::bearer("fixed"));
/// # let _ = layer;
/// ```
pub trait Grant: Send + Sync + 'static {
    /// Gets a token.
    ///
    /// It is called when there is no token that can be used, and in good time before one ends
    /// ([`Transport::is_ahead`]), by one caller at a time. `previous` is the last token of the layer, expired, refused or due:
    /// its refresh token may still be good. It is `None` for the first token, and after
    /// [`Tokens::forget`](crate::Tokens::forget). `http` sends requests through the layer's transport.
    ///
    /// # Errors
    ///
    /// Every request that waits for this token gets the error, and no new try is made before the back-off has passed.
    /// [`Error::caused_by`] makes one of an error of your own.
    ///
    /// # Panics
    ///
    /// A panic becomes [`ErrorKind::Panicked`](crate::ErrorKind::Panicked) for those who wait.
    ///
    /// # Cancel safety
    ///
    /// The layer does not drop the future before it is done: inside a tokio runtime it is a task of its own.
    fn obtain(&self, previous: Option<Token>, http: Transport) -> impl Future<Output = Result<Token, Error>> + Send;

    /// What it is called in [spans and numbers](crate::docs::observing); the grants of this crate have the names of RFC 6749
    /// and RFC 8628. Used with the features `tracing` and `metrics` only.
    fn name(&self) -> &'static str {
        "custom"
    }
}

impl<F, Fut> Grant for F
where
    F: Fn(Option<Token>, Transport) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Token, Error>> + Send,
{
    fn obtain(&self, previous: Option<Token>, http: Transport) -> impl Future<Output = Result<Token, Error>> + Send {
        self(previous, http)
    }
}

/// A grant with its future boxed, so that a cell need not know which grant it holds.
pub(crate) trait AnyGrant: Send + Sync {
    fn obtain_boxed(&self, previous: Option<Token>, http: Transport) -> Obtaining<'_>;
}

pub(crate) type Obtaining<'a> = Pin<Box<dyn Future<Output = Result<Token, Error>> + Send + 'a>>;

impl<G: Grant> AnyGrant for G {
    fn obtain_boxed(&self, previous: Option<Token>, http: Transport) -> Obtaining<'_> {
        Box::pin(self.obtain(previous, http))
    }
}
