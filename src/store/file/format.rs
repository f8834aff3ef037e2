//! Encodes and decodes the content of a token file.

use serde::{Deserialize as _, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::file_error::ContentError;
use crate::error::BoxError;
use crate::store::json::{self, MAX_SIZE};
use crate::store::{Entry, Key};
use crate::token::Token;

/// The version of the format that is written. A file with an unknown version is not changed.
const VERSION: u64 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u64,
    key: &'a Key,
    generation: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<u64>,
    token: &'a Token,
}

/// Returns the content of the file, indented.
///
/// # Errors
///
/// If the content could not be read again.
pub(super) fn write(key: &Key, entry: &Entry) -> Result<Zeroizing<Vec<u8>>, BoxError> {
    let login = Some(entry.login).filter(|login| *login > 0);
    let document = Document { version: VERSION, key, generation: entry.generation, login, token: &entry.token };
    let mut content = json::write_pretty(&document, |content| read(content, key))?;
    content.push(b'\n');
    Ok(content)
}

/// Parses the entry of this key. Errors do not repeat the content.
pub(super) fn read(content: &[u8], key: &Key) -> Result<Entry, ContentError> {
    if content.trim_ascii().is_empty() {
        return Err(ContentError::Empty);
    }
    // One more byte for the line break at the end.
    if content.len() > MAX_SIZE + 1 {
        return Err(ContentError::damaged("it exceeds the maximum size of an entry"));
    }
    let value = serde_json::from_slice(content).map_err(|why| {
        ContentError::damaged(format!("invalid JSON at line {}, column {}", why.line(), why.column()))
    })?;
    let Value::Object(mut members) = value else { return Err(ContentError::damaged("not a JSON object")) };
    if members.contains_key("access_token") {
        // A file of another program has no version, so that each version of this crate is newer.
        return Ok(Entry::new(token(members)?, 0));
    }
    match members.get("version").map(Value::as_u64) {
        None => return Err(ContentError::damaged("there is neither `version` nor `access_token`")),
        Some(Some(VERSION)) => {}
        Some(Some(version)) if version > VERSION => {
            let others = members.remove("key").and_then(|stored| Key::deserialize(stored).ok()).filter(|it| it != key);
            return Err(others.map_or(ContentError::NewerVersion(version), |_| ContentError::OtherKey));
        }
        Some(_) => return Err(ContentError::damaged("there is no such `version`")),
    }
    let stored = Key::deserialize(members.remove("key").unwrap_or_default())
        .map_err(|_| ContentError::damaged("`key` cannot be read"))?;
    if stored != *key {
        return Err(ContentError::OtherKey);
    }
    let generation = members.get("generation").and_then(Value::as_u64);
    let generation = generation.ok_or_else(|| ContentError::damaged("`generation` is not a number"))?;
    let login = members.get("login").and_then(Value::as_u64).unwrap_or_default();
    match members.remove("token") {
        Some(Value::Object(members)) => Ok(Entry::new(token(members)?, generation).with_login(login)),
        _ => Err(ContentError::damaged("`token` is not a JSON object")),
    }
}

/// Errors of the token name its members and contain none of their values.
fn token(members: Map<String, Value>) -> Result<Token, ContentError> {
    Token::deserialize(Value::Object(members)).map_err(|why| ContentError::damaged(why.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key() -> Key {
        Key::new("https://auth.example.com/token", "app").scope("read")
    }

    fn entry() -> Entry {
        let token = json!({"access_token": "a", "token_type": "bearer", "expires_at": 4102444800_u64, "id_token": "i"});
        Entry::new(serde_json::from_value(token).unwrap(), 7)
    }

    fn error_of(content: &[u8]) -> String {
        read(content, &key()).unwrap_err().at("f".as_ref()).to_string()
    }

    #[test]
    fn a_written_entry_can_be_read() {
        let content = write(&key(), &entry()).unwrap();
        assert_eq!(read(&content, &key()).unwrap(), entry());
        let text = std::str::from_utf8(&content).unwrap();
        assert!(text.starts_with("{\n  \"version\": 1,\n  \"key\": {\n    \"issuer\": "), "{text}");
        assert!(text.ends_with("}\n"), "{text}");
    }

    /// `touch` creates an empty file, for example for a mount.
    #[test]
    fn an_empty_file_is_no_entry() {
        for content in [&b""[..], b"\n", b" \r\n"] {
            assert!(read(content, &key()).unwrap_err().at("f".as_ref()).is_empty());
        }
    }

    #[test]
    fn a_token_alone_is_read_for_any_key() {
        let content =
            br#"{"access_token": "a", "refresh_token": "r", "expires_in": 60, "expires_at": 1.5, "version": 9}"#;
        let entry = read(content, &key()).unwrap();
        assert_eq!((entry.generation, entry.token.refresh_token()), (0, Some("r")));
        assert!(entry.token.is_expired(std::time::Duration::ZERO));
    }

    /// A truncated file is damaged, at whatever length it was cut.
    #[test]
    fn a_truncated_file_is_damaged() {
        let content = write(&key(), &entry()).unwrap();
        for length in 1..content.trim_ascii_end().len() {
            assert!(error_of(&content[..length]).contains("damaged"), "{length}");
        }
    }

    #[test]
    fn errors_name_the_problem_and_repeat_no_content() {
        let valid = || {
            serde_json::to_value(
                json!({"version": 1, "key": key(), "generation": 1, "token": {"access_token": "hunter2"}}),
            )
            .unwrap()
        };
        let with = |name: &str, value: Value| {
            let mut document = valid();
            document[name] = value;
            error_of(document.to_string().as_bytes())
        };
        for (text, named) in [
            (error_of(b"{\"access_token\": \"hunter2"), "invalid JSON at line 1"),
            (error_of(b"\"hunter2\""), "not a JSON object"),
            (error_of(b"{\"hunter2\": 1}"), "neither `version` nor `access_token`"),
            (error_of(b"{\"access_token\": \"hunter 2\"}"), "visible ASCII"),
            (with("version", json!(2)), "update the program"),
            (with("version", json!(0)), "`version`"),
            (with("version", json!("hunter2")), "`version`"),
            (with("key", json!({"hunter2": "hunter2"})), "`key`"),
            (with("key", json!("hunter2")), "`key`"),
            (with("key", json!(Key::new("hunter2", "hunter2"))), "another login"),
            (with("generation", json!("hunter2")), "`generation`"),
            (with("token", json!("hunter2")), "`token`"),
            (with("token", json!({"refresh_token": "hunter2"})), "`access_token` is missing"),
            (with("token", json!({"access_token": "a", "expires_at": "hunter2"})), "`expires_at`"),
        ] {
            assert!(text.contains(named) && text.contains("nothing was changed"), "{named}: {text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
