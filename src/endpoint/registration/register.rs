//! Sends the request of a registration (RFC 7591 §3.1).

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use serde_json::{Map, Value, json};

use super::Registration;
use super::client_information;
use crate::endpoint::discovery::{EndpointMember, Metadata};
use crate::endpoint::endpoint_address::Address;
use crate::endpoint::protocol_headers;
use crate::endpoint::request_secrets::RequestSecrets;
use crate::endpoint::token_endpoint::TokenEndpoint;
use crate::error::{Error, ErrorKind};
use crate::secret::CharacterSet;
use crate::source::fetch_within_timeout;
use crate::token::{RegisteredMethod, RegistrationRecord};
use crate::transport::Transport;

const METHOD: &str = "token_endpoint_auth_method";

impl TokenEndpoint {
    /// Registers a client with this redirect URI at the server of the endpoint, whose metadata is known.
    ///
    /// # Errors
    ///
    /// If the server rejects it, or its response lacks what the client needs.
    pub(crate) async fn register(
        &self,
        http: &Transport,
        registration: &Registration,
        redirect_uri: &str,
    ) -> Result<RegistrationRecord, Error> {
        let address = Address::Discovered(EndpointMember::Registration);
        let resolved = self.resolve(http, &address).await?;
        let method = registration.method(resolved.metadata.as_deref())?;
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        protocol_headers::insert(&mut headers);
        if let Some(source) = &registration.initial_access_token {
            let cx = self.source_context_at(http, &resolved);
            let token = fetch_within_timeout(source, "the initial access token", CharacterSet::Graphic, cx).await?;
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))
                .map_err(|why| Error::argument("initial_access_token", why))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let members = registration.request(method, redirect_uri, self.dpop_key().is_some());
        let mut request = Request::new(Bytes::from(Value::Object(members).to_string()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = resolved.uri.clone();
        *request.headers_mut() = headers;
        let mut secrets = RequestSecrets::default();
        secrets.add_request(&request);
        let request = self.mapped(request, &resolved.uri, &mut secrets)?;
        let response = self.exchange(http, (&address, &resolved), request, &secrets, |_| ()).await;
        let response = response.map_err(|error| explain(error, registration))?;
        client_information::read(&response.members, method, redirect_uri)
            .map_err(|error| error.with_status(response.status).with_endpoint(&response.uri))
    }
}

impl Registration {
    /// Returns the authentication method to request: the application's, or the first that the server lists.
    fn method(&self, metadata: Option<&Metadata>) -> Result<RegisteredMethod, Error> {
        if let Some(named) = self.members.get(METHOD) {
            return named.as_str().and_then(RegisteredMethod::from_name).ok_or_else(|| {
                let why = "must be `none`, `client_secret_basic` or `client_secret_post`";
                Error::argument(METHOD, why)
            });
        }
        let listed = metadata.and_then(|metadata| metadata.member("token_endpoint_auth_methods_supported"));
        // RFC 8414 §2 defines the default.
        let Some(Value::Array(listed)) = listed else { return Ok(RegisteredMethod::Basic) };
        let is_listed = |method: &RegisteredMethod| listed.iter().any(|listed| listed == method.name());
        RegisteredMethod::ALL.into_iter().find(is_listed).ok_or_else(|| {
            let why = "the server supports no authentication method that a registered client can use; register a client by hand, and \
                       give it to `ProtectedResource::client`";
            Error::new(ErrorKind::Configuration, why)
        })
    }

    /// Returns the members of the request. Those of the application win.
    fn request(&self, method: RegisteredMethod, redirect_uri: &str, has_key: bool) -> Map<String, Value> {
        let mut members = Map::from_iter([
            ("grant_types".to_owned(), json!(["authorization_code", "refresh_token"])),
            ("response_types".to_owned(), json!(["code"])),
            ("application_type".to_owned(), json!("native")),
            (METHOD.to_owned(), json!(method.name())),
        ]);
        if has_key {
            members.insert("dpop_bound_access_tokens".to_owned(), json!(true));
        }
        members.extend(self.members.clone());
        members.insert("redirect_uris".to_owned(), json!([redirect_uri]));
        members
    }
}

/// Adds to an error of the server that it is about a registration.
fn explain(error: Error, registration: &Registration) -> Error {
    if error.is_before_request() || error.status().is_none() {
        return error;
    }
    let advice = match (error.status().map(|status| status.as_u16()), &registration.initial_access_token) {
        (Some(401 | 403), None) => "; if the server demands a token for it, set `Registration::initial_access_token`",
        _ => "",
    };
    // The response says nothing about a login or a refresh token.
    let error = match error.kind() {
        ErrorKind::Denied | ErrorKind::InvalidGrant | ErrorKind::LoginExpired | ErrorKind::LoginRequired => {
            Error::new(ErrorKind::RequestRejected, "").with_response_of(&error)
        }
        _ => error,
    };
    error.with_context(format!("the client could not be registered (RFC 7591){advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(methods: Value) -> Metadata {
        let members = json!({"issuer": "https://auth.example", "token_endpoint_auth_methods_supported": methods});
        Metadata::for_test(members.as_object().unwrap().clone()).unwrap()
    }

    #[test]
    fn the_first_method_that_the_server_lists_is_requested() {
        use RegisteredMethod::{Basic, Post, Public};
        for (listed, expected) in [
            (json!(["client_secret_basic", "none"]), Some(Public)),
            (json!(["client_secret_post", "client_secret_basic"]), Some(Basic)),
            (json!(["private_key_jwt", "client_secret_post"]), Some(Post)),
            (json!(["private_key_jwt"]), None),
            (json!([]), None),
            (json!(null), Some(Basic)),
            (json!("none"), Some(Basic)),
        ] {
            let method = Registration::new("app").method(Some(&metadata(listed.clone())));
            assert_eq!(method.ok(), expected, "{listed}");
        }
        let chosen = Registration::new("app").member(METHOD, "client_secret_post");
        assert_eq!(chosen.method(Some(&metadata(json!(["none"])))).unwrap(), Post);
        assert!(Registration::new("app").member(METHOD, "tls_client_auth").method(None).is_err());
    }

    #[test]
    fn members_of_the_application_win_but_for_the_redirect_uris() {
        let registration = Registration::new("app")
            .member("application_type", "web")
            .member("redirect_uris", json!(["https://evil.example"]))
            .member("software_id", "x");
        let members = registration.request(RegisteredMethod::Public, "http://127.0.0.1:1/callback", true);
        assert_eq!(
            Value::Object(members),
            json!({
                "client_name": "app",
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "application_type": "web",
                "token_endpoint_auth_method": "none",
                "redirect_uris": ["http://127.0.0.1:1/callback"],
                "dpop_bound_access_tokens": true,
                "software_id": "x"
            })
        );
        let plain = Registration::from("app").request(RegisteredMethod::Basic, "http://[::1]:1/", false);
        assert_eq!(plain["application_type"], "native");
        assert!(!plain.contains_key("dpop_bound_access_tokens"));
    }
}
