//! The details of a rich authorization request (RFC 9396 §2): what the token is for, as JSON.

use serde_json::Value;

use crate::error::Error;
use crate::form::MIN_SECRET_LEN;
use crate::secret::Secret;

/// Keeps the value of `authorization_details`. All of it counts as secret, because details can contain account numbers, so there is no
/// `Debug`.
#[derive(Clone)]
pub(super) struct AuthorizationDetails {
    json: Secret,
    /// The texts and numbers in it, which a server could repeat alone.
    values: Vec<Secret>,
}

impl AuthorizationDetails {
    /// Validates an array of objects, each with a `type`. An empty array is `None`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration), without any value.
    pub(super) fn parse(details: &Value) -> Result<Option<Self>, Error> {
        let fails = |why: String| Err(Error::argument("authorization_details", why));
        let Value::Array(objects) = details else {
            return fails("must be an array of objects (RFC 9396 §2)".to_owned());
        };
        for (at, object) in objects.iter().enumerate() {
            match object.as_object().map(|members| members.get("type").and_then(Value::as_str)) {
                None => return fails(format!("element {at} of the array is not an object (RFC 9396 §2)")),
                Some(None | Some("")) => {
                    return fails(format!("the object {at} of the array needs a `type`, which is text (RFC 9396 §2)"));
                }
                Some(Some(_)) => {}
            }
        }
        if objects.is_empty() {
            return Ok(None);
        }
        let mut values = Vec::new();
        collect(details, &mut values);
        Ok(Some(Self { json: Secret::new(details.to_string()), values }))
    }

    pub(super) fn json(&self) -> &str {
        self.json.expose()
    }

    /// Returns the values that no error may repeat. Shorter ones are left out, because a server often repeats them by chance.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        [&self.json].into_iter().chain(&self.values).map(Secret::expose)
    }
}

/// Collects the texts and numbers. The recursion is limited by the application, whose value it is.
fn collect(value: &Value, values: &mut Vec<Secret>) {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Array(elements) => return elements.iter().for_each(|value| collect(value, values)),
        Value::Object(members) => return members.values().for_each(|value| collect(value, values)),
        Value::Null | Value::Bool(_) => return,
    };
    if text.len() >= MIN_SECRET_LEN {
        values.push(Secret::new(text));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_array_of_objects_with_a_type_is_accepted() {
        for (details, why) in [
            (json!([{"type": "a"}]), ""),
            (json!([{"type": "a"}, {"type": "a", "actions": ["read"]}]), ""),
            (json!({"type": "secret-value"}), "an array"),
            (json!("secret-value"), "an array"),
            (json!(null), "an array"),
            (json!([{"type": "a"}, "secret-value"]), "element 1"),
            (json!([["secret-value"]]), "element 0"),
            (json!([{"typ": "secret-value"}]), "the object 0"),
            (json!([{"type": "a"}, {"type": ""}]), "the object 1"),
            (json!([{"type": ["secret-value"]}]), "the object 0"),
        ] {
            match AuthorizationDetails::parse(&details) {
                Ok(_) => assert_eq!(why, "", "{details}"),
                Err(error) => {
                    let text = format!("{error:?}");
                    assert!(
                        text.contains("`authorization_details`") && !why.is_empty() && text.contains(why),
                        "{text}"
                    );
                    assert!(!text.contains("secret-value"), "{text}");
                }
            }
        }
        assert!(AuthorizationDetails::parse(&json!([])).unwrap().is_none());
    }

    #[test]
    fn texts_and_numbers_are_secrets() {
        let details =
            json!([{"type": "payment", "short": "EUR", "yes": true, "to": {"iban": "DE0212", "at": [1234567]}}]);
        let details = AuthorizationDetails::parse(&details).unwrap().unwrap();
        let mut secrets: Vec<_> = details.secrets().filter(|secret| *secret != details.json()).collect();
        secrets.sort_unstable();
        assert_eq!(secrets, ["1234567", "DE0212", "payment"]);
    }
}
