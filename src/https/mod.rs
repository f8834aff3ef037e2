//! An HTTPS client that is ready to use (feature `https`).
//!
//! [`client`] creates a client with the defaults, and [`builder`] creates one with other timeouts or proxies.
//!
//! # Proxies
//!
//! The client reads its proxies from environment variables, as curl does. Lower-case names take precedence over upper-case names, and an
//! empty value counts as unset.
//!
//! | variable | use |
//! | --- | --- |
//! | `https_proxy`, `HTTPS_PROXY` | the proxy for `https://` |
//! | `http_proxy`, `HTTP_PROXY` | the proxy for `http://`; `HTTP_PROXY` is ignored in a CGI program (`REQUEST_METHOD` is set), where a client can set it |
//! | `all_proxy`, `ALL_PROXY` | the proxy for both, unless one of the above is set |
//! | `no_proxy`, `NO_PROXY` | hosts that are connected to directly, separated by commas or whitespace: names (including their subdomains, also written `.name` and `*.name`), addresses, networks such as `10.0.0.0/8`, or `*` |
//!
//! The address of a proxy is `http://`, `https://`, `socks5://` or `socks5h://`. The default scheme is `http://`, and the default port is
//! that of the scheme (80, 443, 1080). User name and password are percent-encoded, as in
//! `http://user:password@proxy.example.com:3128`.
//!
//! - `https://` requests use a tunnel (`CONNECT`) with end-to-end TLS, so the proxy can read neither tokens nor secrets.
//! - `http://` requests are forwarded by an HTTP proxy, with the absolute address in the request line. If the proxy has a user name, they
//!   use a tunnel too, because the password must be only in the `CONNECT` request. Not all proxies open a tunnel to port 80.
//! - A SOCKS proxy resolves the names, for `socks5://` too.
//! - The client always connects directly to loopback hosts (`localhost`, `127.0.0.0/8`, `[::1]`).
//!
//! # Security
//!
//! The client trusts the certificates that the system trusts. It has no built-in list of certificates. Redirects are not followed. The
//! password of a proxy is sent only to the proxy, and it is in no error and in no `Debug` output.

mod builder;
mod certificates;
mod connection;
mod connector;
mod identity;
mod no_proxy;
mod proxy;
mod proxy_connector;
mod proxy_environment;
mod routing;

pub use self::builder::{Builder, builder, client, client_with_identity};
pub use self::connection::Connection;
pub use self::connector::{Connector, HttpsClient};
pub use self::identity::Identity;
