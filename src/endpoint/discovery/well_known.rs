//! The addresses at which an authorization server publishes its metadata (RFC 8414 §3.1, OpenID Connect Discovery 1.0 §4.1).

use url::Url;

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// Returns the addresses for an issuer, in the order in which they are tried.
///
/// RFC 8414 inserts the well-known part between the host and the path of the issuer, and OpenID Connect appends it. Both remove a
/// terminating `/` of the issuer before.
pub(super) fn addresses(issuer: &Url) -> Vec<Url> {
    let path = issuer.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let at = |path: &str| {
        let mut url = issuer.clone();
        url.set_path(path);
        url
    };
    let inserted = [at(&format!("{OAUTH}{path}")), at(&format!("{OPENID}{path}"))];
    let appended = (!path.is_empty()).then(|| at(&format!("{path}{OPENID}")));
    inserted.into_iter().chain(appended).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_the_rfcs_in_their_order() {
        let cases: [(&str, &[&str]); 6] = [
            (
                "https://example.com",
                &[
                    "https://example.com/.well-known/oauth-authorization-server",
                    "https://example.com/.well-known/openid-configuration",
                ],
            ),
            (
                "https://example.com/",
                &[
                    "https://example.com/.well-known/oauth-authorization-server",
                    "https://example.com/.well-known/openid-configuration",
                ],
            ),
            (
                // RFC 8414 §3.1 and §5, OpenID Connect Discovery §4.1.
                "https://example.com/issuer1",
                &[
                    "https://example.com/.well-known/oauth-authorization-server/issuer1",
                    "https://example.com/.well-known/openid-configuration/issuer1",
                    "https://example.com/issuer1/.well-known/openid-configuration",
                ],
            ),
            (
                "https://example.com/issuer1/",
                &[
                    "https://example.com/.well-known/oauth-authorization-server/issuer1",
                    "https://example.com/.well-known/openid-configuration/issuer1",
                    "https://example.com/issuer1/.well-known/openid-configuration",
                ],
            ),
            (
                "http://127.0.0.1:8080/realms/a%20b/c",
                &[
                    "http://127.0.0.1:8080/.well-known/oauth-authorization-server/realms/a%20b/c",
                    "http://127.0.0.1:8080/.well-known/openid-configuration/realms/a%20b/c",
                    "http://127.0.0.1:8080/realms/a%20b/c/.well-known/openid-configuration",
                ],
            ),
            (
                // Only one terminating slash is removed.
                "https://example.com/a//",
                &[
                    "https://example.com/.well-known/oauth-authorization-server/a/",
                    "https://example.com/.well-known/openid-configuration/a/",
                    "https://example.com/a//.well-known/openid-configuration",
                ],
            ),
        ];
        for (issuer, expected) in cases {
            let addresses = addresses(&Url::parse(issuer).unwrap());
            assert_eq!(addresses.iter().map(Url::as_str).collect::<Vec<_>>(), expected, "{issuer}");
        }
    }
}
