//! Discovers the endpoints of an authorization server from its issuer identifier (RFC 8414, OpenID Connect Discovery 1.0), and the
//! authorization servers of a protected resource (RFC 9728).
//!
//! | file | content |
//! | --- | --- |
//! | `issuer`, `into_issuer` | the issuer identifier with its options, and the arguments that can be one |
//! | `well_known` | the addresses at which a server publishes its metadata |
//! | `metadata`, `endpoint_member`, `private_host` | the document, its endpoints, and the hosts that it may not name |
//! | `fetch_document`, `fetch_metadata` | the request for one document, and requests to the addresses until one has the document of the issuer |
//! | `resource_metadata`, `resource_address` | the document of a protected resource, and its addresses |
//! | `shown_identifier` | how errors print an identifier that a document contains |
//! | `metadata_cache`, `cache_control` | one document for all clones of an issuer, fetched by one caller at a time |

mod cache_control;
mod endpoint_member;
mod fetch_document;
mod fetch_metadata;
pub(super) mod into_issuer;
mod issuer;
mod metadata;
mod metadata_cache;
mod private_host;
mod resource_address;
mod resource_metadata;
mod shown_identifier;
mod well_known;

pub(crate) use self::endpoint_member::EndpointMember;
pub use self::into_issuer::IntoIssuer;
pub use self::issuer::Issuer;
pub use self::metadata::Metadata;
pub(crate) use self::resource_address::ResourceId;
pub(crate) use self::resource_metadata::ResourceLookup;
pub use self::resource_metadata::ResourceMetadata;
