//! Splits a `WWW-Authenticate` header into schemes and parameters.

use std::borrow::Cow;

const BLANK: [char; 2] = [' ', '\t'];
const END: [char; 3] = [' ', '\t', ','];

/// The part of a header that has not been parsed.
#[derive(Debug, PartialEq)]
pub(super) enum Item<'a> {
    Scheme(&'a str),
    /// A parameter of the last scheme: its name, and its value without quotes.
    Param(&'a str, Cow<'a, str>),
}

/// Reads one header, which may contain several challenges.
///
/// A comma separates challenges, and also the parameters of one challenge. The word after it is a parameter if `=` follows, and
/// the next scheme otherwise.
pub(super) struct Reader<'a> {
    rest: &'a str,
    last: Last,
    is_well_formed: bool,
    /// Whether parameters belong to the last scheme. They do not if another scheme was skipped since.
    has_scheme: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Last {
    Nothing,
    Scheme,
    Other,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, last: Last::Nothing, is_well_formed: true, has_scheme: false }
    }

    /// Returns whether everything read so far follows the grammar.
    pub(super) fn is_well_formed(&self) -> bool {
        self.is_well_formed
    }

    /// Skips to the next comma outside of quotes.
    fn skip(&mut self) {
        self.is_well_formed = false;
        let (mut is_quoted, mut is_escaped) = (false, false);
        let end = self.rest.find(|c| {
            is_quoted ^= c == '"' && !is_escaped;
            is_escaped = is_quoted && c == '\\' && !is_escaped;
            c == ',' && !is_quoted
        });
        self.rest = end.and_then(|end| self.rest.get(end..)).unwrap_or_default();
    }

    /// Reads the value of a parameter. `None` if there is no value, or if its quote is not closed.
    fn value(&mut self, text: &'a str) -> Option<Cow<'a, str>> {
        let (value, is_well_formed, rest) = if let Some(text) = text.strip_prefix('"') {
            match quoted(text) {
                Some((value, rest)) => (Some(value), true, rest),
                None => (None, false, ""),
            }
        } else if let Some((value, rest)) = single_quoted(text) {
            (Some(value.into()), is_token(value), rest)
        } else {
            let (value, rest) = text.split_at(text.find(END).unwrap_or(text.len()));
            let is_well_formed = is_token(value) && !value.is_empty() && !value.starts_with('\'');
            ((!value.is_empty()).then_some(value.into()), is_well_formed, rest)
        };
        self.is_well_formed &= is_well_formed;
        self.rest = rest;
        value
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        loop {
            let rest = self.rest.trim_start_matches(END);
            if rest.is_empty() {
                return None;
            }
            let separator = self.rest.strip_suffix(rest).unwrap_or_default();
            let last = std::mem::replace(&mut self.last, Last::Other);
            let is_separate = last == Last::Nothing || separator.contains(',');
            self.rest = rest;
            let (word, after) = token(rest);
            if let Some(value) = after.trim_start_matches(BLANK).strip_prefix('=').filter(|_| !word.is_empty()) {
                self.is_well_formed &= self.has_scheme && (is_separate || last == Last::Scheme);
                let value = self.value(value.trim_start_matches(BLANK));
                if let (true, Some(value)) = (self.has_scheme, value) {
                    return Some(Item::Param(word, value));
                }
            } else if is_separate && !word.is_empty() && (after.is_empty() || after.starts_with(END)) {
                self.rest = without_token68(after);
                (self.last, self.has_scheme) = (Last::Scheme, true);
                return Some(Item::Scheme(word));
            } else {
                // After a comma, this may be a malformed scheme. The following parameters then belong to it.
                self.has_scheme &= !is_separate;
                self.skip();
            }
        }
    }
}

fn is_tchar(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

fn is_token(text: &str) -> bool {
    text.chars().all(is_tchar)
}

/// Splits off a token (RFC 9110 §5.6.2), which may be empty.
fn token(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c| !is_tchar(c)).unwrap_or(text.len()))
}

/// Reads a quoted string after its first quote. Returns its value and the rest of the text.
fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut is_escaped = false;
    let end = text.find(|c| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    })?;
    let (value, rest) = (text.get(..end)?, text.get(end + 1..)?);
    Some((if value.contains('\\') { unescaped(value).into() } else { value.into() }, rest))
}

/// Replaces each quoted pair by its second character.
fn unescaped(text: &str) -> String {
    let mut chars = text.chars();
    std::iter::from_fn(|| chars.next().and_then(|c| if c == '\\' { chars.next() } else { Some(c) })).collect()
}

/// Reads a value in single quotes, which some servers send. The first quote at the end of a word closes the value.
fn single_quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('\'')?;
    let mut ends = text.match_indices('\'').filter_map(|(at, quote)| text.get(..at).zip(text.get(at + quote.len()..)));
    ends.find(|(_, rest)| rest.is_empty() || rest.starts_with(END))
}

/// Skips a `token68`, if there is one. It is the only text after a scheme, and contains `=` only as padding.
fn without_token68(text: &str) -> &str {
    let credentials = text.trim_start_matches(BLANK);
    let rest = credentials.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c));
    let after = rest.trim_start_matches('=').trim_start_matches(BLANK);
    if rest.len() < credentials.len() && (after.is_empty() || after.starts_with(',')) { after } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Formats the schemes and parameters of a header. Returns also whether the header is well-formed.
    fn read(text: &str) -> (String, bool) {
        let mut reader = Reader::new(text);
        let mut all = String::new();
        for item in reader.by_ref() {
            match item {
                Item::Scheme(scheme) if all.is_empty() => all.push_str(scheme),
                Item::Scheme(scheme) => all = format!("{all} | {scheme}"),
                Item::Param(name, value) => all = format!("{all} {name}=<{value}>"),
            }
        }
        (all, reader.is_well_formed())
    }

    #[test]
    fn well_formed_headers_are_parsed() {
        for (text, found) in [
            ("", ""),
            (",, Basic , ,", "Basic"),
            ("Bearer", "Bearer"),
            ("bearer realm=\"x\", error=\"invalid_token\"", "bearer realm=<x> error=<invalid_token>"),
            ("Basic realm=\"x\", Bearer error=invalid_token", "Basic realm=<x> | Bearer error=<invalid_token>"),
            ("Basic realm=\"a, Bearer b\"", "Basic realm=<a, Bearer b>"),
            (r#"Digest realm="a \" b\\", nonce="1" , Negotiate"#, r#"Digest realm=<a " b\> nonce=<1> | Negotiate"#),
            ("Negotiate YWJj==, Bearer", "Negotiate | Bearer"),
            ("Negotiate YWJj", "Negotiate"),
            ("Basic realm = \"x\"", "Basic realm=<x>"),
            ("Basic realm=\"\"", "Basic realm=<>"),
            ("OAuth realm=\"x\", error='invalid_token'", "OAuth realm=<x> error=<invalid_token>"),
            ("OAuth error=''", "OAuth error=<>"),
        ] {
            assert_eq!(read(text), (found.to_owned(), true), "{text}");
        }
    }

    #[test]
    fn malformed_parts_are_skipped_and_the_rest_is_kept() {
        for (text, found) in [
            ("realm=\"x\"", ""),
            ("realm=\"x\", Bearer error=y", "Bearer error=<y>"),
            ("\"Bearer\", Basic", "Basic"),
            ("Bearer {}", "Bearer"),
            ("Bearer realm=\"open", "Bearer"),
            ("Bearer error=\"x\", realm=\"open, Basic", "Bearer error=<x>"),
            ("Bearer error=\"x\", realm=, scope=\"y\"", "Bearer error=<x> scope=<y>"),
            ("Bearer realm=\"x\" error=y", "Bearer realm=<x> error=<y>"),
            ("Bearer realm='x' error='y'", "Bearer realm=<x> error=<y>"),
            (
                "Bearer error=x, error_description='It's over, log in', scope='a b'",
                "Bearer error=<x> error_description=<It's over, log in> scope=<a b>",
            ),
            ("Bearer error_description='It", "Bearer error_description=<'It>"),
            (
                "Bearer error_description=\"an \"odd odd\" quote\", scope=\"y\"",
                "Bearer error_description=<an > scope=<y>",
            ),
            (
                "Bearer resource_metadata=https://a.example/b?c=d, error=x",
                "Bearer resource_metadata=<https://a.example/b?c=d> error=<x>",
            ),
            ("OAuth \"Platform\" \"invalid_token\" \"a, b\", Bearer", "OAuth | Bearer"),
            // The parameters of a malformed scheme do not belong to another scheme.
            ("Basic realm=\"x\", Bearer{ a=b, error=\"y\", Digest", "Basic realm=<x> | Digest"),
            ("Basic Bearer error=x", "Basic"),
        ] {
            assert_eq!(read(text), (found.to_owned(), false), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_to_its_end(text in "\\PC*|[ABe=\"'\\\\, \t]*") {
            let mut reader = Reader::new(&text);
            prop_assert!(reader.by_ref().count() <= text.len());
            prop_assert_eq!(reader.rest.trim_matches(END), "");
        }

        #[test]
        fn any_well_formed_header_is_parsed(
            challenges in prop::collection::vec(("[A-Za-z][A-Za-z0-9-]{0,8}", prop::option::of("[ -~]{0,12}")), 1..5)
        ) {
            let mut text = Vec::new();
            let mut expected = Vec::new();
            for (scheme, realm) in &challenges {
                expected.push(Item::Scheme(scheme));
                let Some(realm) = realm else {
                    text.push(scheme.clone());
                    continue;
                };
                let escaped = realm.replace('\\', "\\\\").replace('"', "\\\"");
                text.push(format!("{scheme} realm=\"{escaped}\", x=y"));
                expected.extend([Item::Param("realm", realm.into()), Item::Param("x", "y".into())]);
            }
            let text = text.join(", ");
            let mut reader = Reader::new(&text);
            prop_assert_eq!(reader.by_ref().collect::<Vec<_>>(), expected);
            prop_assert!(reader.is_well_formed());
        }
    }
}
