//! Parses `WWW-Authenticate` (RFC 9110 §11.6.1).

mod demand;
mod reader;

use std::borrow::Cow;

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};

pub(crate) use self::demand::{Demand, merge_objects};
use self::reader::{Item, Reader};

/// The maximum number of challenges, more than any server sends. The limits bound the memory that a server can make a client allocate.
const MAX_CHALLENGES: usize = 32;
/// The maximum number of parameters of one challenge.
const MAX_PARAMS: usize = 32;
/// The maximum length of one header. The largest in use contain the claims of Entra ID, about 1 KiB.
const MAX_HEADER: usize = 16 * 1024;

/// One challenge of a `WWW-Authenticate` header, which has a scheme and parameters.
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE};
/// use tower_oauth2::Challenge;
///
/// let mut headers = HeaderMap::new();
/// let value = r#"Basic realm="x", Bearer error="insufficient_scope", scope="read write""#;
/// headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(value));
///
/// let challenges = Challenge::parse(&headers);
/// assert_eq!(challenges.len(), 2);
/// assert_eq!(challenges[0].param("realm"), Some("x"));
/// assert_eq!(challenges[1].scheme(), "Bearer");
/// assert_eq!(challenges[1].error(), Some("insufficient_scope"));
/// assert_eq!(challenges[1].scope(), Some("read write"));
/// ```
///
/// # Security
///
/// The text comes from the server. Only its syntax is validated, so treat it as untrusted input, in particular the URL in
/// [`resource_metadata`](Challenge::resource_metadata).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    params: Vec<(String, String)>,
}

impl Challenge {
    /// Parses the challenges of all `WWW-Authenticate` headers, in their order.
    ///
    /// The syntax is that of [RFC 9110 §11.6.1], and some deviations of real servers are accepted: values in single quotes,
    /// unquoted values with characters that require quotes, parameters without a comma between them, and text that is not
    /// ASCII. Parts that cannot be parsed are skipped. So is a header of more than 16 KiB, and whatever exceeds 32 challenges, or 32
    /// parameters of one challenge. If a parameter occurs twice, the first value is used.
    ///
    /// [RFC 9110 §11.6.1]: https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1
    #[must_use]
    pub fn parse(headers: &HeaderMap) -> Vec<Self> {
        Challenges::read(headers).list
    }

    /// Returns the scheme as the server wrote it, such as `Bearer`. Schemes are compared without regard to case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Returns the value of a parameter, without its quotes. The case of `name` does not matter.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        let found = self.params.iter().find(|(param, _)| param.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Returns `error`, such as `invalid_token` or `insufficient_scope` ([RFC 6750 §3.1]).
    ///
    /// [RFC 6750 §3.1]: https://www.rfc-editor.org/rfc/rfc6750#section-3.1
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.param("error")
    }

    /// Returns `scope`: the scopes that the request requires, separated by spaces ([RFC 6750 §3]).
    ///
    /// [RFC 6750 §3]: https://www.rfc-editor.org/rfc/rfc6750#section-3
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.param("scope")
    }

    /// Returns `resource_metadata`: the URL of the protected resource's metadata ([RFC 9728 §5.1]).
    ///
    /// [RFC 9728 §5.1]: https://www.rfc-editor.org/rfc/rfc9728#section-5.1
    #[must_use]
    pub fn resource_metadata(&self) -> Option<&str> {
        self.param("resource_metadata")
    }
}

/// The challenges that a response contains.
pub(crate) struct Challenges {
    pub(crate) list: Vec<Challenge>,
    /// Whether every header follows the grammar and was parsed completely.
    pub(crate) is_well_formed: bool,
}

impl Challenges {
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let mut challenges = Self { list: Vec::new(), is_well_formed: true };
        for header in headers.get_all(WWW_AUTHENTICATE) {
            challenges.is_well_formed &= header.len() <= MAX_HEADER && challenges.read_one(header);
        }
        challenges
    }

    /// Parses one header and returns whether it is well-formed.
    fn read_one(&mut self, header: &HeaderValue) -> bool {
        let text = text(header);
        let mut reader = Reader::new(&text);
        let mut is_complete = header.to_str().is_ok();
        for item in reader.by_ref() {
            match item {
                Item::Scheme(_) if self.list.len() == MAX_CHALLENGES => return false,
                Item::Scheme(scheme) => self.list.push(Challenge { scheme: scheme.to_owned(), params: Vec::new() }),
                Item::Param(name, value) => {
                    is_complete &= self.list.last_mut().is_some_and(|last| last.add(name, value))
                }
            }
        }
        is_complete && reader.is_well_formed()
    }
}

impl Challenge {
    fn add(&mut self, name: &str, value: Cow<'_, str>) -> bool {
        if self.params.len() == MAX_PARAMS {
            return false;
        }
        if self.param(name).is_none() {
            self.params.push((name.to_owned(), value.into_owned()));
        }
        true
    }
}

/// Returns the text of a header. Servers use UTF-8 or ISO 8859-1 in descriptions.
fn text(header: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(header.as_bytes()) {
        Ok(text) => text.into(),
        Err(_) => header.as_bytes().iter().copied().map(char::from).collect::<String>().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(values: &[&[u8]]) -> Vec<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(value).unwrap());
        }
        Challenge::parse(&headers)
    }

    #[test]
    fn examples_of_the_rfcs_are_parsed() {
        // RFC 9470 §3.
        let found = parse(&[br#"Bearer error="insufficient_user_authentication", error_description="A different authentication level is required", acr_values="myACR""#]);
        assert_eq!(found[0].error(), Some("insufficient_user_authentication"));
        assert_eq!(found[0].param("acr_values"), Some("myACR"));
        // RFC 9728 §5.1.
        let address = "https://resource.example.com/.well-known/oauth-protected-resource";
        let found = parse(&[format!("Bearer resource_metadata=\"{address}\"").as_bytes()]);
        assert_eq!((found[0].scheme(), found[0].resource_metadata()), ("Bearer", Some(address)));
        // RFC 9110 §11.6.1.
        let found = parse(&[br#"Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\"""#]);
        assert_eq!((found.len(), found[1].param("Title")), (2, Some(r#"Login to "apps""#)));
    }

    #[test]
    fn several_headers_are_one_list() {
        let found = parse(&[b"Negotiate", b"", b"DPoP algs=\"ES256\", Bearer", b"{}", b"Basic realm=\"x\""]);
        let schemes: Vec<_> = found.iter().map(Challenge::scheme).collect();
        assert_eq!(schemes, ["Negotiate", "DPoP", "Bearer", "Basic"]);
        assert_eq!(
            parse(&[b"Bearer", b"error=\"invalid_token\""])[0].error(),
            None,
            "a challenge does not continue in the next header"
        );
    }

    #[test]
    fn the_case_of_a_name_does_not_matter_and_the_first_value_counts() {
        let found = parse(&[b"bearer ERROR=\"a\", Error=\"b\", scope=\"\""]);
        assert_eq!((found[0].param("eRRoR"), found[0].scope(), found[0].param("realm")), (Some("a"), Some(""), None));
    }

    #[test]
    fn text_beyond_ascii_is_kept() {
        let found = parse(&["Bearer realm=\"bücher\", error=x".as_bytes(), b"Bearer realm=\"b\xfccher\", error=x"]);
        assert_eq!(found[0].param("realm"), Some("bücher"));
        assert_eq!(found[0], found[1]);
        assert_eq!(found[0].error(), Some("x"));
    }

    #[test]
    fn the_size_of_the_result_is_bounded() {
        let params: String = (0..1000).map(|n| format!(", p{n}=x")).collect();
        let found = parse(&[format!("Bearer error=\"e\"{params}").as_bytes()]);
        assert_eq!((found.len(), found[0].error(), found[0].params.len()), (1, Some("e"), MAX_PARAMS));
        assert_eq!(parse(&["a, ".repeat(1000).as_bytes(), b"b"]).len(), MAX_CHALLENGES);
        let long = format!("Bearer realm=\"{}\"", "x".repeat(64 * 1024));
        assert_eq!(parse(&[long.as_bytes(), b"Basic"])[0].scheme(), "Basic", "a header within the limit is parsed");
    }
}
