//! Reads how long a metadata document may be kept (RFC 9111 §5.2.2.1).

use std::time::Duration;

use http::HeaderMap;
use http::header::CACHE_CONTROL;

use crate::endpoint::delta_seconds;

/// The lifetime of a document without `max-age`.
const DEFAULT: Duration = Duration::from_secs(60 * 60);
/// The minimum, because a server that forbids caching must not cause a request for each token.
pub(super) const MIN: Duration = Duration::from_secs(5 * 60);
const MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns how long a document with these headers is kept.
pub(super) fn lifetime(headers: &HeaderMap) -> Duration {
    let directives =
        headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    // Contradictory directives: the shortest lifetime is right (RFC 9111 §4.2.1).
    directives.filter_map(directive_lifetime).min().map_or(DEFAULT, |lifetime| lifetime.clamp(MIN, MAX))
}

fn directive_lifetime(directive: &str) -> Option<Duration> {
    let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
    match name.trim().to_ascii_lowercase().as_str() {
        "no-store" | "no-cache" => Some(Duration::ZERO),
        "max-age" => delta_seconds::parse(value.trim().trim_matches('"')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn max_age_counts_within_bounds() {
        for (header, seconds) in [
            ("", 3600),
            ("public", 3600),
            ("max-age=600", 600),
            ("public, MAX-AGE = 600", 600),
            ("max-age=\"600\"", 600),
            ("max-age=0", 300),
            ("max-age=299", 300),
            ("max-age=300", 300),
            ("max-age=86400", 86400),
            ("max-age=86401", 86400),
            ("max-age=99999999999999999999999", 86400),
            ("max-age=-1", 3600),
            ("max-age=soon", 3600),
            ("max-age=", 3600),
            ("s-maxage=600", 3600),
            ("no-store", 300),
            ("no-cache, max-age=600", 300),
            ("max-age=600, no-store", 300),
            ("max-age=86400, max-age=600", 600),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(header));
            assert_eq!(lifetime(&headers), Duration::from_secs(seconds), "{header}");
        }
        assert_eq!(lifetime(&HeaderMap::new()), DEFAULT);
        let mut headers = HeaderMap::new();
        headers.append(CACHE_CONTROL, HeaderValue::from_static("public"));
        headers.append(CACHE_CONTROL, HeaderValue::from_static("max-age=900"));
        assert_eq!(lifetime(&headers), Duration::from_secs(900));
    }
}
