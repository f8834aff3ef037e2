//! How a case calls its service. Only cases with the same call style are compared.

#[derive(Clone, Copy, PartialEq)]
pub enum CallStyle {
    /// One service for all requests.
    Service,
    /// A clone per request of a service that was polled and called.
    Clones,
    /// A clone per request of a service that was never polled, as in the state of a request handler.
    ClonesOfUnpolled,
}

impl CallStyle {
    /// Returns the name of the case `of` with this call style.
    pub fn name(self, of: &str) -> String {
        match self {
            Self::Service => of.to_owned(),
            Self::Clones => format!("{of}, a clone per request"),
            Self::ClonesOfUnpolled => format!("{of}, a clone per request, base never polled"),
        }
    }

    pub fn are_clones(self) -> bool {
        self != Self::Service
    }
}
