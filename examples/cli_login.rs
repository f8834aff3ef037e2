//! A command line program that needs one login: `login`, `status`, `call` and `logout`.
//!
//! ```text
//! cargo run --example cli_login --features file-store
//! ```
//!
//! runs all four commands in sequence, each as if the program had just started: the login is in a file, and the next start uses it.
//! On a terminal, you log in, as `alice` with any password. Without a terminal, or with `TOWER_OAUTH2_UNATTENDED=1`, the program
//! simulates the user.
//!
//! Nothing else is needed. The authorization server and the API run inside the program, on 127.0.0.1.
//!
//! With a command, it works like a program that you would ship. It stores the login in `$XDG_STATE_HOME/tower-oauth2-cli-login` or in
//! `~/.local/state/tower-oauth2-cli-login`. To try it, start a server in one terminal, and run the printed commands in another one:
//!
//! ```text
//! cargo run --example cli_login --features file-store -- serve
//! cargo run --example cli_login --features file-store -- login
//! ```

#[path = "cli_login/program.rs"]
mod program;
#[path = "cli_login/site.rs"]
mod site;
#[path = "cli_login/story.rs"]
mod story;
mod support;

use std::future::pending;

use program::Program;
use site::Site;
use support::{Api, AuthServer, Settings};
use tower::BoxError;

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    // In a test, the arguments belong to the test harness.
    let command = std::env::args().nth(1).filter(|_| !cfg!(test));
    match command.as_deref() {
        None => story::play().await,
        Some("serve") => serve().await,
        Some("login") => start()?.login().await,
        Some("status") => start()?.status().await,
        Some("call") => start()?.call().await,
        Some("logout") => start()?.logout().await,
        Some(other) => Err(format!("unknown command `{other}`: use login, status, call, logout or serve").into()),
    }
}

fn start() -> Result<Program, BoxError> {
    Program::start(&Site::from_environment()?, site::state_dir()?)
}

/// Runs a server to try the program with, until it is stopped.
async fn serve() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().refresh_tokens()).await?;
    let api = Api::start(&server).await?;
    print!("{}", Site::of(&server, &api).exports());
    pending().await
}
