//! Defines the texts of errors: a sentence for people, and a hint for programmers.

use super::kind::ErrorKind;
use super::network::NetworkCause;
use super::opaque::Error;

impl Error {
    /// Returns what happened and what a person can do.
    pub(super) fn sentence(&self) -> &'static str {
        match (self.kind(), self.status().map(|status| status.as_u16()), self.oauth()) {
            (ErrorKind::NotOAuth, Some(404 | 405 | 410), _) => {
                "no endpoint accepts the request at this URL; check the URL, and whether a proxy or a deployment responded"
            }
            (ErrorKind::NotOAuth, Some(407), _) => {
                "a proxy requires a login before it forwards the request; give its user name and password to the HTTP client"
            }
            (ErrorKind::ClientRejected, Some(_), None) => {
                "the client was rejected without an OAuth error; check the client id and the secret, and whether a proxy responded"
            }
            (kind, ..) => kind.message(),
        }
    }

    /// Returns what a programmer can do about the error, in terms of this crate's API. `Debug` prints it too.
    ///
    /// The text is for people, and may change between versions.
    ///
    /// ```
    /// use tower_oauth2::{Error, ErrorKind};
    ///
    /// let error = Error::caused_by(ErrorKind::LoginRequired, "the refresh token is gone");
    /// assert_eq!(error.to_string(), "a person has to log in");
    /// assert!(error.hint().contains("`Tokens::refresh`"));
    /// ```
    pub fn hint(&self) -> &'static str {
        let code = self.oauth().map(|oauth| oauth.error());
        match self.kind() {
            ErrorKind::Configuration => {
                "change the argument or the environment variable that the error names; `trim()` a value that was read from a file"
            }
            ErrorKind::Cleartext => {
                "if the network is protected in another way, `OAuth2Layer::dangerous_allow_cleartext` allows cleartext for the API, and `TokenEndpoint::dangerous_cleartext` for the authorization server"
            }
            ErrorKind::OriginDenied => {
                "add each origin that may receive the token with `OAuth2Layer::origin`, and send other requests through a client without the layer"
            }
            ErrorKind::NoTransport => {
                "send a request through a service of the layer first, or set `OAuth2Layer::token_service`"
            }
            ErrorKind::Recursion => {
                "set a `token_service` without this layer; a grant must not call `Tokens::get` of its own layer, nor the function of `TenantsLayer::new` its own layer for the same key"
            }
            ErrorKind::Transport => transport(self.network_cause()),
            ErrorKind::Timeout => {
                "`token_timeout` limits a token request, and `max_wait` limits the wait of other requests; check for a firewall that drops packets, for a proxy that the program does not use, and for an idle or blocked runtime"
            }
            ErrorKind::Overloaded => "wait: the layer makes the next attempt at `Error::retry_at`",
            ErrorKind::ClientRejected => {
                "try `Client::basic_raw` or `Client::post`, which some servers require, or `Client::public` for a client without a secret; for a client that signs, set `Client::audience` (the issuer or the token endpoint) and `jwt::Key::id` to the values that the server expects"
            }
            ErrorKind::Proof => {
                "check the file, the key or the source that the error names; the layer makes the next attempt at `Error::retry_at`"
            }
            ErrorKind::RequestRejected => request(code),
            ErrorKind::NotOAuth => {
                "send the same request manually (`curl -si -X POST`) and check which server responds; the layer retries after the back-off; if the authorization server rejects a dead refresh token with this response, set `refresh_token_dead_when`"
            }
            ErrorKind::InvalidGrant => {
                "start a new login; a code is valid once, for a short time, and with the redirect URI of its login"
            }
            ErrorKind::LoginRequired => {
                "call `Tokens::refresh` when the person can log in, or set a token with `Tokens::set`; requests start the first login unless `login_on_request(false)` is set, and later logins if `relogin(true)` is set"
            }
            ErrorKind::Denied | ErrorKind::LoginExpired => {
                "requests do not start another login; `Tokens::refresh` does"
            }
            ErrorKind::Loopback => {
                "set several ports with `AuthorizationCode::port`, and use a tokio runtime with I/O enabled"
            }
            ErrorKind::Malformed => {
                "send the same request manually and read the response; `bearer_type` accepts another token type, `max_response_size` limits the size of the response, and `Issuer::metadata_url` sets the address of the metadata"
            }
            ErrorKind::Redirected => {
                "send the same request manually (`curl -si -X POST`), and use the URL in `location` if it belongs to the same server"
            }
            ErrorKind::Store => {
                "the source describes the problem; `Persisted::on_store_error` reports errors of the store long before requests fail"
            }
            ErrorKind::Panicked => "fix the panic; its message and its location are on standard error",
        }
    }
}

fn transport(cause: Option<NetworkCause>) -> &'static str {
    match cause {
        Some(NetworkCause::Dns) => "check the host name, and the DNS resolver of this machine or container",
        Some(NetworkCause::ConnectionRefused) => {
            "no server listens at this host and port, or a firewall rejects the connection; check both"
        }
        Some(NetworkCause::Unreachable) => {
            "there is no route to the host; check the network, IPv6, and whether a proxy is required"
        }
        Some(NetworkCause::Certificate) => {
            "the certificate is not trusted; add the certificate authority of your company or proxy to the system, install `ca-certificates`, and check the host name and the clock"
        }
        Some(NetworkCause::ClientCertificate) => {
            "the server requires a client certificate or rejected it; set one with `https::client_with_identity`, and check its expiry and the authorities that the server accepts"
        }
        Some(NetworkCause::Tls) => {
            "the TLS handshake failed; check the port, the protocol versions, and proxies on the path"
        }
        Some(NetworkCause::Reset) => "the connection was closed; check for a proxy or a firewall on the path",
        Some(NetworkCause::TimedOut) => {
            "check for a firewall that drops packets, and for a proxy that the program does not use"
        }
        None => "the source has the reason; send a request to the same URL with the same client manually",
    }
}

fn request(code: Option<&str>) -> &'static str {
    match code {
        Some("invalid_scope") => "check the names in `scope`, and which of them the server allows for the client",
        Some("invalid_target") => "check `resource`, and which APIs the client may use",
        Some("unsupported_grant_type") => "enable the grant for this client at the server, or use another grant",
        Some("invalid_dpop_proof") => {
            "check the clock (`Dpop::backdate`), the algorithm of the key (ES256), and whether the server has its public address if a proxy is in front of it"
        }
        Some("use_dpop_nonce") => {
            "the server demands a nonce, and its response has none, or another one each time; check whether a proxy removes the header `DPoP-Nonce`"
        }
        _ => "compare `scope`, `resource` and each `param` with the documentation of the server",
    }
}
