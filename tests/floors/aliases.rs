//! The words that people type into the search of rustdoc, and the items that they find.

use std::collections::BTreeSet;

/// Each word, with the items that must have it as an alias. Items whose name contains the word are found without one.
const FOUND: &[(&str, &[&str])] = &[
    ("401", &["pub use self::policy::RetryUnauthorized;", "pub fn reject(", "pub fn reject_when<"]),
    ("JAR", &["pub fn request_object("]),
    ("MCP", &["pub use self::protected_resource::ProtectedResource;"]),
    ("PAR", &["pub fn pushed(", "pub fn pushed_if_supported("]),
    ("PKCE", &["pub use self::authorization_code::AuthorizationCode;"]),
    ("RAR", &["pub fn authorization_details("]),
    ("alternatives", &["pub mod comparison {"]),
    ("cache", &["pub use self::cell::Tokens;", "pub mod store;"]),
    ("expire", &["pub fn is_expired(", "pub fn refresh_ahead(", "pub mod behaviour {"]),
    ("kube", &["pub mod clients {"]),
    ("log out", &["pub async fn revoke("]),
    ("logout", &["pub async fn clear(", "pub async fn revoke(", "pub fn forget("]),
    ("multi-tenant", &["pub mod tenants;"]),
    ("on-behalf-of", &["pub mod tenants;"]),
    ("octocrab", &["pub mod clients {"]),
    (
        "openid-configuration",
        &["pub use self::discovery::Issuer;", "pub use self::discovery::Metadata;", "pub mod discovery {"],
    ),
    ("refresh", &["pub mod behaviour {"]),
    ("retry", &["pub use self::policy::RetryUnauthorized;"]),
    ("rotation", &["pub use self::refresh_token::RefreshToken;", "pub mod stores {"]),
    ("sender-constrained", &["pub mod dpop {"]),
    ("single flight", &["pub use self::layer::OAuth2Layer;", "pub async fn refresh(", "pub mod behaviour {"]),
    ("singleflight", &["pub use self::layer::OAuth2Layer;", "pub async fn refresh("]),
    ("well-known", &["pub use self::discovery::Issuer;", "pub mod discovery {"]),
];

/// Returns the aliases that are missing, and those that rustdoc ignores, in the texts of `src`.
pub(crate) fn findings(texts: &[&str]) -> Vec<String> {
    let aliases: Vec<(String, String)> = texts.iter().flat_map(|text| aliases(text)).collect();
    let words: BTreeSet<&str> = FOUND.iter().map(|(word, _)| *word).collect();
    let mut found = Vec::new();
    for (word, items) in FOUND {
        for item in *items {
            if !aliases.iter().any(|(alias, line)| alias == word && line.starts_with(item)) {
                found.push(format!("`{item}` has no #[doc(alias = \"{word}\")]"));
            }
        }
    }
    for (alias, line) in &aliases {
        if !words.contains(&**alias) {
            found.push(format!("`{line}`: the alias {alias:?} is not listed in FOUND"));
        }
        if ["pub struct", "pub enum", "pub trait"].iter().any(|item| line.starts_with(item)) {
            found.push(format!("`{line}`: rustdoc ignores the alias {alias:?} here: add it to the re-export"));
        }
    }
    found
}

/// Returns each alias with the first line of its item.
fn aliases(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(rest) = line.strip_prefix("#[doc(alias = \"") else { continue };
        let alias = rest.split('"').next().unwrap_or_default();
        let item = lines[at..].iter().find(|line| !line.starts_with("#[") && !line.starts_with("//"));
        found.push((alias.to_owned(), item.unwrap_or(&"").to_string()));
    }
    found
}

#[test]
fn a_missing_or_ignored_alias_is_reported() {
    let found = findings(&["#[doc(alias = \"401\")]\n#[derive(Clone)]\npub struct RetryUnauthorized;"]);
    assert!(found.iter().any(|found| found == "`pub fn reject(` has no #[doc(alias = \"401\")]"), "{found:?}");
    assert!(
        found.iter().any(|found| found.starts_with("`pub struct RetryUnauthorized;`: rustdoc ignores")),
        "{found:?}"
    );
    let found = findings(&["#[doc(alias = \"oauth\")]\npub fn f() {}"]);
    assert!(found.iter().any(|found| found.ends_with("the alias \"oauth\" is not listed in FOUND")), "{found:?}");
}
