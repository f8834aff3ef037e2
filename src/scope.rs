//! Parses a scope: names separated by spaces (RFC 6749 §3.3).

use crate::error::Error;

/// Parses a scope, and reduces the spaces between the names to one. A scope without names is `None`.
pub(crate) fn parse(scope: &str) -> Result<Option<String>, Error> {
    let mut names = Vec::new();
    for name in scope.split(' ').filter(|name| !name.is_empty()) {
        // scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
        if let Some(bad) = name.chars().find(|c| !matches!(c, '\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e')) {
            return Err(Error::argument(
                "scope",
                format!("the character {bad:?} is not allowed in a scope (RFC 6749 §3.3)"),
            ));
        }
        names.push(name);
    }
    Ok((!names.is_empty()).then(|| names.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn spaces_are_reduced() {
        for (given, read) in
            [("a", Some("a")), ("  a   b ", Some("a b")), ("", None), ("   ", None), ("a,b c", Some("a,b c"))]
        {
            assert_eq!(parse(given).unwrap().as_deref(), read, "{given:?}");
        }
    }

    #[test]
    fn the_error_names_the_forbidden_character() {
        for (given, named) in [("a\"b", "'\"'"), ("a\\b", "'\\\\'"), ("a\tb", "'\\t'"), ("é", "'é'"), ("a\nb", "'\\n'")]
        {
            let text = parse(given).unwrap_err().to_string();
            assert!(text.contains("`scope`") && text.contains(named), "{given:?}: {text}");
        }
    }
}
