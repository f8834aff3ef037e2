//! A grant whose token is kept in a store: it outlives the process, and several processes share it.

mod follow;
mod keeper;
mod saving;
mod shelf;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use self::keeper::Keeper;
use super::Grant;
use crate::error::Error;
use crate::store::{Entry, Key, TokenStore};
use crate::token::Token;
use crate::transport::Transport;

/// A grant whose token is kept in a [store](crate::store); made by the `persisted` of each grant.
///
/// ```
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::RefreshToken, store::MemoryStore};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let grant = RefreshToken::new("https://auth.example.com/token", Client::public("app"), "tGzv3JOkF0XG5Qx2TlKWIA")?
///     .persisted(MemoryStore::new())
///     .on_store_error(|error| eprintln!("the token store: {error}"));
/// let layer = OAuth2Layer::new(grant);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
///
/// The first token is the stored one, if it still serves. When it has to be renewed, one of all processes that share the store
/// does it:
///
/// 1. A look at the store: has a sibling renewed it already? Then its token is taken, and there is no token call.
/// 2. The store's lock, and a second look *under the lock*.
/// 3. The token call, with the refresh token that the store has *now*.
/// 4. The new token is saved, and only then served. The lock is released.
///
/// With a [`Tokens::forget`](crate::Tokens::forget) the stored token goes too, with the next request or with
/// [`clear`](Self::clear). A token that was [set](crate::Tokens::set) by hand is saved when it is renewed.
///
/// # Errors
///
/// The store's own errors cost nobody their token: it serves to its end, and [`on_store_error`](Self::on_store_error) is told. When
/// it has ended, and the store cannot be asked or another process holds its lock for longer than
/// [`lock_deadline`](Self::lock_deadline), it is [`ErrorKind::Store`](crate::ErrorKind::Store): to renew the token past the others'
/// backs could spend the same refresh token twice, and end the login for all. See
/// [`renew_without_store`](Self::renew_without_store).
///
/// # Security
///
/// Who can read the store has the login.
pub struct Persisted<G, S> {
    grant: G,
    keeper: Arc<Keeper<S>>,
}

/// Of the token that a store has, and one that a caller has, the one to go on with.
enum Choice {
    /// A sibling's, which serves.
    Newer(Token),
    /// The one to renew.
    Renew(Option<Token>),
}

impl<G, S: TokenStore> Persisted<G, S> {
    /// The tokens of this grant, in this store, under this key.
    ///
    /// For a grant of your own. The others have the method `persisted`, which knows the key.
    ///
    /// ```
    /// use tower_oauth2::{Token, grant::Persisted, store::{Key, MemoryStore}, transport::Transport};
    ///
    /// let grant = async |_previous: Option<Token>, _http: Transport| Token::bearer("fixed");
    /// let key = Key::new("https://auth.example.com/token", "app").subject("alice");
    /// let grant = Persisted::new(grant, MemoryStore::new(), key);
    /// # let _layer = tower_oauth2::OAuth2Layer::new(grant);
    /// ```
    pub fn new(grant: G, store: S, key: Key) -> Self {
        Self { grant, keeper: Arc::new(Keeper::new(store, key)) }
    }

    /// Whose token it is, where several people log in by the same client.
    #[must_use]
    pub fn subject(self, subject: impl Into<String>) -> Self {
        self.keeper(|keeper| keeper.shelf.key = keeper.shelf.key.clone().subject(subject))
    }

    /// How long to wait for the lock while another process has it: 60 s. Zero waits for nobody.
    ///
    /// After it those who wait get [`ErrorKind::Store`](crate::ErrorKind::Store), and the next try follows after the back-off.
    #[must_use]
    pub fn lock_deadline(self, deadline: Duration) -> Self {
        self.keeper(|keeper| keeper.shelf.lock_deadline = deadline)
    }

    /// Renews a token that has ended also when the store cannot be asked, and saves the new one when it is back.
    ///
    /// By default that waits for the store, up to [`lock_deadline`](Self::lock_deadline), and is then
    /// [`ErrorKind::Store`](crate::ErrorKind::Store): several processes, each for itself, would spend the same refresh token, and at
    /// a start nobody knows which one is the newest. Grants that need neither a person nor a refresh token, such as
    /// [`ClientCredentials`](super::ClientCredentials), go on by themselves.
    #[must_use]
    pub fn renew_without_store(self) -> Self {
        self.keeper(|keeper| keeper.goes_without_store = true)
    }

    /// Tells of each error of the store. It is called within the token call, so it should be quick.
    #[must_use]
    pub fn on_store_error(self, tell: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.keeper(|keeper| keeper.tell = Some(Arc::new(tell)))
    }

    /// The key of its entry.
    pub fn key(&self) -> &Key {
        &self.keeper.shelf.key
    }

    /// The stored token, whatever its age. A store that does not answer within 10 s is an error.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store), with the store's error as the source.
    ///
    /// # Cancel safety
    ///
    /// It only reads.
    pub async fn load(&self) -> Result<Option<Token>, Error> {
        Ok(self.keeper.shelf.load().await?.map(|entry| entry.token))
    }

    /// Removes the stored token: a logout. What a layer holds in memory goes with
    /// [`Tokens::forget`](crate::Tokens::forget), and what the server thinks of it with a
    /// [`RevocationEndpoint`](crate::endpoint::RevocationEndpoint).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store), with the store's error as the source.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves it to the store whether the token is there. To clear again does no harm.
    pub async fn clear(&self) -> Result<(), Error> {
        self.keeper.shelf.clear(u64::MAX).await
    }

    fn keeper(self, change: impl FnOnce(&mut Keeper<S>)) -> Self {
        let mut keeper = (*self.keeper).clone();
        change(&mut keeper);
        Self { grant: self.grant, keeper: Arc::new(keeper) }
    }
}

impl<G: Grant, S: TokenStore> Grant for Persisted<G, S> {
    async fn obtain(&self, previous: Option<Token>, http: Transport) -> Result<Token, Error> {
        let keeper = &self.keeper;
        keeper.begin(&http);
        let seen = keeper.seen();
        let is_forgotten = previous.is_none() && seen.is_some();
        match (&previous, seen) {
            (None, Some(forgotten)) => {
                keeper.told(keeper.shelf.clear(forgotten).await);
            }
            // There is a token, and it is not from here: the user has set it, and no stored one is newer.
            (Some(_), None) => {}
            _ => {
                if let Some(token) = keeper.look().await.and_then(|entry| keeper.adopt(entry, seen)) {
                    return Ok(token);
                }
            }
        }

        let (turn, stored) = keeper.turn(http.is_ahead()).await?.unzip();
        let generation = stored.as_ref().map(|stored| stored.as_ref().map_or(0, |entry| entry.generation));
        // What was forgotten is not taken again, even if it could not be removed.
        let stored = stored.flatten().filter(|entry| !is_forgotten || is_newer(entry, seen));
        let stored_token = stored.as_ref().map(|entry| entry.token.clone());
        let previous = match keeper.choose(previous, stored, seen) {
            Choice::Newer(token) => return Ok(token),
            Choice::Renew(previous) => previous,
        };
        // Another's login is not to go with ours.
        let stored_secret = stored_token.as_ref().and_then(Token::refresh_token);
        let sends_stored = previous.as_ref().is_some_and(|sent| sent.refresh_token() == stored_secret);
        match self.grant.obtain(previous, http).await {
            Ok(token) => {
                keeper.save(token.clone(), seen, generation, turn).await;
                Ok(token)
            }
            Err(error) => {
                if error.spent_refresh_token()
                    && sends_stored
                    && let Some(generation) = generation
                {
                    keeper.told(keeper.shelf.clear(generation).await);
                }
                Err(error.curable())
            }
        }
    }

    /// That of the grant itself.
    fn name(&self) -> &'static str {
        self.grant.name()
    }
}

/// Whether an entry came after what was seen; anything comes after nothing.
fn is_newer(entry: &Entry, seen: Option<u64>) -> bool {
    seen.is_none_or(|seen| entry.generation > seen)
}

/// The clone has the same store and key, and has seen nothing yet.
impl<G: Clone, S: TokenStore> Clone for Persisted<G, S> {
    fn clone(&self) -> Self {
        Self { grant: self.grant.clone(), keeper: Arc::new((*self.keeper).clone()) }
    }
}

impl<G: fmt::Debug, S: TokenStore> fmt::Debug for Persisted<G, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Persisted")
            .field("grant", &self.grant)
            .field("key", &self.keeper.shelf.key)
            .finish_non_exhaustive()
    }
}
