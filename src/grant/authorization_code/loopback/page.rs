//! The pages that the user sees in the browser.

use crate::error::Error;

/// A page that is sent with its HTTP status.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) status: u16,
    title: &'static str,
    text: String,
}

impl Page {
    /// Creates the page after a successful login.
    pub(super) fn success() -> Self {
        Self {
            status: 200,
            title: "You are logged in",
            text: "You can close this page and go back to the program.".into(),
        }
    }

    /// Creates the page after a failed login.
    pub(super) fn failure(error: &Error) -> Self {
        let text = match error.oauth() {
            Some(oauth) => format!("The server says: {}", oauth.description().unwrap_or(oauth.error())),
            None => "The program that you came from shows the reason.".into(),
        };
        Self { status: 400, title: "You are not logged in", text }
    }

    /// Creates the page for a request that does not complete the login.
    pub(super) fn unrelated(status: u16, why: &str) -> Self {
        Self { status, title: "This is not a login", text: why.into() }
    }

    /// Renders the page: self-contained, without scripts, for small screens and dark mode too.
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

/// Escapes text of the server.
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
    fn a_page_shows_the_outcome_and_escapes_the_text_of_the_server() {
        let good = Page::success().html();
        assert!(good.contains("You are logged in") && good.contains("no-referrer"));
        let oauth = OAuthError::from_response(
            "access_denied",
            Some("<script>alert('x')</script>\u{202e}\u{200b}\r\nx"),
            None,
            &[],
        );
        let bad = Page::failure(&Error::new(ErrorKind::Denied, "").with_oauth_response(oauth)).html();
        assert!(bad.contains("You are not logged in") && !bad.contains("You are logged in"));
        assert!(
            !bad.contains("<script>") && bad.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; x<"),
            "{bad}"
        );
    }
}
