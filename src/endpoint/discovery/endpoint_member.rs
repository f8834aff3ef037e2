//! The members of the metadata that name an endpoint (RFC 8414 §2).

/// A member of the metadata that is the address of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndpointMember {
    Authorization,
    Token,
    DeviceAuthorization,
    Revocation,
    Registration,
    PushedAuthorizationRequest,
}

impl EndpointMember {
    pub(super) const ALL: [Self; 6] = [
        Self::Authorization,
        Self::Token,
        Self::DeviceAuthorization,
        Self::Revocation,
        Self::Registration,
        Self::PushedAuthorizationRequest,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Authorization => "authorization_endpoint",
            Self::Token => "token_endpoint",
            Self::DeviceAuthorization => "device_authorization_endpoint",
            Self::Revocation => "revocation_endpoint",
            Self::Registration => "registration_endpoint",
            Self::PushedAuthorizationRequest => "pushed_authorization_request_endpoint",
        }
    }
}
