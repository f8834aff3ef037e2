//! Grants: the ways to obtain a token (RFC 6749 §1.3).
//!
//! | grant | for |
//! | --- | --- |
//! | [`ClientCredentials`] | a program that acts on its own behalf |
//! | [`AuthorizationCode`] | a person at this machine, or a web application's visitors |
//! | [`DeviceCode`] | a person who has no browser on this machine |
//! | [`RefreshToken`] | a login in another program |
//! | [`JwtBearer`] | a service account, which signs an assertion |
//! | [`TokenExchange`] | a token of another layer, or of another kind |
//! | [`ProtectedResource`] | an API of which only the URL is known, such as an MCP server |
//! | [`Password`] | servers that support no other grant for a person |
//! | [`Persisted`] | each of these, with its token in a [store](crate::store) |
//! | [`grant_fn`], or a [`Grant`] of your own | all other ways |
//! | [`BoxGrant`] | any of these, chosen at run time |

mod authorization_code;
mod authorization_details;
mod client_credentials;
mod config;
mod context;
mod device_code;
mod grant_fn;
mod grant_options;
mod grant_trait;
mod initial;
mod jwt_bearer;
mod login_policy;
mod parameters;
mod password;
mod persisted;
mod pkce;
mod protected_resource;
mod refresh_token;
mod resource_needs;
mod stall_timeout;
mod token_exchange;

// For rustdoc's search, the aliases of a type in a private module must be on its re-export.
#[doc(alias = "PKCE")]
pub use self::authorization_code::AuthorizationCode;
pub use self::authorization_code::{Authorization, Code};
pub use self::client_credentials::ClientCredentials;
pub use self::context::{Context, Reason};
pub(crate) use self::context::{Intervention, TokenSink};
#[cfg(feature = "terminal")]
pub use self::device_code::terminal_prompt;
pub use self::device_code::{DeviceCode, DeviceOutcome, DevicePrompt};
pub use self::grant_fn::{GrantFn, grant_fn};
pub use self::grant_trait::{BoxGrant, Grant};
pub(crate) use self::initial::initial_token;
pub use self::jwt_bearer::JwtBearer;
pub use self::password::Password;
pub use self::persisted::Persisted;
pub use self::protected_resource::Discovered;
#[doc(alias = "MCP")]
pub use self::protected_resource::ProtectedResource;
#[doc(alias = "rotation")]
pub use self::refresh_token::RefreshToken;
pub(crate) use self::stall_timeout::StallTimeout;
pub use self::token_exchange::{Issued, TokenExchange, token_type};
