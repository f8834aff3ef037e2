//! Sanitizes untrusted texts for terminals, logs and pages.

use zeroize::Zeroizing;

/// Returns the text as one line of at most `max` characters, without control characters and invisible characters.
///
/// Sequences of whitespace become one space. Leading and trailing whitespace is removed.
pub(crate) fn printable(text: &str, max: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(max));
    let (mut length, mut has_gap) = (0, false);
    for c in text.chars() {
        if c.is_whitespace() {
            has_gap = length > 0;
            continue;
        }
        if is_hidden(c) {
            continue;
        }
        let gap = usize::from(has_gap);
        if length + gap >= max {
            break;
        }
        if has_gap {
            shown.push(' ');
        }
        shown.push(c);
        (length, has_gap) = (length + gap + 1, false);
    }
    shown
}

/// Returns the text without whitespace and without the characters that [`printable`] removes.
fn without_blanks(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !is_hidden(*c)).collect()
}

/// Returns whether a text contains one of the secrets, compared without blanks and hidden characters, because a line break may split it.
pub(crate) fn repeats_secret(text: &str, secrets: &[&str]) -> bool {
    let text = Zeroizing::new(without_blanks(text));
    let mut secrets = secrets.iter().map(|secret| Zeroizing::new(without_blanks(secret)));
    secrets.any(|secret| !secret.is_empty() && text.contains(secret.as_str()))
}

/// Returns whether a character is a control character, changes the writing direction, or is invisible (Unicode's
/// `Default_Ignorable_Code_Point`, the interlinear annotations and the blank Braille pattern).
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_and_invisible_characters_are_removed() {
        for (text, shown) in [
            ("WDJB-MJHT", "WDJB-MJHT"),
            ("AB\u{1b}[2J\u{1b}]0;title\u{7}CD", "AB[2J]0;titleCD"),
            ("A\u{9b}31mB\r\nC\u{0}\u{7f}", "A31mB C"),
            (" one\t two\u{2028}three\u{85} ", "one two three"),
            ("https://example.com/\u{202e}moc", "https://example.com/moc"),
            ("1\u{200b}2\u{2066}3\u{feff}4\u{e0041}", "1234"),
            ("Код — 日本 é", "Код — 日本 é"),
            ("\r\n\u{200d}", ""),
        ] {
            assert_eq!(printable(text, 100), shown, "{text:?}");
        }
    }

    #[test]
    fn a_text_is_truncated_to_whole_characters() {
        for (max, shown) in [(0, ""), (1, "日"), (2, "日"), (3, "日 本"), (4, "日 本語"), (5, "日 本語")] {
            assert_eq!(printable("日 本語", max), shown, "{max}");
        }
    }

    #[test]
    fn a_split_secret_is_found() {
        assert!(repeats_secret("(hun\r\nter\u{200b}2 \u{7f}!)", &["x", "hunter 2"]));
        assert!(!repeats_secret("hunter", &["hunter2", "", " "]));
    }

    proptest! {
        #[test]
        fn any_text_becomes_one_line_of_limited_length(text in "\\PC*|.*", max in 0..50_usize) {
            let shown = printable(&text, max);
            prop_assert!(shown.chars().count() <= max);
            prop_assert!(!shown.chars().any(char::is_control) && shown.trim() == shown);
            prop_assert_eq!(printable(&shown, max), shown.clone(), "idempotent");
        }
    }
}
