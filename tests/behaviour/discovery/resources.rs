//! M1–M4: the metadata of a protected resource (RFC 9728).

use std::time::Duration;

use http::HeaderMap;
use serde_json::{Value, json};
use tower_oauth2::endpoint::ResourceMetadata;
use tower_oauth2::{Challenge, Error, ErrorKind};

use super::site::Site;
use crate::support::answer;

const RESOURCE: &str = "https://mcp.example.com/mcp";
const INSERTED: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
const ROOT: &str = "https://mcp.example.com/.well-known/oauth-protected-resource";
const NAMED: &str = "https://mcp.example.com/metadata";

fn document(resource: &str) -> Value {
    json!({"resource": resource, "authorization_servers": ["https://auth.example.com"], "scopes_supported": ["a", "b"]})
}

/// The challenge of an API that names the address of its metadata.
fn challenge(scheme: &str, address: &str) -> Challenge {
    parsed(&format!("{scheme} resource_metadata=\"{address}\""))
}

fn parsed(challenge: &str) -> Challenge {
    let mut headers = HeaderMap::new();
    headers.insert("www-authenticate", challenge.parse().unwrap());
    Challenge::parse(&headers).remove(0)
}

async fn discover(site: &Site, challenge: Option<&Challenge>) -> Result<ResourceMetadata, Error> {
    ResourceMetadata::discover(&site.transport(), RESOURCE, challenge).await
}

#[tokio::test(start_paused = true)]
async fn m1_the_address_of_the_challenge_comes_first_whatever_its_scheme() {
    for scheme in ["Bearer", "DPoP", "Custom"] {
        let site = Site::default();
        site.json(NAMED, document(RESOURCE));
        let metadata = discover(&site, Some(&challenge(scheme, NAMED))).await.unwrap();
        assert_eq!(metadata.resource(), RESOURCE);
        assert_eq!(metadata.authorization_servers(), ["https://auth.example.com"]);
        assert_eq!(metadata.scopes_supported().unwrap(), ["a", "b"]);
        assert_eq!(site.take_urls(), [NAMED]);
        // It is fetched again for each call.
        discover(&site, Some(&challenge(scheme, NAMED))).await.unwrap();
        assert_eq!(site.take_urls(), [NAMED]);
    }
}

#[tokio::test(start_paused = true)]
async fn m1_a_404_leads_to_the_well_known_addresses_in_their_order() {
    for (page, expected) in [(INSERTED, &[NAMED, INSERTED][..]), (ROOT, &[NAMED, INSERTED, ROOT])] {
        let site = Site::default();
        site.json(page, document(if page == ROOT { "https://mcp.example.com" } else { RESOURCE }));
        discover(&site, Some(&challenge("Bearer", NAMED))).await.unwrap();
        assert_eq!(site.take_urls(), expected);
        // Without an address in the challenge, or without a challenge.
        for challenge in [None, Some(&parsed("Bearer realm=x"))] {
            discover(&site, challenge).await.unwrap();
            assert_eq!(site.take_urls(), expected[1..]);
        }
    }
    let site = Site::default();
    let error = discover(&site, Some(&challenge("Bearer", NAMED))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    for address in [NAMED, INSERTED, ROOT] {
        assert!(error.to_string().contains(&format!("{address}: status 404")), "{error}");
    }
}

/// Another person may control another part of the site.
#[tokio::test(start_paused = true)]
async fn m1_only_a_404_leads_to_the_next_address() {
    let other = document("https://mcp.example.com/other");
    let responses = [
        ("a redirect", answer(302, "")),
        ("a web page", answer(200, "<!doctype html>")),
        ("a list", answer(200, "[]")),
        ("a forbidden page", answer(403, "")),
        ("a page that is gone", answer(410, "")),
        ("no resource", answer(200, json!({"authorization_servers": ["https://auth.example.com"]}))),
        ("a resource that is no text", answer(200, json!({"resource": [RESOURCE]}))),
        ("another resource", answer(200, other)),
        (
            "a document of 2 MiB",
            answer(200, format!("{{\"resource\": \"{RESOURCE}\", \"x\": \"{}\"}}", "x".repeat(2 << 20))),
        ),
    ];
    for (what, response) in responses {
        let site = Site::default();
        site.page(INSERTED, move || response.clone());
        site.json(ROOT, document("https://mcp.example.com"));
        let error = discover(&site, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{what}");
        assert_eq!(site.take_urls(), [INSERTED], "{what}");
        assert!(error.to_string().contains(INSERTED), "{what}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn m2_the_resource_is_compared_exactly() {
    for (page, resource, is_accepted) in [
        (INSERTED, RESOURCE, true),
        (INSERTED, "https://mcp.example.com/mcp/", false),
        (INSERTED, "https://MCP.example.com/mcp", false),
        (INSERTED, "https://mcp.example.com:443/mcp", false),
        (INSERTED, "https://mcp.example.com", false),
        (INSERTED, "https://mcp.example.com/mcp?x", false),
        (ROOT, "https://mcp.example.com", true),
        (ROOT, "https://mcp.example.com/", false),
        (ROOT, RESOURCE, false),
        (ROOT, "https://evil.example.com", false),
        (NAMED, RESOURCE, true),
        (NAMED, "https://mcp.example.com", false),
        (NAMED, "https://evil.example.com/mcp", false),
    ] {
        let site = Site::default();
        site.json(page, document(resource));
        let challenge = (page == NAMED).then(|| challenge("Bearer", NAMED));
        let found = discover(&site, challenge.as_ref()).await;
        assert_eq!(found.is_ok(), is_accepted, "{page} {resource}");
        if let Err(error) = found {
            assert_eq!(error.kind(), ErrorKind::Malformed);
            let shown = resource.replace("?x", "?[secret]");
            assert!(error.to_string().contains(&format!("resource `{shown}`")), "both are shown: {error}");
            let names_query = error.to_string().contains("they differ in the query, which is not printed");
            assert_eq!(names_query, resource.ends_with("?x"), "{error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn m3_an_address_that_the_challenge_must_not_name_is_not_requested() {
    for address in [
        "http://mcp.example.com/metadata",
        "https://127.0.0.1/metadata",
        "https://localhost/metadata",
        "https://10.0.0.1/metadata",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/metadata",
        "https://user:hunter2@mcp.example.com/metadata",
        "https://mcp.example.com/metadata#x",
        "ftp://mcp.example.com/metadata",
        "/metadata",
        "nonsense",
        "",
    ] {
        let site = Site::default();
        site.json(INSERTED, document(RESOURCE));
        let error = discover(&site, Some(&challenge("Bearer", address))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{address}");
        assert!(error.to_string().contains("the challenge names an address"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
        assert!(site.take_urls().is_empty(), "{address}");
    }
    // The resource itself is on a private host.
    let site = Site::default();
    site.json("http://127.0.0.1:9/metadata", document("http://127.0.0.1:8/mcp"));
    let challenge = challenge("Bearer", "http://127.0.0.1:9/metadata");
    ResourceMetadata::discover(&site.transport(), "http://127.0.0.1:8/mcp", Some(&challenge)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn m3_a_resource_that_cannot_have_a_token_is_an_error() {
    let site = Site::default();
    for (resource, kind) in [
        ("mcp.example.com", ErrorKind::Configuration),
        ("", ErrorKind::Configuration),
        ("https://user@mcp.example.com/", ErrorKind::Configuration),
        ("https://mcp.example.com/#x", ErrorKind::Configuration),
        (" https://mcp.example.com/", ErrorKind::Configuration),
        ("https://mcp.example.com/\n", ErrorKind::Configuration),
        ("ftp://mcp.example.com/", ErrorKind::Configuration),
        ("http://mcp.example.com/", ErrorKind::Cleartext),
    ] {
        let error = ResourceMetadata::discover(&site.transport(), resource, None).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{resource:?}");
    }
    assert!(site.take_urls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_outage_keeps_its_kind_and_ends_the_search() {
    for status in [408, 429, 500, 503] {
        let site = Site::default();
        site.status(INSERTED, status);
        site.json(ROOT, document("https://mcp.example.com"));
        let error = discover(&site, None).await.unwrap_err();
        assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Overloaded, status));
        assert_eq!(site.take_urls(), [INSERTED], "{status}");
    }
    let site = Site::default();
    site.try_page(INSERTED, || Err("connection reset".into()));
    assert_eq!(discover(&site, None).await.unwrap_err().kind(), ErrorKind::Transport);
}

/// All requests have the timeout of one together.
#[tokio::test(start_paused = true)]
async fn the_search_ends_with_the_timeout() {
    let site = Site::default();
    for address in [NAMED, INSERTED, ROOT] {
        site.delay(address, Duration::from_secs(20));
    }
    let start = tokio::time::Instant::now();
    let error = discover(&site, Some(&challenge("Bearer", NAMED))).await.unwrap_err();
    assert_eq!((error.kind(), start.elapsed().as_secs()), (ErrorKind::Timeout, 30));
    assert_eq!(site.take_urls(), [NAMED, INSERTED]);
}

#[tokio::test(start_paused = true)]
async fn members_of_other_types_are_skipped() {
    for (servers, scopes, expected) in [
        (json!(["https://a.example", 7, null, "https://b.example"]), json!(null), (2, None)),
        (json!("https://a.example"), json!([]), (0, Some(0))),
        (json!(null), json!(["a", ["b"]]), (0, Some(1))),
    ] {
        let site = Site::default();
        let body = json!({"resource": RESOURCE, "authorization_servers": servers, "scopes_supported": scopes});
        site.json(INSERTED, body);
        let metadata = discover(&site, None).await.unwrap();
        assert_eq!(metadata.authorization_servers().len(), expected.0);
        assert_eq!(metadata.scopes_supported().map(<[_]>::len), expected.1);
        assert_eq!(metadata.member("authorization_servers"), Some(&servers));
    }
}

/// The query of an address can contain a key.
#[tokio::test(start_paused = true)]
async fn queries_are_not_shown() {
    let resource = "https://mcp.example.com/mcp?key=hunter2-key";
    let site = Site::default();
    let inserted = format!("{INSERTED}?key=hunter2-key");
    site.json(&inserted, document("https://mcp.example.com/mcp?key=hunter2-key&x"));
    let error = ResourceMetadata::discover(&site.transport(), resource, None).await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
    site.json(&inserted, document(resource));
    let metadata = ResourceMetadata::discover(&site.transport(), resource, None).await.unwrap();
    assert_eq!(metadata.resource(), resource);
    assert!(!format!("{metadata:?}").contains("hunter2"));
}
