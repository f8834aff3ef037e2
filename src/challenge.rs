//! `WWW-Authenticate` (RFC 9110 §11.6.1): which schemes a server asks for.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// Whether a refusal clearly asks for other schemes than ours, so that a new token would not help.
///
/// Servers differ: no header, an empty one and an unreadable one have all been seen for an expired token, so each of them
/// leaves the token in doubt.
pub(crate) fn asks_for_others_only(headers: &HeaderMap) -> bool {
    let mut asked = false;
    for value in headers.get_all(WWW_AUTHENTICATE) {
        let Some(schemes) = value.to_str().ok().and_then(schemes) else { return false };
        if schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("dpop")) {
            return false;
        }
        asked |= !schemes.is_empty();
    }
    asked
}

/// The schemes of one header, which may hold several challenges; `None` when it cannot be read.
///
/// A comma stands between challenges, and between the parameters of one: what follows it is a parameter if it goes on with
/// `=`, and else the next scheme.
fn schemes(value: &str) -> Option<Vec<&str>> {
    let mut schemes = Vec::new();
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(schemes);
        }
        let (word, after) = token(rest)?;
        if let Some(value) = after.trim_start_matches([' ', '\t']).strip_prefix('=') {
            // A parameter belongs to a scheme.
            schemes.last()?;
            rest = parameter_value(value.trim_start_matches([' ', '\t']))?;
            continue;
        }
        schemes.push(word);
        rest = match after.strip_prefix(' ') {
            Some(credentials) => without_token68(credentials.trim_start_matches(' ')),
            None => after,
        };
        if !(rest.is_empty() || rest.starts_with([' ', '\t', ',']) || token(rest).is_some()) {
            return None;
        }
    }
}

/// A token (RFC 9110 §5.6.2), and what follows it.
fn token(text: &str) -> Option<(&str, &str)> {
    let is_tchar = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_tchar(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Skips the value of a parameter: a token, or a quoted string with quoted pairs. It must end there.
fn parameter_value(text: &str) -> Option<&str> {
    let after = match text.strip_prefix('"') {
        None => token(text)?.1,
        Some(quoted) => {
            let mut escaped = false;
            let end = quoted.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            })?;
            quoted.get(end + 1..)?
        }
    };
    let after = after.trim_start_matches([' ', '\t']);
    (after.is_empty() || after.starts_with(',')).then_some(after)
}

/// Skips `token68`, if there is one: it stands alone behind the scheme, and `=` only pads it.
fn without_token68(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "-._~+/".contains(c))).unwrap_or(text.len());
    let after = text.get(end..).unwrap_or_default().trim_start_matches('=').trim_start_matches([' ', '\t']);
    if end > 0 && (after.is_empty() || after.starts_with(',')) { after } else { text }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn schemes_are_told_from_parameters() {
        for (value, read) in [
            ("Bearer", Some(vec!["Bearer"])),
            ("bearer realm=\"x\", error=\"invalid_token\"", Some(vec!["bearer"])),
            ("Basic realm=\"x\", Bearer error=invalid_token", Some(vec!["Basic", "Bearer"])),
            ("Basic realm=\"a, Bearer b\"", Some(vec!["Basic"])),
            (r#"Digest realm="quoted \" pair", nonce="1" , Negotiate"#, Some(vec!["Digest", "Negotiate"])),
            ("Negotiate YWJj==, Bearer", Some(vec!["Negotiate", "Bearer"])),
            ("Negotiate YWJj", Some(vec!["Negotiate"])),
            ("Basic realm = \"x\"", Some(vec!["Basic"])),
            (",, Basic , ,", Some(vec!["Basic"])),
            ("", Some(vec![])),
            ("realm=\"x\"", None),
            ("Bearer realm=\"open", None),
            ("Bearer realm=\"x\" error=y", None),
            ("\"Bearer\"", None),
            ("Bearer {}", None),
        ] {
            assert_eq!(schemes(value), read, "{value}");
        }
    }

    #[test]
    fn only_a_clear_word_for_others_counts() {
        for (values, others) in [
            (&[][..], false),
            (&["Basic realm=x"], true),
            (&["Basic realm=x", "Negotiate"], true),
            (&["Basic realm=x", "BEARER"], false),
            (&["Basic realm=x, DPoP algs=\"ES256\""], false),
            (&["Basic realm=\"open"], false),
            (&[""], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(asks_for_others_only(&headers), others, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(value in ".*") {
            let _ = schemes(&value);
        }

        #[test]
        fn what_is_well_formed_is_read(
            challenges in prop::collection::vec(("[A-Za-z][A-Za-z0-9-]{0,8}", prop::option::of("[ -!#-\\[\\]-~]{0,12}")), 1..5)
        ) {
            let text: Vec<String> = challenges
                .iter()
                .map(|(scheme, realm)| match realm {
                    Some(realm) => format!("{scheme} realm=\"{realm}\", x=y"),
                    None => scheme.clone(),
                })
                .collect();
            let expected: Vec<&str> = challenges.iter().map(|(scheme, _)| scheme.as_str()).collect();
            let text = text.join(", ");
            prop_assert_eq!(schemes(&text), Some(expected));
        }
    }
}
