use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{pkce::Challenge, registry::opaque, response::OAuthError, settings::Settings};

/// The increment of the interval after `slow_down` (RFC 8628 §3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// The devices that wait for a user, by device code.
#[derive(Default)]
pub(crate) struct Devices(Mutex<HashMap<String, Device>>);

struct Device {
    request: DeviceRequest,
    user_code: String,
    expires_at: Instant,
    interval: Duration,
    last_poll: Option<Instant>,
    decision: Option<bool>,
}

/// A device authorization request.
pub(crate) struct DeviceRequest {
    pub(crate) client: String,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) scope: Option<String>,
}

impl Devices {
    /// Returns a new device code and its user code.
    pub(crate) fn start(&self, settings: &Settings, request: DeviceRequest) -> (String, String) {
        let (device_code, user_code) = (opaque(), user_code());
        let device = Device {
            request,
            user_code: user_code.clone(),
            expires_at: Instant::now() + settings.device_lifetime,
            interval: settings.device_interval,
            last_poll: None,
            decision: None,
        };
        self.lock().insert(device_code.clone(), device);
        (device_code, user_code)
    }

    /// Records the user's decision. Returns `false` if no device waits with this user code.
    pub(crate) fn decide(&self, user_code: &str, allow: bool) -> bool {
        let waits = |device: &&mut Device| {
            normalized(&device.user_code) == normalized(user_code)
                && device.decision.is_none()
                && Instant::now() < device.expires_at
        };
        self.lock().values_mut().find(waits).map(|device| device.decision = Some(allow)).is_some()
    }

    /// Handles a poll of the device (RFC 8628 §3.4). Returns the scope once the user has allowed it.
    pub(crate) fn poll(
        &self,
        device_code: &str,
        client: &str,
        verifier: Option<&str>,
    ) -> Result<Option<String>, OAuthError> {
        let mut devices = self.lock();
        let device = devices.get_mut(device_code).filter(|device| device.request.client == client);
        let device = device.ok_or_else(OAuthError::invalid_grant)?;
        let now = Instant::now();
        if now >= device.expires_at {
            return Err(OAuthError::bad_request("expired_token"));
        }
        let too_soon = device.last_poll.is_some_and(|last| now.duration_since(last) < device.interval);
        device.last_poll = Some(now);
        if too_soon {
            device.interval += SLOW_DOWN;
            return Err(OAuthError::bad_request("slow_down"));
        }
        match device.decision {
            None => Err(OAuthError::bad_request("authorization_pending")),
            Some(false) => Err(OAuthError::bad_request("access_denied")),
            Some(true) => {
                // A device code can be used once.
                let request = devices.remove(device_code).ok_or_else(OAuthError::invalid_grant)?.request;
                match (request.challenge, verifier) {
                    (None, None) => Ok(request.scope),
                    (Some(challenge), Some(verifier)) if challenge.matches(verifier) => Ok(request.scope),
                    _ => Err(OAuthError::invalid_grant()),
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Device>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Eight consonants: easy to type, and without words (RFC 8628 §6.1).
fn user_code() -> String {
    const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
    let code: String = opaque().bytes().take(8).map(|byte| LETTERS[usize::from(byte) % 20] as char).collect();
    format!("{}-{}", &code[..4], &code[4..])
}

/// Removes the differences that do not count: case and dashes.
fn normalized(user_code: &str) -> String {
    user_code.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase()).collect()
}
