//! Hosts that are connected to directly: `no_proxy` in the syntax of curl and of Go.

use http::Uri;

/// Converts the value of `no_proxy` to the syntax of hyper-util's `Matcher`: commas between the entries, and names in lower case.
///
/// curl also accepts whitespace between entries, and Go also accepts `*.name`.
pub(super) fn normalize(no_proxy: &str) -> String {
    let entries = no_proxy.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
    let plain = entries.map(|entry| entry.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(entry));
    plain.map(|entry| without_root_dot(&entry.to_ascii_lowercase()).to_owned()).collect::<Vec<_>>().join(",")
}

/// Converts the host of the destination in the same way, because `Matcher` compares names byte by byte.
pub(super) fn normalize_host(destination: &Uri) -> Uri {
    let host = destination.host().unwrap_or_default();
    let plain = without_root_dot(host).to_ascii_lowercase();
    if plain == host {
        return destination.clone();
    }
    let scheme = destination.scheme_str().unwrap_or("http");
    format!("{scheme}://{plain}/").parse().unwrap_or_else(|_| destination.clone())
}

/// Removes the trailing dot of a name, which does not change its meaning.
fn without_root_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}
