//! The URLs of the servers, and the directory of the login.

use std::{env, path::PathBuf};

use tower::BoxError;

use super::support::{Api, AuthServer};

#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) device_authorization_url: String,
    pub(crate) token_url: String,
    pub(crate) revocation_url: String,
    pub(crate) api: String,
}

/// The URLs are usually part of the program. This example reads them from the environment.
const VARIABLES: [&str; 4] = ["CLI_LOGIN_DEVICE_URL", "CLI_LOGIN_TOKEN_URL", "CLI_LOGIN_REVOKE_URL", "CLI_LOGIN_API"];

impl Site {
    pub(crate) fn from_environment() -> Result<Self, BoxError> {
        let [device, token, revoke, api] = VARIABLES.map(|name| {
            env::var(name)
                .map_err(|_| format!("{name} is not set: `cli_login serve` starts a server and prints the variables"))
        });
        Ok(Self { device_authorization_url: device?, token_url: token?, revocation_url: revoke?, api: api? })
    }

    pub(crate) fn of(server: &AuthServer, api: &Api) -> Self {
        Self {
            device_authorization_url: server.device_authorization_url(),
            token_url: server.token_url(),
            revocation_url: server.revocation_url(),
            api: api.origin(),
        }
    }

    /// Returns the shell commands that set the variables.
    pub(crate) fn exports(&self) -> String {
        let values = [&self.device_authorization_url, &self.token_url, &self.revocation_url, &self.api];
        VARIABLES.iter().zip(values).map(|(name, value)| format!("export {name}={value}\n")).collect()
    }
}

/// Returns the directory for state that a program keeps between two starts. It is separate from the settings, which users back up.
pub(crate) fn state_dir() -> Result<PathBuf, BoxError> {
    let set = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = set("XDG_STATE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".local/state")))
        .or_else(|| set("LOCALAPPDATA"))
        .ok_or("there is no directory for the login: set XDG_STATE_HOME")?;
    Ok(state.join("tower-oauth2-cli-login"))
}
