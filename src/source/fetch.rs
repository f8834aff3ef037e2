//! The trait that all sources implement, and a source whose type is erased.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::SourceContext;
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::secret::{CharacterSet, Secret};

/// Obtains a secret or a proof for one token request, such as a client secret, an assertion or a subject token.
///
/// [`source_fn`](super::source_fn) makes one from a closure. [`Tokens`](crate::Tokens) are a source too: the access token of another
/// layer. So are `Arc<S>` and `Box<S>`.
pub trait Source: Send + Sync + 'static {
    /// Obtains the text. The crate calls this method for each token request, and never keeps the result.
    ///
    /// # Errors
    ///
    /// An error ends the token request, and passes unchanged. [`ErrorKind::Proof`] suits most: the layer makes the next attempt after the
    /// back-off, and keeps the refresh token.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when the [token timeout](crate::OAuth2Layer::token_timeout) passes.
    fn fetch(&self, cx: SourceContext) -> impl Future<Output = Result<String, Error>> + Send;

    /// Checks the source without any I/O, when a client or a grant is built with it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for a source that cannot work, such as claims without an audience. The builder returns the error.
    fn check(&self, issuer: Option<&str>) -> Result<(), Error> {
        let _ = issuer;
        Ok(())
    }
}

type Fetching<'a> = Pin<Box<dyn Future<Output = Result<String, Error>> + Send + 'a>>;

trait ErasedSource: Send + Sync {
    fn fetch(&self, cx: SourceContext) -> Fetching<'_>;
    fn check(&self, issuer: Option<&str>) -> Result<(), Error>;
}

impl<S: Source> ErasedSource for S {
    fn fetch(&self, cx: SourceContext) -> Fetching<'_> {
        Box::pin(Source::fetch(self, cx))
    }

    fn check(&self, issuer: Option<&str>) -> Result<(), Error> {
        Source::check(self, issuer)
    }
}

/// A source whose type is erased; clones share it.
#[derive(Clone)]
pub(crate) struct BoxSource(Arc<dyn ErasedSource>);

impl BoxSource {
    pub(crate) fn new(source: impl Source) -> Self {
        Self(Arc::new(source))
    }
}

impl Source for BoxSource {
    fn fetch(&self, cx: SourceContext) -> impl Future<Output = Result<String, Error>> + Send {
        self.0.fetch(cx)
    }

    fn check(&self, issuer: Option<&str>) -> Result<(), Error> {
        self.0.check(issuer)
    }
}

/// Fetches the text of a source within the token timeout. `name` says in errors what is fetched. An empty text, and one with other
/// characters, is an error of kind [`ErrorKind::Proof`]: the next one may be good.
pub(crate) async fn fetch_within_timeout(
    source: &impl Source,
    name: &'static str,
    characters: CharacterSet,
    cx: SourceContext,
) -> Result<Secret, Error> {
    within_timeout(name, characters, cx.transport().timeout(), source.fetch(cx)).await
}

pub(super) async fn within_timeout(
    name: &'static str,
    characters: CharacterSet,
    timeout: Duration,
    fetching: impl Future<Output = Result<String, Error>>,
) -> Result<Secret, Error> {
    let fails = |how: String| Err(Error::new(ErrorKind::Proof, how).before_request());
    match clock::within(timeout, fetching).await {
        Some(Ok(text)) => match Secret::new(text) {
            text if text.expose().is_empty() => fails(format!("the source of {name} is empty")),
            text => match characters.violation(text.expose()) {
                Some(violation) => fails(format!("{name} {violation}")),
                None => Ok(text),
            },
        },
        Some(Err(error)) => Err(error.before_request()),
        None => fails(format!("the source of {name} returned nothing within {timeout:?}")),
    }
}

/// The source that it points to.
impl<S: Source> Source for Arc<S> {
    fn fetch(&self, cx: SourceContext) -> impl Future<Output = Result<String, Error>> + Send {
        S::fetch(self, cx)
    }

    fn check(&self, issuer: Option<&str>) -> Result<(), Error> {
        S::check(self, issuer)
    }
}

/// The source that it points to.
impl<S: Source> Source for Box<S> {
    fn fetch(&self, cx: SourceContext) -> impl Future<Output = Result<String, Error>> + Send {
        S::fetch(self, cx)
    }

    fn check(&self, issuer: Option<&str>) -> Result<(), Error> {
        S::check(self, issuer)
    }
}
