//! `Challenge` parses the `WWW-Authenticate` headers of servers.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;
use tower_oauth2::Challenge;

fn parse(values: &[&str]) -> Vec<Challenge> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
    }
    Challenge::parse(&headers)
}

#[test]
fn challenges_of_several_headers_are_parsed_in_order() {
    let found =
        parse(&["Negotiate YWJj==, Basic realm=\"a, b\"", "Bearer error=\"insufficient_scope\", scope=\"read write\""]);
    let schemes: Vec<_> = found.iter().map(Challenge::scheme).collect();
    assert_eq!(schemes, ["Negotiate", "Basic", "Bearer"]);
    assert_eq!(found[1].param("REALM"), Some("a, b"));
    assert_eq!((found[2].error(), found[2].scope()), (Some("insufficient_scope"), Some("read write")));
    assert_eq!(parse(&[]), []);
}

#[test]
fn malformed_headers_of_real_servers_are_parsed() {
    for (header, scheme, error) in [
        ("OAuth realm=\"x\", error='invalid_token'", "OAuth", Some("invalid_token")),
        (
            "Bearer error='invalid_token', error_description='The token is expired, log in'",
            "Bearer",
            Some("invalid_token"),
        ),
        ("bearer error=invalid_token", "bearer", Some("invalid_token")),
        ("Bearer error=\"invalid_token\" error_description=\"expired\"", "Bearer", Some("invalid_token")),
        ("Bearer realm=\"x\", error=\"invalid_token\", error_description=\"open", "Bearer", Some("invalid_token")),
        ("Token", "Token", None),
        ("OAuth \"Platform\" \"invalid_token\" \"expired\"", "OAuth", None),
    ] {
        let found = parse(&[header]);
        assert_eq!((found.len(), found[0].scheme(), found[0].error()), (1, scheme, error), "{header}");
    }
    let found = parse(&["Bearer resource_metadata=https://mcp.example.com/.well-known/oauth-protected-resource"]);
    let address = "https://mcp.example.com/.well-known/oauth-protected-resource";
    assert_eq!(found[0].resource_metadata(), Some(address));
}

#[test]
fn malformed_challenges_are_skipped() {
    let found =
        parse(&["realm=\"of no scheme\"", "{}", "", "Basic realm=\"x\", Bearer{, error=\"y\", DPoP algs=ES256"]);
    let schemes: Vec<_> = found.iter().map(Challenge::scheme).collect();
    assert_eq!(schemes, ["Basic", "DPoP"]);
    assert_eq!(found[0].error(), None, "the error belongs to another challenge");
}

#[test]
fn a_very_long_header_is_skipped() {
    let long = format!("Bearer realm=\"{}\"", "x".repeat(64 * 1024));
    assert_eq!(parse(&[&long, "Bearer realm=\"x\""])[0].param("realm"), Some("x"));
    assert!(parse(&["a, ".repeat(20_000).as_str(), "Bearer"]).len() < 100);
}
