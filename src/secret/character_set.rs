//! The characters that credentials may contain (RFC 6749 Appendix A).

/// The characters that a text may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CharacterSet {
    /// Visible ASCII, for an access token in a header.
    Graphic,
    /// Visible ASCII and spaces (`VSCHAR`), for client id, client secret and refresh token.
    Visible,
    /// Everything except control characters (`UNICODECHARNOCRLF`), for user name and password.
    Unicode,
}

impl CharacterSet {
    /// Describes the first violation, in words that follow the name of the text. The description does not repeat the text.
    pub(crate) fn violation(self, text: &str) -> Option<String> {
        let (at, bad) = text.chars().enumerate().find(|(_, character)| !self.contains(*character))?;
        if text.trim_end_matches(['\r', '\n']).chars().count() == at {
            return Some("ends with a line break, as the content of a file does; `trim` it".to_owned());
        }
        let what = match bad {
            '\u{feff}' if at == 0 => return Some("begins with a byte order mark, as a file can; remove it".to_owned()),
            '\r' | '\n' => "a line break",
            ' ' => "a space",
            _ if bad.is_control() => "a control character",
            _ if self == Self::Unicode => "a noncharacter",
            _ => "a character that is not ASCII",
        };
        Some(format!("has {what} as its character number {}, which RFC 6749 (Appendix A) does not allow", at + 1))
    }

    fn contains(self, character: char) -> bool {
        match self {
            Self::Graphic => character.is_ascii_graphic(),
            Self::Visible => matches!(character, ' '..='~'),
            Self::Unicode => {
                matches!(character, '\t' | ' '..='~' | '\u{80}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CharacterSet::{self, *};

    #[test]
    fn the_sets_are_those_of_the_appendix() {
        for (characters, text, is_valid) in [
            (Graphic, "!~", true),
            (Graphic, "a b", false),
            (Visible, "", true),
            (Visible, " a~", true),
            (Visible, "a\tb", false),
            (Visible, "a\u{7f}", false),
            (Visible, "é", false),
            (Unicode, "\té 日本 🔑", true),
            (Unicode, "a\0", false),
            (Unicode, "a\u{7f}", false),
            (Unicode, "a\u{ffff}", false),
            (Unicode, "a\n", false),
        ] {
            assert_eq!(characters.violation(text).is_none(), is_valid, "{characters:?} {text:?}");
        }
    }

    #[test]
    fn the_violation_is_described() {
        let violation = |characters: CharacterSet, text| characters.violation(text).unwrap();
        for text in ["a\n", "a\r\n", "a\n\n", "\n"] {
            assert!(violation(Visible, text).starts_with("ends with a line break"), "{text:?}");
        }
        assert!(violation(Visible, "a\nb\n").starts_with("has a line break as its character number 2"));
        assert!(violation(Visible, "\u{feff}a").starts_with("begins with a byte order mark"));
        assert!(violation(Visible, "aé").starts_with("has a character that is not ASCII as its character number 2"));
        assert!(violation(Graphic, "ab c\n").starts_with("has a space as its character number 3"));
        assert!(violation(Unicode, "\u{1}").starts_with("has a control character as its character number 1"));
    }
}
