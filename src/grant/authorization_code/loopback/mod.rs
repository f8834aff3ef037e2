//! The login of a user on this machine (RFC 8252 §7.3): the server redirects their browser to a loopback port.
//!
//! ```text
//!  login.rs ── listens ────▶ sockets.rs, port.rs        a port of this machine, until a moment after the login
//!     │  └──── opens ──────▶ browser.rs                 on its own thread
//!     ▼
//!  server.rs ── accept.rs, connections.rs               bounded in number, size and time
//!     │ request
//!     ▼
//!  routes.rs ── pending_login.rs ── page.rs             completes the login, and responds with a page
//! ```

mod accept;
mod browser;
mod connections;
mod login;
mod loopback_options;
mod owner;
mod page;
mod pending_login;
mod port;
mod resource_login;
mod routes;
mod server;
mod settings;
mod sockets;

pub(in crate::grant) use self::owner::GrantId;
pub(super) use self::settings::Loopback;
