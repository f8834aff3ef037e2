//! What a registered client can do, by its record: its authentication methods, and the validity of its secret.

use crate::clock::Now;
use crate::token::{RegisteredMethod, RegistrationRecord};

impl RegistrationRecord {
    /// Returns whether the client's secret is still valid.
    pub(crate) fn is_valid(&self, now: Now) -> bool {
        self.client_secret_expires_at == 0 || now.unix_millis() / 1000 < self.client_secret_expires_at
    }
}

impl RegisteredMethod {
    /// All methods, in the order in which they are preferred: a program of a user cannot keep a secret.
    pub(crate) const ALL: [Self; 3] = [Self::Public, Self::Basic, Self::Post];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Public => "none",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock;

    #[test]
    fn the_secret_expires_at_its_time_and_zero_is_never() {
        let now = clock::now();
        let seconds = now.unix_millis() / 1000;
        for (expires_at, after, is_valid) in
            [(0, 0, true), (seconds + 2, 0, true), (seconds + 2, 3, false), (1, 0, false), (u64::MAX, 9, true)]
        {
            let record = RegistrationRecord {
                client_id: "c".into(),
                client_secret: None,
                client_secret_expires_at: expires_at,
                token_endpoint_auth_method: RegisteredMethod::Public,
                redirect_uri: String::new(),
            };
            assert_eq!(record.is_valid(now.plus(Duration::from_secs(after))), is_valid, "{expires_at} {after}");
        }
    }
}
