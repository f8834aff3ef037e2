//! Encryption at rest: an entry that only the holder of a key can read, and that nobody can swap for another.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{Entry, Key};
use crate::error::BoxError;
use crate::random;

/// What sealed octets begin with; JSON begins otherwise. Then come the key's mark, the nonce, and what is sealed.
const MAGIC: &[u8] = b"toa2\x01";
const MARK: usize = 8;
const NONCE: usize = 24;

/// The keys of a store: without any, entries are JSON.
#[derive(Clone, Default)]
pub(super) struct Seals {
    /// The one to seal with.
    current: Option<Seal>,
    /// The others to open with.
    former: Vec<Seal>,
}

#[derive(Clone)]
struct Seal(Zeroizing<[u8; 32]>);

// ===== impl Seals =====

impl Seals {
    pub(super) fn seal_with(&mut self, key: [u8; 32]) {
        self.current = Some(Seal(key.into()));
    }

    pub(super) fn open_also(&mut self, key: [u8; 32]) {
        self.former.push(Seal(key.into()));
    }

    pub(super) fn are_there(&self) -> bool {
        self.current.is_some() || !self.former.is_empty()
    }

    /// The entry as it is kept.
    pub(super) fn pack(&self, key: &Key, entry: &Entry) -> Result<Vec<u8>, BoxError> {
        let json = Zeroizing::new(serde_json::to_vec(entry)?);
        match (&self.current, self.are_there()) {
            (Some(seal), _) => seal.seal(&json, &belongs_to(key, entry.generation)),
            (None, false) => Ok(json.to_vec()),
            (None, true) => Err("there is no key to encrypt with: `encrypted` has not been called".into()),
        }
    }

    /// The entry that was kept under this key as this generation.
    pub(super) fn unpack(&self, key: &Key, generation: u64, kept: &[u8]) -> Result<Entry, BoxError> {
        let Some(sealed) = kept.strip_prefix(MAGIC) else {
            return match self.are_there() {
                // Whoever could write to the store could otherwise hand us a login of their own.
                true => Err("the stored token is not encrypted, and this store takes no other; clear it".into()),
                false => from_json(kept),
            };
        };
        let (mark, sealed) = sealed.split_at_checked(MARK).ok_or(BROKEN)?;
        let mut seals = self.current.iter().chain(&self.former);
        let seal = seals.find(|seal| seal.mark() == mark).ok_or(UNKNOWN)?;
        from_json(&seal.open(sealed, &belongs_to(key, generation))?)
    }
}

const BROKEN: &str = "the stored token has been tampered with, or does not belong here";
const UNKNOWN: &str =
    "the stored token is encrypted with a key that this store was not given; if the key is lost, clear it";

fn from_json(json: &[u8]) -> Result<Entry, BoxError> {
    // The error of serde_json cites what it read.
    serde_json::from_slice(json)
        .map_err(|why| format!("the stored token is not understood ({:?})", why.classify()).into())
}

/// What is sealed with an entry though not kept in it, so that none can be moved to another key or to another time.
fn belongs_to(key: &Key, generation: u64) -> Vec<u8> {
    [key.id().as_bytes(), &generation.to_be_bytes()].concat()
}

// ===== impl Seal =====

impl Seal {
    fn seal(&self, clear: &[u8], belongs_to: &[u8]) -> Result<Vec<u8>, BoxError> {
        // Of 192 bits any number can be drawn for one key, by any number of processes.
        let nonce = *random::octets::<NONCE>()?;
        let payload = Payload { msg: clear, aad: belongs_to };
        let sealed = self.cipher().encrypt(&nonce.into(), payload).map_err(|_| "the token is too long to encrypt")?;
        Ok([MAGIC, &self.mark(), &nonce, &sealed].concat())
    }

    fn open(&self, sealed: &[u8], belongs_to: &[u8]) -> Result<Zeroizing<Vec<u8>>, BoxError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or(BROKEN)?;
        let payload = Payload { msg: sealed, aad: belongs_to };
        Ok(self.cipher().decrypt(&(*nonce).into(), payload).map_err(|_| BROKEN)?.into())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }

    /// Tells which key it was without telling the key.
    fn mark(&self) -> [u8; MARK] {
        let mut hash = Sha256::new();
        hash.update("tower-oauth2 mark of a key");
        hash.update(*self.0);
        *hash.finalize().first_chunk().unwrap_or(&[0; MARK])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Token;

    fn seals(current: u8, former: &[u8]) -> Seals {
        let mut seals = Seals::default();
        seals.seal_with([current; 32]);
        former.iter().for_each(|key| seals.open_also([*key; 32]));
        seals
    }

    fn entry() -> Entry {
        Entry::new(Token::bearer("secret-access").unwrap().with_refresh_token("secret-refresh"), 7)
    }

    fn refusal(outcome: Result<Entry, BoxError>) -> String {
        outcome.unwrap_err().to_string()
    }

    #[test]
    fn what_is_sealed_can_be_opened_and_tells_nothing() {
        let key = Key::new("issuer", "client");
        let (one, two) = (seals(1, &[]).pack(&key, &entry()).unwrap(), seals(1, &[]).pack(&key, &entry()).unwrap());
        assert_ne!(one, two, "a nonce serves once");
        assert!(!one.windows(6).any(|octets| octets == b"secret"));
        assert_eq!(seals(1, &[]).unpack(&key, 7, &one).unwrap(), entry());
    }

    #[test]
    fn a_former_key_opens_and_a_foreign_one_does_not() {
        let key = Key::new("issuer", "client");
        let sealed = seals(1, &[]).pack(&key, &entry()).unwrap();
        assert_eq!(seals(2, &[3, 1]).unpack(&key, 7, &sealed).unwrap(), entry());
        assert_eq!(refusal(seals(2, &[3]).unpack(&key, 7, &sealed)), UNKNOWN);
        assert_eq!(refusal(Seals::default().unpack(&key, 7, &sealed)), UNKNOWN);
        let mut reader = Seals::default();
        reader.open_also([1; 32]);
        assert_eq!(reader.unpack(&key, 7, &sealed).unwrap(), entry());
        assert!(reader.pack(&key, &entry()).is_err(), "and nothing is kept in the clear by mistake");
    }

    #[test]
    fn what_was_changed_or_moved_is_refused() {
        let key = Key::new("issuer", "client");
        let sealed = seals(1, &[]).pack(&key, &entry()).unwrap();
        assert_eq!(refusal(seals(1, &[]).unpack(&Key::new("issuer", "other"), 7, &sealed)), BROKEN);
        assert_eq!(refusal(seals(1, &[]).unpack(&key, 8, &sealed)), BROKEN);
        for at in MAGIC.len() + MARK..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(refusal(seals(1, &[]).unpack(&key, 7, &changed)), BROKEN, "octet {at}");
        }
        for length in MAGIC.len()..sealed.len() {
            assert!(seals(1, &[]).unpack(&key, 7, &sealed[..length]).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn what_is_in_the_clear_is_not_taken_by_one_who_encrypts() {
        let key = Key::new("issuer", "client");
        let clear = Seals::default().pack(&key, &entry()).unwrap();
        assert_eq!(Seals::default().unpack(&key, 7, &clear).unwrap(), entry());
        assert!(refusal(seals(1, &[]).unpack(&key, 7, &clear)).contains("not encrypted"));
        assert!(!refusal(Seals::default().unpack(&key, 7, br#"{"token": "hunter2"}"#)).contains("hunter2"));
    }
}
