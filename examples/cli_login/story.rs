//! The four commands, one after another, each as a program that starts anew.

use std::{env, fs, path::PathBuf, process};

use tower::BoxError;

use super::{
    program::Program,
    site::Site,
    support::{Api, AuthServer, Settings, check},
};

pub(crate) async fn play() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().refresh_tokens()).await?;
    let api = Api::start(&server).await?;
    let folder = Folder(env::temp_dir().join(format!("tower-oauth2-cli-login-{}", process::id())));
    // Nothing in memory goes from one command to the next.
    let start = || Program::start(&Site::of(&server, &api), folder.0.clone());

    start()?.status().await?;
    check(start()?.call().await.is_err(), "without a login nothing is called")?;

    start()?.login().await?;
    start()?.status().await?;
    let token_calls = server.token_calls();
    start()?.call().await?;
    check(server.token_calls() == token_calls, "the next start goes on with the token in the file")?;

    println!("(the server ends all access tokens)");
    server.registry().revoke_access_tokens();
    start()?.call().await?;
    check(server.token_calls() == token_calls + 1, "it is renewed, and nobody is asked")?;
    start()?.call().await?;
    check(server.token_calls() == token_calls + 1, "and the new one is in the file")?;

    let token = start()?.token().await?.ok_or("there is a token to end")?;
    start()?.logout().await?;
    check(!server.registry().accepts(token.access_token()), "the server has ended the token")?;
    start()?.status().await?;
    check(start()?.call().await.is_err(), "and there is none in the file")
}

/// Removed in the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
