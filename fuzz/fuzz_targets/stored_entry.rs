//! An entry of any size and depth that a store saves can be loaded. Saving any other entry is an error and changes nothing. A file with
//! any content is loaded or is an error, and a logout removes it.
//!
//! An input is a line and a text. `save 100 2000` saves the token in that text, with another member: 2000 letters in 100 nested arrays.
//! `file 100 2000` writes a file with 100 brackets, the text, and 2000 spaces.

#![no_main]

use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::{env, fs, process};

use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Value, json};
use tower_oauth2::Token;
use tower_oauth2::store::{Entry, FileStore, Key, TokenStore};
use tower_oauth2_fuzz::{Placeholders, REFRESH, SECRET, contains, contains_secret, error_text};

const PLACEHOLDERS: Placeholders<'_> = Placeholders(&[("$SECRET", SECRET), ("$REFRESH", REFRESH)]);

/// Deeper than the limit of the parser, but not so deep that building the input overflows the stack.
const MAX_DEPTH: usize = 2_000;
/// Twice the maximum size of an entry.
const MAX_LENGTH: usize = 8 * 1024 * 1024;

fuzz_target!(|input: &[u8]| -> Corpus {
    if contains_secret(input) {
        return Corpus::Reject;
    }
    let Some(line) = input.iter().position(|byte| *byte == b'\n') else { return Corpus::Reject };
    let (line, text) = (String::from_utf8_lossy(&input[..line]), PLACEHOLDERS.fill(&input[line + 1..]));
    let mut words = line.split(' ');
    let what = words.next();
    let mut number = |max: usize| words.next().and_then(|word| word.parse().ok()).unwrap_or(0_usize).min(max);
    let (depth, length) = (number(MAX_DEPTH), number(MAX_LENGTH));
    match what {
        Some("save") => match token(&text, depth, length) {
            Some(token) => save(token),
            None => return Corpus::Reject,
        },
        Some("file") => file(&[&b"[".repeat(depth), &text[..], &b" ".repeat(length)].concat()),
        _ => return Corpus::Reject,
    }
    Corpus::Keep
});

fn token(text: &[u8], depth: usize, length: usize) -> Option<Token> {
    let mut members: Value = serde_json::from_slice(text).ok()?;
    if depth + length > 0 {
        let nested = (0..depth).fold(json!("x".repeat(length)), |inner, _| Value::Array(vec![inner]));
        members.as_object_mut()?.insert("nested".to_owned(), nested);
    }
    serde_json::from_value(members).ok()
}

fn save(token: Token) {
    let store = Folder::new();
    let before = Entry::new(Token::bearer("before").unwrap(), 1);
    let entry = Entry::new(token, 2);
    assert!(store.save(&before).is_ok());
    match store.save(&entry) {
        Ok(()) => {
            let loaded = store.load().expect("what was saved can be loaded").expect("it is there");
            assert_eq!(loaded.generation, 2);
            // A store rounds the expiry down to seconds.
            assert!(serde_json::to_value(&loaded.token).unwrap() == serde_json::to_value(&entry.token).unwrap());
        }
        Err(error) => {
            contains_no_token(&error);
            assert!(store.load() == Ok(Some(before)), "nothing was changed");
        }
    }
    store.clear().expect("a logout");
    store.is_empty();
}

fn file(content: &[u8]) {
    let store = Folder::new();
    fs::write(store.path(), content).unwrap();
    let loaded = store.load();
    if let Err(error) = &loaded {
        contains_no_token(error);
    }
    match store.clear() {
        Ok(()) => store.is_empty(),
        Err(error) => {
            contains_no_token(&error);
            assert!(loaded.is_err() && error.contains("belongs to another login"), "{error}");
            assert_eq!(fs::read(store.path()).unwrap(), content);
        }
    }
}

fn contains_no_token(error: &str) {
    assert!(!contains(error.as_bytes(), SECRET) && !contains(error.as_bytes(), REFRESH), "{error}");
}

/// A store in its own folder.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        // In memory if possible, because the files are temporary.
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { env::temp_dir() };
        let folder = folder.join(format!("tower-oauth2-fuzz-{}", process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.join("token.json")
    }

    fn save(&self, entry: &Entry) -> Result<(), String> {
        let (store, key) = (FileStore::new(self.path()), key());
        let mut lock = now(store.lock(&key)).unwrap();
        now(store.save(&key, entry, &mut lock)).map_err(|error| error_text(&*error))
    }

    fn load(&self) -> Result<Option<Entry>, String> {
        now(FileStore::new(self.path()).load(&key())).map_err(|error| error_text(&*error))
    }

    fn clear(&self) -> Result<(), String> {
        now(FileStore::new(self.path()).clear(&key(), u64::MAX)).map_err(|error| error_text(&*error))
    }

    fn is_empty(&self) {
        assert_eq!(self.load(), Ok(None));
        for file in fs::read_dir(&self.0).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            assert!(name.ends_with("lock"), "{name} is left");
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn key() -> Key {
    Key::new("https://auth.example.com/token", "app")
}

/// Returns the output of a future that never waits: there is no runtime, and no other process has the lock.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}
