//! Defines the options that all grants have.

/// Implements the options that all grants have as methods of one grant.
macro_rules! grant_options {
    ($grant:ident) => {
        impl $grant {
            /// Sets the scope to request: names separated by spaces ([RFC 6749 §3.3]). By default the server chooses the scope.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if it has a character that a scope cannot have.
            ///
            /// [RFC 6749 §3.3]: https://www.rfc-editor.org/rfc/rfc6749#section-3.3
            pub fn scope(mut self, scope: impl Into<String>) -> Result<Self, crate::Error> {
                self.config.parameters.set_scope(&scope.into())?;
                Ok(self)
            }

            /// Sets details of what the token is for, in addition to the scope or in its place: an array of objects, each with a `type` that
            /// the server defines. An empty array removes them. The standard calls this a rich authorization request (RAR, [RFC 9396]), and
            /// [Grants](crate::docs::grants#detailed-requests) has an example.
            ///
            /// They are sent wherever the scope is sent. What the server has granted is in
            /// [`Token::extra("authorization_details")`](crate::Token::extra), also after a refresh whose response leaves it out.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if it is not an array of objects with a `type`.
            ///
            /// # Security
            ///
            /// Details can contain account numbers, so no error and no `Debug` prints a value of them. In the URL of a browser, the person and
            /// the browser's history have them. A pushed request keeps them out of the URL.
            ///
            /// [RFC 9396]: https://www.rfc-editor.org/rfc/rfc9396#section-2
            #[doc(alias = "RAR")]
            pub fn authorization_details(mut self, details: serde_json::Value) -> Result<Self, crate::Error> {
                self.config.parameters.set_details(&details)?;
                Ok(self)
            }

            /// Sends the scope with each refresh too ([RFC 6749 §6]), for servers that would otherwise grant another scope or none. By
            /// default a refresh has no scope, and the server grants the same scope again.
            ///
            /// It also sends the [`authorization_details`](Self::authorization_details). Without both, this option has no effect.
            ///
            /// [RFC 6749 §6]: https://www.rfc-editor.org/rfc/rfc6749#section-6
            #[must_use]
            pub fn scope_on_refresh(mut self) -> Self {
                self.config.parameters.set_scope_on_refresh();
                self
            }

            /// Adds a parameter to each request to the server's endpoints, such as `audience`.
            ///
            /// A parameter that the grant sends itself, such as `scope` or `client_id`, is neither replaced nor sent twice.
            #[must_use]
            pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.config.parameters.add(name, value);
                self
            }

            /// Adds an API that the token is for ([RFC 8707]). Can be called several times.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if it is not an absolute URI, or has a fragment.
            ///
            /// [RFC 8707]: https://www.rfc-editor.org/rfc/rfc8707#section-2
            pub fn resource(mut self, uri: impl Into<String>) -> Result<Self, crate::Error> {
                self.config.parameters.add_resource(uri)?;
                Ok(self)
            }

            /// Sets the initial token, such as one that the program has kept. No token request is sent for it.
            ///
            /// It is the layer's token from the start: [`Tokens::peek`](crate::Tokens::peek) returns it, and it is refreshed,
            /// rejected and invalidated like any other token. An expired token without a refresh token counts as none.
            ///
            /// With [`persisted`](Self::persisted), a stored token takes precedence over this one.
            #[must_use]
            pub fn token(mut self, token: crate::Token) -> Self {
                self.config.initial.set_token(token);
                self
            }

            /// Keeps the token in a store, so that it outlives the process and can be shared by several processes: see
            /// [`Persisted`](crate::grant::Persisted).
            ///
            /// Call it last: the key of the entry is made from the token endpoint, client, scope, details, resources and parameters. A
            /// program's own token and a person's token have different keys. Headers are not part of the key: if they distinguish two logins,
            /// name each one with [`subject`](crate::grant::Persisted::subject).
            pub fn persisted<S: crate::store::TokenStore>(self, store: S) -> crate::grant::Persisted<Self, S> {
                let (key, is_repeatable) = (self.config.key(), self.config.is_repeatable);
                let needs_subject = self.config.needs_subject;
                let persisted = crate::grant::Persisted::new(self, store, key);
                let persisted = if needs_subject { persisted.require_subject() } else { persisted };
                if is_repeatable { persisted.refresh_without_store() } else { persisted }
            }

            /// Adds a header to each request to the server's endpoints, such as an API key: see
            /// [`TokenEndpoint::header`](crate::endpoint::TokenEndpoint::header).
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if a header cannot have that name or value.
            pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Result<Self, crate::Error> {
                self.config.endpoint = self.config.endpoint.header(name, value)?;
                Ok(self)
            }

            /// Binds the tokens to a key, so that a stolen token is useless without it ([RFC 9449]): see [`dpop`](crate::dpop).
            ///
            /// Token requests and API requests carry proofs by this key. With [`persisted`](Self::persisted) its thumbprint is part of the
            /// entry's key: a process with another key does not find the token.
            ///
            /// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
            #[must_use]
            pub fn dpop(mut self, dpop: crate::dpop::Dpop) -> Self {
                self.config.endpoint = self.config.endpoint.dpop(dpop);
                self
            }

            /// Accepts a `token_type` that this server uses for bearer tokens: see
            /// [`TokenEndpoint::bearer_type`](crate::endpoint::TokenEndpoint::bearer_type).
            #[must_use]
            pub fn bearer_type(mut self, token_type: impl Into<String>) -> Self {
                self.config.endpoint = self.config.endpoint.bearer_type(token_type);
                self
            }

            /// Treats a lifetime of zero or less as unknown: see
            /// [`TokenEndpoint::ignore_zero_lifetime`](crate::endpoint::TokenEndpoint::ignore_zero_lifetime).
            #[must_use]
            pub fn ignore_zero_lifetime(mut self) -> Self {
                self.config.endpoint = self.config.endpoint.ignore_zero_lifetime();
                self
            }

            /// Sets a function that changes each request to the server's endpoints before it is sent: see
            /// [`TokenEndpoint::map_request`](crate::endpoint::TokenEndpoint::map_request).
            #[must_use]
            pub fn map_request(
                mut self,
                map: impl Fn(http::Request<bytes::Bytes>) -> http::Request<bytes::Bytes> + Send + Sync + 'static,
            ) -> Self {
                self.config.endpoint = self.config.endpoint.map_request(map);
                self
            }

            /// Sets a function that changes each response of the server's endpoints before it is parsed: see
            /// [`TokenEndpoint::map_response`](crate::endpoint::TokenEndpoint::map_response).
            #[must_use]
            pub fn map_response(
                mut self,
                map: impl Fn(http::Response<bytes::Bytes>) -> http::Response<bytes::Bytes> + Send + Sync + 'static,
            ) -> Self {
                self.config.endpoint = self.config.endpoint.map_response(map);
                self
            }

            /// Sets a predicate for errors of a refresh after which the refresh token is dead and is dropped. By default `invalid_grant`
            /// is such an error. It also applies with [`persisted`](Self::persisted).
            ///
            /// Use it for servers that return `invalid_grant` temporarily, such as Entra ID and Salesforce, and for servers that reject
            /// a dead refresh token with another error: see
            /// [`TokenEndpoint::refresh_token_dead_when`](crate::endpoint::TokenEndpoint::refresh_token_dead_when).
            #[must_use]
            pub fn refresh_token_dead_when(
                mut self,
                is_dead: impl Fn(&crate::Error) -> bool + Send + Sync + 'static,
            ) -> Self {
                self.config.endpoint = self.config.endpoint.refresh_token_dead_when(is_dead);
                self
            }
        }
    };
}

pub(super) use grant_options;
