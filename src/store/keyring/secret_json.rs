//! The content of a keyring secret.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::BoxError;
use crate::store::{Entry, PermanentError, json};

const VERSION: u32 = 1;

#[derive(Serialize)]
struct SecretJson<'a> {
    version: u32,
    entry: &'a Entry,
}

/// Read before the entry: in a newer version, the entry may have any form.
#[derive(Deserialize)]
struct SecretVersion {
    version: u32,
}

#[derive(Deserialize)]
struct StoredSecret {
    entry: Entry,
}

/// Returns the content of the secret.
///
/// # Errors
///
/// If it could not be read again.
pub(super) fn write(entry: &Entry) -> Result<Zeroizing<String>, BoxError> {
    let mut json = json::write(&SecretJson { version: VERSION, entry }, read)?;
    Ok(Zeroizing::new(String::from_utf8(std::mem::take(&mut *json))?))
}

/// Parses the content of a secret. Errors do not repeat it.
pub(super) fn read(secret: &[u8]) -> Result<Entry, BoxError> {
    match json::read(secret)? {
        SecretVersion { version: VERSION } => json::read(secret).map(|StoredSecret { entry }| entry),
        SecretVersion { version } => {
            let why = format!("the stored token has version {version}, which is unknown; update the program");
            Err(PermanentError::message(why))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_written_entry_can_be_read() {
        let token = json!({"access_token": "a", "expires_at": 4102444800_u64, "n": 1.5, "big": 123456789012345678_u64});
        let entry = Entry::new(serde_json::from_value(token).unwrap(), u64::MAX);
        let secret = write(&entry).unwrap();
        assert_eq!(read(secret.as_bytes()).unwrap(), entry);
    }

    /// Numbers that this build of serde_json can read. With `arbitrary_precision` it can read all of them.
    #[test]
    fn all_numbers_are_preserved() {
        for number in ["-1", "0.10", "-1e-7", "18446744073709551616", "123456789012345678901234567890", "1e400"] {
            let text = format!(r#"{{"access_token": "a", "n": {number}, "in": [{{"n": {number}}}]}}"#);
            let Ok(token) = serde_json::from_str(&text) else { continue };
            let entry = Entry::new(token, 1);
            assert_eq!(read(write(&entry).unwrap().as_bytes()).unwrap(), entry, "{number}");
        }
    }

    #[test]
    fn errors_name_the_problem_and_repeat_no_content() {
        let deep = (0..200).fold(json!("hunter2"), |inner, _| json!([inner]));
        let token = serde_json::from_value(json!({"access_token": "hunter2", "deep": deep})).unwrap();
        let error = write(&Entry::new(token, 1)).unwrap_err().to_string();
        assert!(error.contains("cannot be stored") && !error.contains("hunter2"), "{error}");
        for (secret, named) in [
            (r#"{"version": 2, "entry": "hunter2"}"#, "version 2"),
            (r#"{"version": 1, "entry": "hunter2"}"#, "not understood"),
            (r#"{"version": "hunter2"}"#, "not understood"),
            ("hunter2", "not understood"),
        ] {
            let error = read(secret.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(named) && !error.contains("hunter2"), "{error}");
        }
    }
}
