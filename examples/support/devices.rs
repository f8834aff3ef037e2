use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{answer::Refusal, pkce::Challenge, registry::opaque, settings::Settings};

/// RFC 8628 §3.5.
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// The devices that wait for a person, by device code.
#[derive(Default)]
pub(crate) struct Devices(Mutex<HashMap<String, Device>>);

struct Device {
    request: DeviceRequest,
    user_code: String,
    ends: Instant,
    interval: Duration,
    last_poll: Option<Instant>,
    decision: Option<bool>,
}

/// What a device has asked for.
pub(crate) struct DeviceRequest {
    pub(crate) client: String,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) scope: Option<String>,
}

impl Devices {
    /// A new device code, and the user code for the person.
    pub(crate) fn begin(&self, settings: &Settings, request: DeviceRequest) -> (String, String) {
        let (device_code, user_code) = (opaque(), user_code());
        let device = Device {
            request,
            user_code: user_code.clone(),
            ends: Instant::now() + settings.device_lifetime,
            interval: settings.device_interval,
            last_poll: None,
            decision: None,
        };
        self.lock().insert(device_code.clone(), device);
        (device_code, user_code)
    }

    /// The person's decision. False if no device waits with this user code.
    pub(crate) fn decide(&self, user_code: &str, allow: bool) -> bool {
        let waits = |device: &&mut Device| {
            plain(&device.user_code) == plain(user_code) && device.decision.is_none() && Instant::now() < device.ends
        };
        self.lock().values_mut().find(waits).map(|device| device.decision = Some(allow)).is_some()
    }

    /// A poll of the device (RFC 8628 §3.4): the scope, once the person has allowed it.
    pub(crate) fn poll(
        &self,
        device_code: &str,
        client: &str,
        verifier: Option<&str>,
    ) -> Result<Option<String>, Refusal> {
        let mut devices = self.lock();
        let device = devices.get_mut(device_code).filter(|device| device.request.client == client);
        let device = device.ok_or_else(Refusal::invalid_grant)?;
        let now = Instant::now();
        if now >= device.ends {
            return Err(Refusal::bad_request("expired_token"));
        }
        let too_soon = device.last_poll.is_some_and(|last| now.duration_since(last) < device.interval);
        device.last_poll = Some(now);
        if too_soon {
            device.interval += SLOW_DOWN;
            return Err(Refusal::bad_request("slow_down"));
        }
        match device.decision {
            None => Err(Refusal::bad_request("authorization_pending")),
            Some(false) => Err(Refusal::bad_request("access_denied")),
            Some(true) => {
                // A device code counts once, like any other.
                let request = devices.remove(device_code).ok_or_else(Refusal::invalid_grant)?.request;
                match (request.challenge, verifier) {
                    (None, None) => Ok(request.scope),
                    (Some(challenge), Some(verifier)) if challenge.is_met_by(verifier) => Ok(request.scope),
                    _ => Err(Refusal::invalid_grant()),
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Device>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Eight consonants: easy to type, and no word among them (RFC 8628 §6.1).
fn user_code() -> String {
    const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
    let code: String = opaque().bytes().take(8).map(|byte| LETTERS[usize::from(byte) % 20] as char).collect();
    format!("{}-{}", &code[..4], &code[4..])
}

/// As people type it: case and dashes do not count.
fn plain(user_code: &str) -> String {
    user_code.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase()).collect()
}
