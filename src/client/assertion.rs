//! Assertions that prove the identity of a client (RFC 7521 §4.2, RFC 7523 §2.2).

use crate::error::Error;
use crate::form::Form;
#[cfg(feature = "jwt")]
use crate::jose::{Algorithm, Draft, HmacKey, Signed, Signer};
use crate::secret::CharacterSet;
#[cfg(feature = "jwt")]
use crate::secret::Secret;
use crate::source::claims::Claims;
use crate::source::{BoxSource, Source, SourceContext, fetch_within_timeout};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How a client obtains the assertion of a token request.
#[derive(Clone)]
pub(super) struct Assertion {
    proof: Proof,
    assertion_type: String,
}

#[derive(Clone)]
enum Proof {
    /// Claims that are signed for each token request: by the client secret if there is one, otherwise by another signer.
    Claims {
        claims: Box<Claims>,
        #[cfg(feature = "jwt")]
        secret: Option<SecretSigner>,
    },
    /// A complete assertion from another source.
    Source(BoxSource),
}

impl Assertion {
    pub(super) fn from_claims(claims: Claims) -> Self {
        Self::new(Proof::Claims {
            claims: Box::new(claims),
            #[cfg(feature = "jwt")]
            secret: None,
        })
    }

    pub(super) fn from_source(source: impl Source) -> Self {
        Self::new(Proof::Source(BoxSource::new(source)))
    }

    #[cfg(feature = "jwt")]
    pub(super) fn from_secret(client: &str, secret: Secret, algorithm: Algorithm) -> Self {
        let signer = SecretSigner { secret, algorithm };
        let claims = Claims::signed_by_secret(signer.clone()).of_client(client);
        Self::new(Proof::Claims { claims: Box::new(claims), secret: Some(signer) })
    }

    fn new(proof: Proof) -> Self {
        Self { proof, assertion_type: JWT_BEARER.to_owned() }
    }

    /// Validates everything that can be checked without I/O.
    pub(super) fn check(&self, issuer: Option<&str>) -> Result<(), Error> {
        if self.assertion_type.is_empty() {
            return Err(Error::argument("client", "the assertion type is empty"));
        }
        match &self.proof {
            Proof::Claims { claims, .. } => claims.check(issuer)?,
            Proof::Source(source) => source.check(issuer)?,
        }
        #[cfg(feature = "jwt")]
        if let Some(signer) = self.secret_signer() {
            signer.key()?;
        }
        Ok(())
    }

    /// Adds a new assertion to the form. `client_id` is optional with an assertion (RFC 7521 §4.2), but pushed requests need it.
    pub(super) async fn authenticate(&self, id: &str, form: Form, cx: SourceContext) -> Result<Form, Error> {
        let name = "the client assertion";
        let assertion = match &self.proof {
            Proof::Claims { claims, .. } => fetch_within_timeout(claims, name, CharacterSet::Unicode, cx).await?,
            Proof::Source(source) => fetch_within_timeout(source, name, CharacterSet::Unicode, cx).await?,
        };
        Ok(form
            .without("client_secret")
            .credential("client_id", id)
            .credential("client_assertion_type", &self.assertion_type)
            .credential("client_assertion", assertion.expose()))
    }

    /// Returns the secret that signs. The server has it too, and could repeat it in an error.
    pub(super) fn secret(&self) -> Option<&str> {
        #[cfg(feature = "jwt")]
        if let Some(signer) = self.secret_signer() {
            return Some(signer.secret.expose());
        }
        None
    }

    #[cfg(feature = "jwt")]
    fn secret_signer(&self) -> Option<&SecretSigner> {
        match &self.proof {
            Proof::Claims { secret, .. } => secret.as_ref(),
            Proof::Source(_) => None,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match &self.proof {
            Proof::Claims { .. } if self.secret().is_some() => "SecretJwt",
            Proof::Claims { .. } => "PrivateKeyJwt",
            Proof::Source(_) => "Assertion",
        }
    }

    /// Returns the name of the method in the metadata of servers; `None` for an assertion that the application made.
    #[cfg(feature = "loopback")]
    pub(super) fn method_name(&self) -> Option<&'static str> {
        match &self.proof {
            Proof::Claims { .. } if self.secret().is_some() => Some("client_secret_jwt"),
            Proof::Claims { .. } => Some("private_key_jwt"),
            Proof::Source(_) => None,
        }
    }

    pub(super) fn set_type(&mut self, uri: String) {
        self.assertion_type = uri;
    }

    pub(super) fn set_audience(&mut self, audience: String) {
        if let Proof::Claims { claims, .. } = &mut self.proof {
            **claims = claims.as_ref().clone().audience(audience);
        }
    }
}

/// Signs with the client secret.
#[cfg(feature = "jwt")]
#[derive(Clone)]
struct SecretSigner {
    secret: Secret,
    algorithm: Algorithm,
}

#[cfg(feature = "jwt")]
impl SecretSigner {
    fn key(&self) -> Result<HmacKey, Error> {
        HmacKey::new(self.secret.expose().as_bytes(), self.algorithm)
    }
}

#[cfg(feature = "jwt")]
impl Signer for SecretSigner {
    async fn sign(&self, draft: Draft) -> Result<Signed, Error> {
        self.key()?.sign(draft).await
    }
}
