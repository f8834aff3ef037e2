//! DPoP: tokens that are bound to a key of the client ([RFC 9449]).
//!
//! Each token request and each API request carries a proof: a short JWT that the key signs for this method and this address. A stolen
//! token is useless without the key.
//!
//! A [`Dpop`] is the key. `dpop` of each [grant](crate::grant) binds the tokens to it, and the layer does the rest: [the guide](crate::docs::dpop)
//! describes the choice of a key, nonces, what happens after a 401, and what must stand outside of the layer.
//!
//! | file | content |
//! | --- | --- |
//! | `proof_key` | the key: its options, and the proofs that it signs |
//! | `proof`, `proof_claims` | one proof and its claims |
//! | `htu` | the address that a proof names |
//! | `nonces` | the nonces that servers demand |
//!
//! [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449

mod htu;
mod nonces;
mod proof;
mod proof_claims;
mod proof_key;
#[cfg(test)]
#[cfg(feature = "jwt")]
mod proof_vectors;

use http::HeaderName;

pub(crate) use self::htu::Htu;
pub(crate) use self::nonces::{DpopNonce, ServerNonce, ServerRole};
pub(crate) use self::proof::{DpopProof, ProofRequest, Proving, SigningProof};
pub use self::proof_key::Dpop;

/// The header of a proof.
pub(crate) const DPOP_HEADER: HeaderName = HeaderName::from_static("dpop");
