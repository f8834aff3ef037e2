//! The address of an endpoint: given by the application, or discovered.

use std::fmt;
use std::sync::Arc;

use http::Uri;

use super::discovery::{EndpointMember, Metadata};
use crate::into_url::WithoutQuery;

/// Locates an endpoint of one server.
#[derive(Clone)]
pub(crate) enum Address {
    /// The application has given it.
    Fixed(Uri),
    /// The metadata of the issuer names it.
    Discovered(EndpointMember),
}

/// An address to which a request can be sent.
pub(crate) struct ResolvedAddress {
    pub(crate) uri: Uri,
    /// The metadata of the server, if its issuer is known.
    pub(crate) metadata: Option<Arc<Metadata>>,
}

/// Omits the query, which may contain a key.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(uri) => fmt::Debug::fmt(&WithoutQuery(&uri.to_string()), f),
            Self::Discovered(member) => f.write_str(member.name()),
        }
    }
}
