//! The token of a caller, as the key of its exchanged token.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::secret::Secret;
use crate::source::{Source, SourceContext};

/// The token of a caller, which is the key of its token cell and the subject of its token exchange ([RFC 8693]).
///
/// Two subjects are equal if their tokens are. So a new token of the same user is another key, and never gets the token that was exchanged
/// for an old one.
///
/// ```
/// use tower_oauth2::{client::Client, grant::{TokenExchange, token_type}, tenants::{Subject, TenantsLayer}};
///
/// let client = Client::basic("gateway", "secret");
/// let tenants = TenantsLayer::new(move |user: &Subject| {
///     TokenExchange::new("https://sts.example.com/token", client.clone(), token_type::ACCESS_TOKEN, user.clone())
/// });
/// # let _ = tenants;
///
/// // For each request that the gateway forwards:
/// # let incoming_token = "2YotnFZFEjr1zCsicMWpAA";
/// let mut request = http::Request::get("https://api.example.com/things").body(())?;
/// request.extensions_mut().insert(Subject::new(incoming_token));
/// # Ok::<(), http::Error>(())
/// ```
///
/// For several APIs behind the gateway, the key is a pair, such as `(Subject, Api)`, because each API gets a token of its own.
///
/// # Security
///
/// Verify the token of the caller before you insert it. An authorization server rejects one that is not valid, but each costs a request, and a
/// token cell.
///
/// The text is kept in memory as long as the cell is. `Debug` does not show it.
///
/// [RFC 8693]: https://www.rfc-editor.org/rfc/rfc8693
#[derive(Clone)]
pub struct Subject(Arc<SubjectToken>);

struct SubjectToken {
    token: Secret,
    /// The hash of the token. Comparing hashes takes the same time for each pair of tokens that differ.
    sha256: [u8; 32],
}

impl Subject {
    /// Creates a subject from the token of a caller, without the `Bearer` of the header.
    pub fn new(token: impl Into<String>) -> Self {
        let token = Secret::new(token);
        let sha256 = Sha256::digest(token.expose()).into();
        Self(Arc::new(SubjectToken { token, sha256 }))
    }
}

impl PartialEq for Subject {
    fn eq(&self, other: &Self) -> bool {
        self.0.sha256 == other.0.sha256
    }
}

impl Eq for Subject {}

impl Hash for Subject {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.sha256.hash(state);
    }
}

/// Returns the token.
impl Source for Subject {
    async fn fetch(&self, _cx: SourceContext) -> Result<String, Error> {
        Ok(self.0.token.expose().to_owned())
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject([secret])")
    }
}
