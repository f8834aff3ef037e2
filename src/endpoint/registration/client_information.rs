//! Reads the registered client from the response of a registration (RFC 7591 §3.2.1).

use serde_json::{Map, Value};

use crate::client::Client;
use crate::error::Error;
use crate::secret::Secret;
use crate::token::{RegisteredMethod, RegistrationRecord, seconds};

const EXPIRES_AT: &str = "client_secret_expires_at";

/// Reads the client. `requested` is the authentication method of the request, which counts if the response names none.
///
/// # Errors
///
/// If the response lacks what the client needs, or names an authentication method that was not requested and cannot be used.
pub(super) fn read(
    members: &Map<String, Value>,
    requested: RegisteredMethod,
    redirect_uri: &str,
) -> Result<RegistrationRecord, Error> {
    let text = |name: &str| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let unusable = |why: &str| Error::malformed(format!("the response to the registration {why}"));
    let client_id = text("client_id").ok_or_else(|| unusable("has no `client_id`"))?;
    let client_secret = text("client_secret").map(Secret::new);
    let method = match members.get("token_endpoint_auth_method") {
        // Servers must repeat it, and some do not.
        None | Some(Value::Null) if client_secret.is_none() => RegisteredMethod::Public,
        None | Some(Value::Null) => requested,
        Some(named) => named.as_str().and_then(RegisteredMethod::from_name).ok_or_else(|| {
            unusable("has a `token_endpoint_auth_method` that was not requested and is not supported")
        })?,
    };
    let client_secret =
        match method {
            RegisteredMethod::Public => None,
            _ => Some(client_secret.ok_or_else(|| {
                unusable(&format!("has no `client_secret`, which the method `{}` needs", method.name()))
            })?),
        };
    let expires_at = members.get(EXPIRES_AT).filter(|_| client_secret.is_some()).unwrap_or(&Value::Null);
    let client_secret_expires_at = seconds(EXPIRES_AT, expires_at)?.unwrap_or_default().as_secs();
    let record = RegistrationRecord {
        client_id: client_id.to_owned(),
        client_secret,
        client_secret_expires_at,
        token_endpoint_auth_method: method,
        redirect_uri: redirect_uri.to_owned(),
    };
    // Its id or secret may have characters that cannot be sent.
    client(&record).check(None).map_err(|error| unusable(&format!("cannot be used: {}", error.context())))?;
    Ok(record)
}

/// Returns the client of a registration.
pub(crate) fn client(record: &RegistrationRecord) -> Client {
    let secret = record.client_secret.as_ref().map_or("", Secret::expose);
    match record.token_endpoint_auth_method {
        RegisteredMethod::Public => Client::public(&record.client_id),
        RegisteredMethod::Basic => Client::basic(&record.client_id, secret),
        RegisteredMethod::Post => Client::post(&record.client_id, secret),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parsed(members: Value, requested: RegisteredMethod) -> Result<RegistrationRecord, String> {
        let Value::Object(members) = members else { unreachable!() };
        read(&members, requested, "http://127.0.0.1:1/callback").map_err(|error| error.to_string())
    }

    #[test]
    fn the_response_decides_the_authentication_method() {
        use RegisteredMethod::{Basic, Post, Public};
        for (members, requested, method, secret) in [
            (json!({"client_id": "c"}), Public, Public, None),
            (json!({"client_id": "c", "token_endpoint_auth_method": "none"}), Basic, Public, None),
            (
                json!({"client_id": "c", "client_secret": "s", "token_endpoint_auth_method": "none"}),
                Basic,
                Public,
                None,
            ),
            (json!({"client_id": "c"}), Basic, Public, None),
            (json!({"client_id": "c", "client_secret": "s"}), Public, Public, None),
            (json!({"client_id": "c", "client_secret": "s"}), Basic, Basic, Some("s")),
            (json!({"client_id": "c", "client_secret": "s"}), Post, Post, Some("s")),
            (
                json!({"client_id": "c", "client_secret": "s", "token_endpoint_auth_method": null}),
                Post,
                Post,
                Some("s"),
            ),
            (
                json!({"client_id": "c", "client_secret": "s", "token_endpoint_auth_method": "client_secret_post"}),
                Basic,
                Post,
                Some("s"),
            ),
        ] {
            let record = parsed(members.clone(), requested).unwrap();
            assert_eq!(record.token_endpoint_auth_method, method, "{members}");
            assert_eq!(record.client_secret.as_ref().map(Secret::expose), secret, "{members}");
            assert_eq!(client(&record).is_confidential(), secret.is_some());
        }
    }

    #[test]
    fn the_example_of_the_rfc_is_read() {
        // RFC 7591 §3.2.1.
        let members = json!({
            "client_id": "s6BhdRkqt3",
            "client_secret": "cf136dc3c1fc93f31185e5885805d",
            "client_id_issued_at": 2893256800_u64,
            "client_secret_expires_at": 2893276800_u64,
            "redirect_uris": ["https://client.example.org/callback", "https://client.example.org/callback2"],
            "grant_types": ["authorization_code", "refresh_token"],
            "client_name": "My Example Client",
            "token_endpoint_auth_method": "client_secret_basic"
        });
        let record = parsed(members, RegisteredMethod::Public).unwrap();
        assert_eq!((record.client_id.as_str(), record.client_secret_expires_at), ("s6BhdRkqt3", 2893276800));
        assert_eq!(record.token_endpoint_auth_method, RegisteredMethod::Basic);
    }

    #[test]
    fn a_response_without_what_the_client_needs_is_an_error() {
        for (members, named) in [
            (json!({}), "client_id"),
            (json!({"client_id": ""}), "client_id"),
            (json!({"client_id": 7}), "client_id"),
            (json!({"client_id": "a\nb"}), "line break"),
            (json!({"client_id": "c", "token_endpoint_auth_method": "client_secret_basic"}), "client_secret"),
            (json!({"client_id": "c", "token_endpoint_auth_method": "private_key_jwt"}), "token_endpoint_auth_method"),
            (json!({"client_id": "c", "token_endpoint_auth_method": 7}), "token_endpoint_auth_method"),
            (json!({"client_id": "c", "client_secret": "hunter2", "client_secret_expires_at": "soon"}), "expires_at"),
            (json!({"client_id": "c", "client_secret": "hunter2\n"}), "line break"),
        ] {
            let text = parsed(members.clone(), RegisteredMethod::Post).unwrap_err();
            assert!(text.contains(named) && !text.contains("hunter2"), "{members}: {text}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let text = prop_oneof!["[a-z]{0,4}", ".{0,4}", "hunter2.{0,4}"].prop_map(Value::from);
        prop_oneof![Just(json!(null)), Just(json!(["hunter2"])), any::<i64>().prop_map(Value::from), text]
    }

    fn method() -> impl Strategy<Value = Value> {
        let names = vec!["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];
        prop_oneof![prop::sample::select(names).prop_map(Value::from), value()]
    }

    proptest! {
        #[test]
        fn any_object_is_a_client_that_can_be_sent_or_an_error_without_the_secret(
            client_id in prop_oneof!["[a-z]{1,4}", ".{0,4}"],
            secret in prop::option::of(value()),
            method in prop::option::of(method()),
            expires_at in prop::option::of(value()),
            requested in prop::sample::select(RegisteredMethod::ALL.to_vec()),
        ) {
            let members = [
                ("client_id", Some(Value::from(client_id.as_str()))),
                ("client_secret", secret.clone()),
                ("token_endpoint_auth_method", method),
                (EXPIRES_AT, expires_at),
            ];
            let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
            match read(&members, requested, "http://127.0.0.1:1/callback") {
                Ok(record) => {
                    prop_assert!(client(&record).check(None).is_ok());
                    prop_assert_eq!(&record.client_id, &client_id);
                    let is_public = record.token_endpoint_auth_method == RegisteredMethod::Public;
                    let expected = secret.as_ref().and_then(Value::as_str).filter(|_| !is_public);
                    prop_assert_eq!(record.client_secret.as_ref().map(Secret::expose), expected);
                }
                Err(error) => prop_assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}"),
            }
        }
    }
}
