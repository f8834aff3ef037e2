//! The layer: a function that makes a grant for each key, and options for all of them.

use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::Hash;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower_layer::Layer;
use tower_service::Service;

use super::into_tenant::{IntoTenant, MakeTenant};
use super::map::TenantMap;
use super::tenants_service::Tenants;
use crate::cell::Tokens;
use crate::error::{BoxError, Error};
use crate::route::{ThroughInner, ThroughService, WithBody};
use crate::transport::Transport;
#[cfg(doc)]
use crate::{error::kind::ErrorKind, layer::OAuth2Layer};

/// A layer that attaches a token of its own for each tenant or user. The key is an extension of the request, of type `K`.
///
/// It keeps one token cell for each key, creates it on demand, and drops the least used ones beyond
/// [`max_tenants`](Self::max_tenants). Otherwise it is like [`OAuth2Layer`]: the same grants, options, rejections, retry and stores. Its
/// services, their clones, and the clones of the layer share the cells.
///
/// ```
/// use std::collections::HashMap;
/// use tower_oauth2::{Error, ErrorKind, OAuth2Layer, client::Client, grant::ClientCredentials, tenants::TenantsLayer};
///
/// #[derive(Clone, PartialEq, Eq, Hash)]
/// struct Tenant(String);
///
/// struct Config {
///     token_url: String,
///     id: String,
///     secret: String,
///     api: String,
/// }
///
/// fn tenants(configs: HashMap<String, Config>) -> TenantsLayer<Tenant> {
///     TenantsLayer::new(move |tenant: &Tenant| {
///         let config = configs.get(&tenant.0);
///         let config = config.ok_or_else(|| Error::caused_by(ErrorKind::Configuration, "unknown tenant"))?;
///         let client = Client::basic(&config.id, &config.secret);
///         let grant = ClientCredentials::new(&config.token_url, client)?;
///         OAuth2Layer::new(grant).origin(&config.api)
///     })
/// }
///
/// let error = tenants(HashMap::new()).tokens(&Tenant("acme".into())).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Configuration);
/// ```
///
/// `Hash` and `Eq` of the key are called with a lock held: they must neither panic nor use the layer.
///
/// # Security
///
/// A request without a key fails. It never gets the token of another key. Use a type of your own as `K`, one that cannot represent a missing
/// name: an empty string is a key like any other, and all requests with it share a token.
///
/// Return a new grant or layer for each key. A clone of the layer of another key is an error, because both keys would have one token. For
/// people with a [store](crate::docs::stores), call [`subject`](crate::grant::Persisted::subject) with the name of the person: without it
/// the request fails, because two people could share one entry.
///
/// Set the [`origin`](OAuth2Layer::origin) of the API on the layer that the function returns. Otherwise the token of a tenant is sent to every `https` host.
#[must_use = "a layer does nothing until it wraps a service"]
pub struct TenantsLayer<K, T = ThroughInner> {
    map: Arc<TenantMap<K>>,
    route: T,
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> TenantsLayer<K> {
    /// Creates a layer that calls `f` for the first request of a key. `f` returns a grant, or an [`OAuth2Layer`] with its options.
    ///
    /// `f` should return quickly, without I/O, because it is called in `call`. The options of the layer that it returns apply to this tenant:
    /// its origins, timing, `step_up`, `reject_when`. Token requests are sent through the inner service, unless that layer has its own
    /// [`token_service`](OAuth2Layer::token_service).
    ///
    /// `f` may be called more than once for a key: at the same time, of which the first cell that is inserted stays; and after the cell was
    /// dropped.
    ///
    /// # Errors
    ///
    /// An error of `f` is the error of that request. It is not cached: the next request of the key calls `f` again. If `f` panics, the request
    /// fails with [`ErrorKind::Panicked`]. `f` may use this layer for another key. For the same key it gets [`ErrorKind::Recursion`].
    /// If `f` returns a clone of the layer of another key or of another `TenantsLayer`, that is [`ErrorKind::Configuration`].
    pub fn new<L: IntoTenant>(f: impl Fn(&K) -> Result<L, Error> + Send + Sync + 'static) -> Self {
        let map = TenantMap::new(Box::new(move |key| f(key).map(MakeTenant::into_tenant)));
        Self { map: Arc::new(map), route: ThroughInner }
    }
}

/// Options of all tenants.
impl<K: Hash + Eq + Clone + Send + Sync + 'static, T> TenantsLayer<K, T> {
    /// Sets the maximum number of token cells. The default is 10 000.
    ///
    /// Beyond the maximum, the cells that were used least are dropped. A cell in use is kept: a request is under way, a refresh is running, or a
    /// [`Tokens`] handle exists. So there may be more cells for a while; the next cells that are created restore the maximum. With thousands of cells
    /// in use beyond the maximum, it takes longer to create one, because all of them are checked.
    ///
    /// From 2048 on, the map consists of up to 64 parts of equal size, and the maximum is rounded down to a multiple of their number. The first part may be full when the
    /// map has a few percent less than the maximum. So set a maximum above the number of keys that are in use at the same time.
    ///
    /// A dropped cell takes its token along. A token of client credentials is requested again by the next request of the key. The refresh token
    /// of a person is lost, so for people return a grant with [`persisted`](crate::docs::stores) and a subject.
    ///
    /// Choose a maximum above the number of keys that are used within the lifetime of a token. Otherwise token requests become frequent.
    ///
    /// ```
    /// use tower_oauth2::{client::Client, grant::ClientCredentials, tenants::TenantsLayer};
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// let tenants = TenantsLayer::new(|id: &u64| {
    ///     ClientCredentials::new("https://auth.example.com/token", Client::basic(format!("tenant-{id}"), "secret"))
    /// });
    /// let tenants = tenants.max_tenants(100)?;
    /// for id in 0..1000 {
    ///     tenants.tokens(&id)?; // the handle is dropped, so its cell is not in use
    /// }
    /// assert!(tenants.len() <= 100);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for 0, and after the layer or a clone was used.
    pub fn max_tenants(self, max: usize) -> Result<Self, Error> {
        self.map.set_max(max)?;
        Ok(self)
    }

    /// Sets the conversion to the request body of the inner service, for token requests of all tenants. See
    /// [`OAuth2Layer::token_body`].
    pub fn token_body<F, B>(self, body: F) -> TenantsLayer<K, WithBody<F>>
    where
        F: Fn(Full<Bytes>) -> B + Clone + Send + Sync + 'static,
    {
        TenantsLayer { map: self.map, route: WithBody(body) }
    }

    /// Sends the token requests of all tenants through `service` instead of the inner service. See [`OAuth2Layer::token_service`].
    ///
    /// A tenant whose layer has its own `token_service` uses that one.
    pub fn token_service<S, B, R>(self, service: S) -> TenantsLayer<K, ThroughService>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: From<Bytes> + 'static,
        R: Body + Send,
        R::Data: Send,
        R::Error: Into<BoxError>,
    {
        let transport = Transport::new(service);
        self.map.transports.set_fixed(transport.clone());
        TenantsLayer { map: self.map, route: ThroughService(transport) }
    }

    /// Sets the name of this layer in [spans, events and metrics](crate::docs::observing). A tenant whose layer has its own
    /// [`name`](OAuth2Layer::name) keeps that one.
    ///
    /// The key is never recorded: it may be personal data, and as a label it would have no bound. The name applies to cells that are created
    /// afterwards.
    pub fn name(self, name: impl Into<String>) -> Self {
        self.map.set_name(name.into());
        self
    }

    /// Returns a handle to the token of a key. Creates the cell if there is none.
    ///
    /// While the handle exists, its cell is not dropped to keep the maximum, so the services of the layer use the same token. Its
    /// clones and pending futures keep the cell, too. A receiver of [`Tokens::changes`] and a future of [`Tokens::keep_fresh`] do not: they end with
    /// the cell, so keep a handle beside them. After [`forget`](Self::forget), the handle refers to the removed cell.
    ///
    /// ```
    /// use tower_oauth2::{Token, client::Client, grant::ClientCredentials, tenants::TenantsLayer};
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// let tenants = TenantsLayer::new(|id: &u64| {
    ///     ClientCredentials::new("https://auth.example.com/token", Client::basic(format!("tenant-{id}"), "secret"))
    /// });
    /// let tokens = tenants.tokens(&7)?;
    /// tokens.set(Token::bearer("2YotnFZFEjr1zCsicMWpAA")?);
    ///
    /// // The same cell, and not that of another key.
    /// assert!(tenants.tokens(&7)?.peek().is_some());
    /// assert!(tenants.tokens(&8)?.peek().is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of the function that makes the grant of the key; [`ErrorKind::Panicked`] if it panics; [`ErrorKind::Recursion`] if it is called
    /// in that function, for the same key.
    pub fn tokens(&self, key: &K) -> Result<Tokens, Error> {
        self.map.find_or_create(key).map(|tenant| tenant.tokens())
    }

    /// Forgets the token of a key and drops its cell. The next request of the key calls the function of [`new`](Self::new) again, for example
    /// because the configuration of the tenant has changed. A cell that is being created at this moment is not kept either, so change the
    /// configuration first, and then call `forget`.
    ///
    /// It does nothing if there is no cell. A request that waits for a token continues with the removed cell. The store of a persisted grant
    /// keeps its entry: [`Persisted::clear`](crate::grant::Persisted::clear) removes it.
    pub fn forget(&self, key: &K) {
        if let Some(tenant) = self.map.remove(key) {
            tenant.cell.discard();
        }
    }

    /// Waits for the refreshes, and the saves to a store, that are running for any key. It starts none, and creates no cell.
    ///
    /// A program that exits drops the refreshes that are running. With refresh tokens that rotate, logins can then be lost: see
    /// [stores](crate::docs::stores#the-gap). So call this after the last request, before `main` returns. It may also wait for a refresh that
    /// starts meanwhile. It does not wait for a cell that [`forget`](Self::forget) has removed.
    ///
    /// ```
    /// # use tower_oauth2::{client::Client, grant::ClientCredentials, tenants::TenantsLayer};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let tenants = TenantsLayer::new(|id: &u64| {
    /// #     ClientCredentials::new("https://auth.example.com/token", Client::basic(format!("tenant-{id}"), "secret"))
    /// # });
    /// // At the end of `main`:
    /// tenants.flush().await;
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// The future can be dropped at any time. It also waits for logins, until the people have logged in: limit the wait with
    /// `tokio::time::timeout`.
    pub async fn flush(&self) {
        let refreshing = self.map.refreshing().into_iter();
        let mut running: Vec<_> = refreshing.map(|tenant| Box::pin(async move { tenant.cell.flush().await })).collect();
        // Outside of a runtime, polling them is what continues the refreshes. Each cell is released when its own has ended.
        poll_fn(|cx| {
            running.retain_mut(|flush| flush.as_mut().poll(cx).is_pending());
            if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Returns the number of token cells.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Returns whether there is no token cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<S, K, T: Clone> Layer<S> for TenantsLayer<K, T> {
    type Service = Tenants<S, K, T>;

    fn layer(&self, inner: S) -> Self::Service {
        Tenants::new(inner, self.map.clone(), self.route.clone())
    }
}

/// Returns a layer that shares the cells and the options.
impl<K, T: Clone> Clone for TenantsLayer<K, T> {
    fn clone(&self) -> Self {
        Self { map: self.map.clone(), route: self.route.clone() }
    }
}

/// Shows no keys, because they may be personal data.
impl<K: Hash + Eq + Clone + Send + Sync + 'static, T> fmt::Debug for TenantsLayer<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantsLayer")
            .field("key", &std::any::type_name::<K>())
            .field("len", &self.len())
            .field("max_tenants", &self.map.max())
            .finish_non_exhaustive()
    }
}
