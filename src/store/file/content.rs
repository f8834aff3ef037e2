//! What stands in the file of an entry.

use serde::{Deserialize as _, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::problem::What;
use crate::store::{Entry, Key};
use crate::token::Token;

/// The version that is written. A reader who does not know a version leaves its file alone.
const VERSION: u64 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u64,
    key: &'a Key,
    generation: u64,
    token: &'a Token,
}

/// For a person to read, too.
pub(super) fn write(key: &Key, entry: &Entry) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
    let document = Document { version: VERSION, key, generation: entry.generation, token: &entry.token };
    let mut content = Zeroizing::new(serde_json::to_vec_pretty(&document)?);
    content.push(b'\n');
    Ok(content)
}

/// The entry of this key. No error repeats what stands there.
pub(super) fn read(content: &[u8], key: &Key) -> Result<Entry, What> {
    let value = serde_json::from_slice(content)
        .map_err(|why| What::damaged(format!("no JSON from line {}, column {} on", why.line(), why.column())))?;
    let Value::Object(mut members) = value else { return Err(What::damaged("no JSON object")) };
    if members.contains_key("access_token") {
        // Of another program, which does not count generations. Any that is counted is newer.
        return Ok(Entry::new(token(members)?, 0));
    }
    match members.get("version").map(Value::as_u64) {
        None => return Err(What::damaged("there is neither `version` nor `access_token`")),
        Some(Some(VERSION)) => {}
        Some(Some(version)) if version > VERSION => return Err(What::Newer(version)),
        Some(_) => return Err(What::damaged("there never was such a `version`")),
    }
    let stored = Key::deserialize(members.remove("key").unwrap_or_default())
        .map_err(|_| What::damaged("`key` cannot be read"))?;
    if stored != *key {
        return Err(What::Foreign);
    }
    let generation = members.get("generation").and_then(Value::as_u64);
    let generation = generation.ok_or_else(|| What::damaged("`generation` is no number"))?;
    match members.remove("token") {
        Some(Value::Object(members)) => Ok(Entry::new(token(members)?, generation)),
        _ => Err(What::damaged("`token` is no JSON object")),
    }
}

/// What a token says about itself when it cannot be read names its members, and has none of their values.
fn token(members: Map<String, Value>) -> Result<Token, What> {
    Token::deserialize(Value::Object(members)).map_err(|why| What::damaged(why.to_string()))
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

    fn told(content: &[u8]) -> String {
        read(content, &key()).unwrap_err().at("f".as_ref()).to_string()
    }

    #[test]
    fn what_is_written_is_read() {
        let content = write(&key(), &entry()).unwrap();
        assert_eq!(read(&content, &key()).unwrap(), entry());
        let text = std::str::from_utf8(&content).unwrap();
        assert!(text.starts_with("{\n  \"version\": 1,\n  \"key\": {\n    \"issuer\": "), "{text}");
        assert!(text.ends_with("}\n"), "{text}");
    }

    #[test]
    fn a_token_alone_is_read_for_any_key() {
        let content =
            br#"{"access_token": "a", "refresh_token": "r", "expires_in": 60, "expires_at": 1.5, "version": 9}"#;
        let entry = read(content, &key()).unwrap();
        assert_eq!((entry.generation, entry.token.refresh_token()), (0, Some("r")));
        assert!(entry.token.is_expired(std::time::Duration::ZERO));
    }

    /// However much of a file is missing, it is damaged, and not another one.
    #[test]
    fn a_part_of_a_file_is_no_file() {
        let content = write(&key(), &entry()).unwrap();
        for length in 0..content.trim_ascii_end().len() {
            assert!(told(&content[..length]).contains("damaged"), "{length}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_nothing_else_is() {
        let whole = || {
            serde_json::to_value(
                json!({"version": 1, "key": key(), "generation": 1, "token": {"access_token": "hunter2"}}),
            )
            .unwrap()
        };
        let with = |name: &str, value: Value| {
            let mut whole = whole();
            whole[name] = value;
            told(whole.to_string().as_bytes())
        };
        for (text, named) in [
            (told(b""), "line 1, column 0"),
            (told(b"{\"access_token\": \"hunter2"), "no JSON from line 1"),
            (told(b"\"hunter2\""), "no JSON object"),
            (told(b"{\"hunter2\": 1}"), "neither `version` nor `access_token`"),
            (told(b"{\"access_token\": \"hunter 2\"}"), "visible ASCII"),
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
