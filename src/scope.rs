//! Scope: names between blanks (RFC 6749 §3.3).

use crate::error::Error;

/// Reads what the user wrote: blanks around and between the names are reduced to one between. Nothing but blanks is no
/// scope.
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
    fn blanks_are_reduced() {
        for (given, read) in [("a", Some("a")), ("  a   b ", Some("a b")), ("", None), ("   ", None)] {
            assert_eq!(parse(given).unwrap().as_deref(), read, "{given:?}");
        }
    }

    #[test]
    fn forbidden_characters_are_named() {
        for (given, named) in [("a\"b", "'\"'"), ("a\\b", "'\\\\'"), ("a\tb", "'\\t'"), ("é", "'é'"), ("a\nb", "'\\n'")]
        {
            let text = parse(given).unwrap_err().to_string();
            assert!(text.contains("`scope`") && text.contains(named), "{given:?}: {text}");
        }
    }
}
