//! What the person sees in their browser at the end.

use crate::error::Error;

/// A page of our own: a status, and what it says.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: u16,
    title: &'static str,
    text: String,
}

impl Page {
    /// The token is here.
    pub(super) fn success() -> Self {
        Self {
            status: 200,
            title: "You are logged in",
            text: "You can close this page and go back to the program.".into(),
        }
    }

    /// The login has failed.
    pub(super) fn failure(error: &Error) -> Self {
        let text = match error.oauth() {
            Some(oauth) => format!("The server says: {}", oauth.description().unwrap_or(oauth.error())),
            None => "The program that you came from can tell you more.".into(),
        };
        Self { status: 400, title: "You are not logged in", text }
    }

    /// This was nothing that we wait for.
    pub(super) fn foreign(status: u16, why: &str) -> Self {
        Self { status, title: "This is not a login", text: why.into() }
    }

    /// Self-contained, readable on a phone and in the dark; nothing in it is code.
    pub(super) fn html(&self) -> String {
        let good = self.status == 200;
        let (mark, color) = if good { ("✓", "#1a7f37") } else { ("✕", "#b42318") };
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
             <title>{title}</title>\n<style>\n\
             body {{ font: 1.125rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 15vh auto; padding: 0 1.5rem; \
             text-align: center; text-wrap: balance; overflow-wrap: anywhere }}\n\
             .mark {{ font-size: 3rem; line-height: 4rem; width: 4rem; margin: auto; border-radius: 50%; color: #fff; \
             background: {color} }}\n\
             h1 {{ font-size: 1.5rem }}\n</style>\n</head>\n<body>\n<main>\n\
             <p class=\"mark\" aria-hidden=\"true\">{mark}</p>\n<h1>{title}</h1>\n<p>{text}</p>\n</main>\n</body>\n</html>\n",
            title = self.title,
            text = escaped(&self.text),
        )
    }
}

/// Text of the server's, as text.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, OAuthError};

    #[test]
    fn it_says_truly_what_happened_and_escapes_what_it_shows() {
        let good = Page::success().html();
        assert!(good.contains("You are logged in") && good.contains("no-referrer"));
        let heard = OAuthError::heard("access_denied", Some("<script>alert('x')</script>"), None, &[]);
        let bad = Page::failure(&Error::new(ErrorKind::Denied, "").with_oauth(heard)).html();
        assert!(bad.contains("You are not logged in") && !bad.contains("You are logged in"));
        assert!(!bad.contains("<script>") && bad.contains("&lt;script&gt;alert(&#39;x&#39;)"), "{bad}");
    }
}
