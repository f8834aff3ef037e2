//! Signers: a key in memory, a key in a KMS or an HSM, a key that another program writes into a file.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::{Draft, Signed};
use crate::error::Error;

/// Signs tokens, such as a key in memory or a client of a KMS.
///
/// Signing takes two steps, so that a service that rotates its key can say which key signs *this* token: the signer calls
/// [`Draft::header`] with the algorithm and the key id, signs [`bytes`](super::SigningInput::bytes), and returns
/// [`signed`](super::SigningInput::signed).
///
/// ```
/// use tower_oauth2::{Error, ErrorKind, jwt::{Algorithm, Draft, Signed, Signer, raw_from_der}};
///
/// /// A client of a key management service.
/// struct Kms;
///
/// impl Kms {
///     async fn sign(&self, key: &str, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
/// #       let _ = (key, bytes);
///         // …
/// #       Ok(vec![0x30, 6, 2, 1, 1, 2, 1, 2])
///     }
/// }
///
/// impl Signer for Kms {
///     async fn sign(&self, draft: Draft) -> Result<Signed, Error> {
///         let input = draft.header(Algorithm::Es256, Some("key-7"))?;
///         let der = self.sign("key-7", input.bytes()).await.map_err(|why| Error::caused_by(ErrorKind::Proof, why))?;
///         let signature = raw_from_der(Algorithm::Es256, &der)?;
///         Ok(input.signed(&signature))
///     }
/// }
/// # let _signer: &dyn Fn(Kms) = &|kms| { let _ = tower_oauth2::jwt::Claims::signed_by(kms); };
/// ```
///
/// `Arc<S>` and `Box<S>` are signers too, and so is the result of [`signer_fn`].
pub trait Signer: Send + Sync + 'static {
    /// Signs a token.
    ///
    /// # Errors
    ///
    /// An error ends the token request, and passes unchanged. [`ErrorKind::Proof`](crate::ErrorKind::Proof) suits most: the layer makes
    /// the next attempt after the back-off.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when the token timeout passes.
    fn sign(&self, draft: Draft) -> impl Future<Output = Result<Signed, Error>> + Send;
}

type Signing<'a> = Pin<Box<dyn Future<Output = Result<Signed, Error>> + Send + 'a>>;

trait ErasedSigner: Send + Sync {
    fn sign(&self, draft: Draft) -> Signing<'_>;
}

impl<S: Signer> ErasedSigner for S {
    fn sign(&self, draft: Draft) -> Signing<'_> {
        Box::pin(Signer::sign(self, draft))
    }
}

/// A signer whose type is erased; clones share it.
#[derive(Clone)]
pub(crate) struct BoxSigner(Arc<dyn ErasedSigner>);

impl BoxSigner {
    pub(crate) fn new(signer: impl Signer) -> Self {
        Self(Arc::new(signer))
    }

    pub(crate) async fn sign(&self, draft: Draft) -> Result<Signed, Error> {
        self.0.sign(draft).await
    }
}

/// The signer that it points to.
impl<S: Signer> Signer for Arc<S> {
    fn sign(&self, draft: Draft) -> impl Future<Output = Result<Signed, Error>> + Send {
        S::sign(self, draft)
    }
}

/// The signer that it points to.
impl<S: Signer> Signer for Box<S> {
    fn sign(&self, draft: Draft) -> impl Future<Output = Result<Signed, Error>> + Send {
        S::sign(self, draft)
    }
}

/// A [`Signer`] made from a closure by [`signer_fn`].
#[derive(Clone)]
pub struct SignerFn<F>(F);

/// Makes a [`Signer`] from a closure.
pub fn signer_fn<F, Fut>(f: F) -> SignerFn<F>
where
    F: Fn(Draft) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Signed, Error>> + Send,
{
    SignerFn(f)
}

impl<F, Fut> Signer for SignerFn<F>
where
    F: Fn(Draft) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Signed, Error>> + Send,
{
    fn sign(&self, draft: Draft) -> impl Future<Output = Result<Signed, Error>> + Send {
        (self.0)(draft)
    }
}

impl<F> fmt::Debug for SignerFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignerFn").finish_non_exhaustive()
    }
}
