//! Sends the device authorization request, and parses its response (RFC 8628 §3.1, §3.2).

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::outcome::LoginGuard;
use super::prompt::DevicePrompt;
use crate::error::Error;
use crate::form::Form;
use crate::grant::parameters::Parameters;
use crate::grant::pkce::Pkce;
use crate::secret::{CharacterSet, Secret};
use crate::token::seconds;

/// The response that the server sends.
pub(super) struct DeviceAuthorization {
    pub(super) device_code: Secret,
    pub(super) prompt: DevicePrompt,
    /// Ends the login, which the prompt reports.
    pub(super) guard: LoginGuard,
    pub(super) interval: Option<Duration>,
}

/// Returns the form of the request. It has no `grant_type`, because it is not a token request.
pub(super) fn request(parameters: &Parameters, pkce: Option<&Pkce>) -> Form {
    let form = Form::without_grant_type();
    let form = match pkce {
        Some(pkce) => form.param("code_challenge", pkce.challenge()).param("code_challenge_method", "S256"),
        None => form,
    };
    parameters.with_scope(form)
}

impl DeviceAuthorization {
    /// Reads the members of the response.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed), naming the member.
    pub(super) fn read(mut members: Map<String, Value>) -> Result<Self, Error> {
        let device_code = Secret::new(text("device_code", members.remove("device_code"))?);
        if let Some(violation) = CharacterSet::Unicode.violation(device_code.expose()) {
            return Err(Error::malformed(format!("`device_code` of the device authorization {violation}")));
        }
        let user_code = text("user_code", members.remove("user_code"))?;
        // Google used `verification_url` before the RFC.
        let address = [members.remove("verification_uri"), members.remove("verification_url")];
        let address = address.into_iter().flatten().find(|value| !is_absent(value));
        let address = text("verification_uri", address)?;
        let complete = members.remove("verification_uri_complete");
        let complete = complete.and_then(|value| text("verification_uri_complete", Some(value)).ok());
        let mut number = |name| seconds(name, &members.remove(name).unwrap_or_default());
        let expires_in = number("expires_in")?.ok_or_else(|| missing("expires_in"))?;
        let interval = number("interval")?;
        let (prompt, guard) = DevicePrompt::new(&user_code, &address, complete.as_deref(), expires_in)?;
        Ok(Self { device_code, prompt, guard, interval })
    }
}

impl fmt::Debug for DeviceAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceAuthorization").field("prompt", &self.prompt).finish_non_exhaustive()
    }
}

/// Reads an optional member. An empty value counts as omitted (RFC 6749 §3.2), and so does null.
fn is_absent(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

fn text(name: &'static str, value: Option<Value>) -> Result<String, Error> {
    match value.filter(|value| !is_absent(value)) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Error::malformed(format!("`{name}` of the device authorization is not a string"))),
        None => Err(missing(name)),
    }
}

fn missing(name: &'static str) -> Error {
    Error::malformed(format!("`{name}` of the device authorization is missing"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::ErrorKind;

    /// The response of RFC 8628 §3.2, with this member changed.
    fn response(name: &str, value: Value) -> Result<DeviceAuthorization, Error> {
        let Value::Object(mut members) = json!({
            "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
            "user_code": "WDJB-MJHT",
            "verification_uri": "https://example.com/device",
            "verification_uri_complete": "https://example.com/device?user_code=WDJB-MJHT",
            "expires_in": 1800,
            "interval": 5,
        }) else {
            unreachable!()
        };
        members.insert(name.to_owned(), value);
        DeviceAuthorization::read(members)
    }

    #[test]
    fn the_response_of_the_rfc() {
        let read = response("more", json!({"is": "ignored"})).unwrap();
        assert_eq!(read.device_code.expose(), "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS");
        assert_eq!(read.prompt.user_code(), "WDJB-MJHT");
        assert_eq!(read.prompt.verification_uri(), "https://example.com/device");
        let complete = "https://example.com/device?user_code=WDJB-MJHT";
        assert_eq!(read.prompt.verification_uri_complete(), Some(complete));
        assert_eq!(read.prompt.expires_in(), Duration::from_secs(1800));
        assert_eq!(read.interval, Some(Duration::from_secs(5)));
        assert!(!format!("{read:?}").contains("GmRh"), "{read:?}");
    }

    #[test]
    fn an_error_names_the_missing_member() {
        for name in ["device_code", "user_code", "verification_uri", "expires_in"] {
            for value in [json!(null), json!(""), json!(["GmRh"])] {
                let error = response(name, value).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Malformed);
                assert!(error.to_string().contains(name), "{error}");
                assert!(!format!("{error:?}").contains("GmRh"), "{error:?}");
            }
        }
    }

    #[test]
    fn a_device_code_that_cannot_be_sent_is_malformed() {
        for code in ["a\n", "a\u{1}b"] {
            let error = response("device_code", json!(code)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
        }
    }

    #[test]
    fn an_invalid_optional_member_is_ignored() {
        for value in [json!(null), json!(""), json!(7)] {
            let read = response("verification_uri_complete", value).unwrap();
            assert_eq!(read.prompt.verification_uri_complete(), None);
        }
    }

    #[test]
    fn the_old_name_of_the_verification_uri_is_accepted() {
        let old = json!("https://example.com/old");
        let read = response("verification_url", old.clone()).unwrap();
        assert_eq!(read.prompt.verification_uri(), "https://example.com/device");
        let Value::Object(members) = json!({
            "device_code": "d", "user_code": "u", "verification_uri": null, "verification_url": old, "expires_in": 60
        }) else {
            unreachable!()
        };
        assert_eq!(DeviceAuthorization::read(members).unwrap().prompt.verification_uri(), "https://example.com/old");
    }

    #[test]
    fn numbers_are_read_leniently() {
        for (written, read) in [
            (json!(7), Some(Some(7))),
            (json!("7"), Some(Some(7))),
            (json!(7.9), Some(Some(7))),
            (json!(-1), Some(Some(0))),
            (json!(null), Some(None)),
            (json!("soon"), None),
        ] {
            let interval = response("interval", written.clone()).ok().map(|it| it.interval.map(|it| it.as_secs()));
            assert_eq!(interval, read, "{written}");
        }
        assert_eq!(response("expires_in", json!(" 90 ")).unwrap().prompt.expires_in(), Duration::from_secs(90));
    }
}
