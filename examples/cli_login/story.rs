//! Runs the four commands in sequence, each as if the program had just started.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    time::{Duration, SystemTime},
};

use serde_json::Value;
use tokio::{runtime::Runtime, task::spawn_blocking};
use tower::BoxError;

use super::{
    program::Program,
    site::Site,
    support::{Api, AuthServer, Settings, check},
};

pub(crate) async fn play() -> Result<(), BoxError> {
    let settings = Settings::default().refresh_tokens().latency(Duration::from_millis(100));
    let server = AuthServer::start(settings).await?;
    let api = Api::start(&server).await?;
    let dir = TempDir(env::temp_dir().join(format!("tower-oauth2-cli-login-{}", process::id())));
    // Each command starts with nothing in memory.
    let start = || Program::start(&Site::of(&server, &api), dir.0.clone());

    start()?.status().await?;
    check(start()?.call().await.is_err(), "without a login no request is sent")?;

    start()?.login().await?;
    start()?.status().await?;
    let token_requests = server.token_requests();
    start()?.call().await?;
    check(server.token_requests() == token_requests, "the next start uses the token in the file")?;

    println!("(the server revokes all access tokens)");
    server.registry().revoke_access_tokens();
    start()?.call().await?;
    check(server.token_requests() == token_requests + 1, "the token is refreshed without a login")?;
    start()?.call().await?;
    check(server.token_requests() == token_requests + 1, "the new token is in the file")?;

    println!("(the token in the file is about to expire)");
    make_due(&dir.0)?;
    let due = start()?.token().await?;
    run(start()?).await?;
    check(server.token_requests() == token_requests + 2, "the token is refreshed in the background")?;
    check(start()?.token().await? != due, "the program ends only after the new token is in the file")?;
    start()?.call().await?;
    check(server.token_requests() == token_requests + 2, "the login is not lost")?;

    let token = start()?.token().await?.ok_or("there is no token to revoke")?;
    start()?.logout().await?;
    check(!server.registry().accepts(token.access_token()), "the server has revoked the token")?;
    start()?.status().await?;
    check(start()?.call().await.is_err(), "there is no token in the file")
}

/// Runs `call` like a separate program: when it returns, its runtime shuts down and drops all background tasks.
async fn run(program: Program) -> Result<(), BoxError> {
    spawn_blocking(move || Runtime::new()?.block_on(program.call())).await?
}

/// Changes the file so that the token expires soon.
fn make_due(path: &Path) -> Result<(), BoxError> {
    let files = fs::read_dir(path)?.map(|file| Ok(file?.path())).collect::<Result<Vec<_>, BoxError>>()?;
    let file = files
        .iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "json"))
        .ok_or("there is no login")?;
    let mut login: Value = serde_json::from_slice(&fs::read(file)?)?;
    let in_a_minute = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)? + Duration::from_secs(60);
    login["token"]["expires_at"] = in_a_minute.as_secs().into();
    Ok(fs::write(file, login.to_string())?)
}

/// A directory that is removed on drop.
struct TempDir(PathBuf);

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
