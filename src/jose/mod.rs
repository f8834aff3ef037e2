//! Signs JSON Web Tokens: the envelope, signers and keys (RFC 7515, RFC 7517, RFC 7518).
//!
//! [`jwt`](crate::jwt) is the public name of this module.

mod algorithm;
mod der;
mod draft;
mod fixed_header;
#[cfg(feature = "jwt")]
mod hmac;
#[cfg(feature = "jwt")]
mod jwk;
#[cfg(feature = "jwt")]
mod key_pair;
mod members;
#[cfg(feature = "jwt")]
mod pem;
mod public_jwk;
mod signer;
#[cfg(feature = "jwt")]
mod signing_key;
#[cfg(test)]
#[cfg(feature = "jwt")]
mod vectors;

pub use self::algorithm::Algorithm;
pub use self::der::raw_from_der;
pub(crate) use self::draft::AlgorithmFamily;
pub use self::draft::{Draft, Signed, SigningInput};
pub(crate) use self::fixed_header::FixedHeader;
#[cfg(feature = "jwt")]
pub(crate) use self::hmac::HmacKey;
pub(crate) use self::members::Members;
pub(crate) use self::public_jwk::PublicJwk;
pub(crate) use self::signer::BoxSigner;
pub use self::signer::{Signer, SignerFn, signer_fn};
#[cfg(feature = "jwt")]
pub use self::signing_key::Key;
