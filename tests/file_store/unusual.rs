//! Files that cannot be replaced or locked.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use tower_oauth2::client::Client;
use tower_oauth2::grant::RefreshToken;
use tower_oauth2::store::{FileStore, TokenStore};

use crate::support::{Folder, key, put, small};

/// The path of the store. Without it, the child tests of this file do nothing.
const STORE: &str = "TOWER_OAUTH2_TEST_UNUSUAL";

fn child(task: &str, store: &Path, command: &mut Command) -> Output {
    command
        .args([&format!("unusual::{task}"), "--exact", "--nocapture", "--test-threads=1"])
        .env(STORE, store)
        .output()
        .unwrap()
}

fn store() -> Option<FileStore> {
    env::var_os(STORE).map(FileStore::new)
}

fn skip(test: &str, why: &str) {
    // The test harness would capture the output of `eprintln!`.
    let _ = writeln!(std::io::stderr(), "\nNOT RUN: {test}: {why}");
}

/// A token file that is mounted into a container cannot be replaced by a rename.
#[test]
fn a_file_that_is_a_mount_point() {
    const MOUNT: &str = r#"
mount --bind "$0/outside.json" "$0/token.json" || exit 77
exec "$@"
"#;
    for content in ["", r#"{"access_token": "a", "refresh_token": "r"}"#] {
        let folder = Folder::new("mount");
        for name in ["outside.json", "token.json"] {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", MOUNT]);
        command.arg(folder.path()).arg(env::current_exe().unwrap());
        let may = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).output();
        match may {
            Ok(may) if may.status.success() => {}
            Ok(may) => return skip("a mount point", &String::from_utf8_lossy(&may.stderr)),
            Err(why) => return skip("a mount point", &why.to_string()),
        }
        let output = child("in_the_mount", &folder.path().join("token.json"), &mut command);
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(77) {
            return skip("a mount point", &said);
        }
        let out = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && out.contains("1 passed"), "{out}\n{said}");
        assert!(
            fs::read_to_string(folder.path().join("outside.json")).unwrap().contains("a9"),
            "it is written to the mounted file"
        );
        assert_eq!(
            folder.names(),
            ["outside.json", "token.json", "token.json.lock", "token.json.write-lock"],
            "no temporary file is left"
        );
    }
}

#[tokio::test]
async fn in_the_mount() {
    let Some(store) = store() else { return };
    let had = store.load(&key()).await.unwrap();
    assert!(had.is_none_or(|entry| entry.token.access_token() == "a"));
    for generation in 1..4 {
        put(&store, &small(generation)).await;
        assert_eq!(store.load(&key()).await.unwrap(), Some(small(generation)));
    }
    store.clear(&key(), u64::MAX).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), None);
    store.clear(&key(), u64::MAX).await.unwrap();
    put(&store, &small(9)).await;
    assert_eq!(store.load(&key()).await.unwrap(), Some(small(9)));
}

/// Some network file systems are mounted without locks. The first lock fails, and nothing is done without it.
#[test]
fn a_file_system_without_locks() {
    // EOPNOTSUPP, ENOLCK and ENOSYS
    for code in [95, 37, 38] {
        let folder = Folder::new("no-locks");
        let library = folder.path().join("no_locks.so");
        let source = format!("#include <errno.h>\nint flock(int fd, int how) {{ errno = {code}; return -1; }}\n");
        fs::write(folder.path().join("no_locks.c"), source).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(folder.path().join("no_locks.c"));
        match compiler.output() {
            Ok(built) if built.status.success() => {}
            Ok(built) => return skip("a file system without locks", &String::from_utf8_lossy(&built.stderr)),
            Err(why) => return skip("a file system without locks", &why.to_string()),
        }
        let path = folder.path().join("tokens");
        fs::create_dir(&path).unwrap();
        let mut command = Command::new(env::current_exe().unwrap());
        command.env("LD_PRELOAD", library);
        let output = child("without_locks", &path, &mut command);
        let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out.contains("1 passed"), "{out}\n{said}");
    }
}

#[tokio::test]
async fn without_locks() {
    let Some(store) = store() else { return };
    assert_eq!(store.load(&key()).await.unwrap(), None);
    for error in [store.lock(&key()).await.map(drop).unwrap_err(), store.clear(&key(), 1).await.unwrap_err()] {
        let text = error.to_string();
        assert!(
            text.contains("cannot lock `") && text.contains("file system") && text.contains("local disk"),
            "{text}"
        );
        assert!(error.source().is_some(), "the error of the system");
    }
}

/// Opening a pipe would wait for a writer without end.
#[tokio::test]
async fn a_pipe_is_not_opened() {
    let folder = Folder::new("fifo");
    let path = folder.path().join("token.json");
    match Command::new("mkfifo").arg(&path).status() {
        Ok(made) if made.success() => {}
        _ => return skip("a pipe", "there is no mkfifo"),
    }
    let error = FileStore::new(&path).load(&key()).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("cannot read") && text.contains("not a regular file"), "{text}");
    assert!(is_permanent(&path).await);
    // A link that leads back to itself, and a file name that is too long.
    let path = folder.path().join("circle.json");
    std::os::unix::fs::symlink("circle.json", &path).unwrap();
    assert!(is_permanent(&path).await);
    assert!(is_permanent(&folder.path().join("x".repeat(300)).with_extension("json")).await);
}

/// Returns whether requests fail at once instead of waiting for the store.
async fn is_permanent(path: &Path) -> bool {
    let grant = RefreshToken::stored("https://auth.example.com/token", Client::public("app")).unwrap();
    let error = grant.persisted(FileStore::new(path)).load().await.unwrap_err();
    !error.is_transient()
}
