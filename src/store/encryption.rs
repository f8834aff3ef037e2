//! Encryption of stored entries. An encrypted entry is bound to its store, its key and its version.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{Entry, Key, PermanentError, json};
use crate::error::BoxError;
use crate::random;

/// The first bytes of an encrypted entry; JSON never starts with them. The id of the encryption key, the nonce and the ciphertext follow.
const MAGIC: &[u8] = b"toa2\x01";
const KEY_ID_LEN: usize = 8;
const NONCE_LEN: usize = 24;

/// The keys that encrypt the entries of a store. Without any, entries are stored as JSON.
#[derive(Clone, Default)]
pub(super) struct KeySet {
    /// Encrypts, and decrypts.
    current: Option<EncryptionKey>,
    /// Keys that only decrypt.
    former: Vec<EncryptionKey>,
}

#[derive(Clone)]
struct EncryptionKey(Zeroizing<[u8; 32]>);

// ===== impl KeySet =====

impl KeySet {
    pub(super) fn encrypt_with(&mut self, key: [u8; 32]) {
        self.current = Some(EncryptionKey(key.into()));
    }

    pub(super) fn decrypt_with(&mut self, key: [u8; 32]) {
        self.former.push(EncryptionKey(key.into()));
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.current.is_some() || !self.former.is_empty()
    }

    /// Returns the stored form of the entry, for a store with this prefix.
    ///
    /// # Errors
    ///
    /// If the stored form could not be decoded again.
    pub(super) fn encode(&self, prefix: &str, key: &Key, entry: &Entry) -> Result<Vec<u8>, BoxError> {
        let json = json::write(entry, json::read::<Entry>)?;
        match (&self.current, self.is_enabled()) {
            (Some(encryption_key), _) => encryption_key.encrypt(&json, &associated_data(prefix, key, entry.generation)),
            (None, false) => Ok(json.to_vec()),
            (None, true) => {
                Err(PermanentError::message("there is no key to encrypt with: `encrypted` has not been called"))
            }
        }
    }

    /// Decodes an entry that was stored with this prefix, under this key and as this version.
    pub(super) fn decode(&self, prefix: &str, key: &Key, generation: u64, stored: &[u8]) -> Result<Entry, BoxError> {
        let Some(encrypted) = stored.strip_prefix(MAGIC) else {
            return match self.is_enabled() {
                // Otherwise anyone with write access to the store could plant a login of their own.
                true => Err(PermanentError::message(NOT_ENCRYPTED)),
                false => json::read(stored),
            };
        };
        let (key_id, encrypted) =
            encrypted.split_at_checked(KEY_ID_LEN).ok_or_else(|| PermanentError::message(TAMPERED))?;
        let mut candidates = self.current.iter().chain(&self.former);
        let encryption_key = candidates
            .find(|encryption_key| encryption_key.id() == key_id)
            .ok_or_else(|| PermanentError::message(UNKNOWN_KEY))?;
        json::read(&encryption_key.decrypt(encrypted, &associated_data(prefix, key, generation))?)
    }
}

const NOT_ENCRYPTED: &str = "the stored token is not encrypted, and this store accepts only encrypted tokens; clear it";
const TAMPERED: &str = "the stored token has been tampered with, or does not belong here";
const UNKNOWN_KEY: &str =
    "the stored token is encrypted with a key that this store was not given; if the key is lost, clear it";

/// Returns the data that is authenticated together with an entry, so that the entry cannot be moved to another store, key or version.
fn associated_data(prefix: &str, key: &Key, generation: u64) -> Vec<u8> {
    // The id and the version have fixed lengths, so no two combinations have the same bytes.
    [prefix.as_bytes(), key.id().as_bytes(), &generation.to_be_bytes()].concat()
}

// ===== impl EncryptionKey =====

impl EncryptionKey {
    fn encrypt(&self, clear: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, BoxError> {
        // 192 random bits do not repeat, however many processes encrypt with one key.
        let nonce = *random::octets::<NONCE_LEN>()?;
        let payload = Payload { msg: clear, aad: associated_data };
        let encrypted = self
            .cipher()
            .encrypt(&nonce.into(), payload)
            .map_err(|_| PermanentError::message("the token is too long to encrypt"))?;
        Ok([MAGIC, &self.id(), &nonce, &encrypted].concat())
    }

    fn decrypt(&self, encrypted: &[u8], associated_data: &[u8]) -> Result<Zeroizing<Vec<u8>>, BoxError> {
        let (nonce, encrypted) =
            encrypted.split_first_chunk::<NONCE_LEN>().ok_or_else(|| PermanentError::message(TAMPERED))?;
        let payload = Payload { msg: encrypted, aad: associated_data };
        Ok(self.cipher().decrypt(&(*nonce).into(), payload).map_err(|_| PermanentError::message(TAMPERED))?.into())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }

    /// Returns an identifier of the key that does not reveal the key.
    fn id(&self) -> [u8; KEY_ID_LEN] {
        let mut hash = Sha256::new();
        hash.update("tower-oauth2 mark of a key");
        hash.update(*self.0);
        *hash.finalize().first_chunk().unwrap_or(&[0; KEY_ID_LEN])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Token;

    fn keys(current: u8, former: &[u8]) -> KeySet {
        let mut keys = KeySet::default();
        keys.encrypt_with([current; 32]);
        former.iter().for_each(|key| keys.decrypt_with([*key; 32]));
        keys
    }

    fn entry() -> Entry {
        Entry::new(Token::bearer("secret-access").unwrap().with_refresh_token("secret-refresh"), 7)
    }

    fn error_of(outcome: Result<Entry, BoxError>) -> String {
        outcome.unwrap_err().to_string()
    }

    #[test]
    fn an_encrypted_entry_can_be_decrypted_and_reveals_nothing() {
        let key = Key::new("issuer", "client");
        let (one, two) =
            (keys(1, &[]).encode("p:", &key, &entry()).unwrap(), keys(1, &[]).encode("p:", &key, &entry()).unwrap());
        assert_ne!(one, two, "each nonce is used once");
        assert!(!one.windows(6).any(|octets| octets == b"secret"));
        assert_eq!(keys(1, &[]).decode("p:", &key, 7, &one).unwrap(), entry());
    }

    #[test]
    fn a_former_key_decrypts_and_an_unknown_key_does_not() {
        let key = Key::new("issuer", "client");
        let encrypted = keys(1, &[]).encode("p:", &key, &entry()).unwrap();
        assert_eq!(keys(2, &[3, 1]).decode("p:", &key, 7, &encrypted).unwrap(), entry());
        assert_eq!(error_of(keys(2, &[3]).decode("p:", &key, 7, &encrypted)), UNKNOWN_KEY);
        assert_eq!(error_of(KeySet::default().decode("p:", &key, 7, &encrypted)), UNKNOWN_KEY);
        let mut reader = KeySet::default();
        reader.decrypt_with([1; 32]);
        assert_eq!(reader.decode("p:", &key, 7, &encrypted).unwrap(), entry());
        assert!(reader.encode("p:", &key, &entry()).is_err(), "nothing is stored in the clear by mistake");
    }

    #[test]
    fn an_entry_that_was_changed_or_moved_is_rejected() {
        let key = Key::new("issuer", "client");
        let encrypted = keys(1, &[]).encode("p:", &key, &entry()).unwrap();
        assert_eq!(error_of(keys(1, &[]).decode("p:", &Key::new("issuer", "other"), 7, &encrypted)), TAMPERED);
        assert_eq!(error_of(keys(1, &[]).decode("p:", &key, 8, &encrypted)), TAMPERED);
        for prefix in ["", "p", "p:p:", "staging:"] {
            assert_eq!(error_of(keys(1, &[]).decode(prefix, &key, 7, &encrypted)), TAMPERED, "{prefix}");
        }
        for at in MAGIC.len() + KEY_ID_LEN..encrypted.len() {
            let mut changed = encrypted.clone();
            changed[at] ^= 1;
            assert_eq!(error_of(keys(1, &[]).decode("p:", &key, 7, &changed)), TAMPERED, "octet {at}");
        }
        for length in MAGIC.len()..encrypted.len() {
            assert!(keys(1, &[]).decode("p:", &key, 7, &encrypted[..length]).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn an_old_entry_cannot_be_restored_as_a_newer_one() {
        let key = Key::new("issuer", "client");
        let old = keys(1, &[]).encode("p:", &key, &entry()).unwrap();
        let newer = Entry::new(entry().token, 8);
        assert_eq!(error_of(keys(1, &[]).decode("p:", &key, newer.generation, &old)), TAMPERED);
        // Under its own version it cannot be detected: only the store could remember that there was a newer one.
        assert_eq!(keys(1, &[]).decode("p:", &key, 7, &old).unwrap(), entry());
    }

    #[test]
    fn an_entry_that_could_not_be_read_again_is_not_stored() {
        let deep = (0..200).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
        let token = serde_json::from_value(serde_json::json!({"access_token": "a", "deep": deep})).unwrap();
        for keys in [keys(1, &[]), KeySet::default()] {
            let error = keys.encode("p:", &Key::new("i", "c"), &Entry::new(Token::clone(&token), 1)).unwrap_err();
            assert!(error.to_string().contains("cannot be stored"), "{error}");
        }
    }

    #[test]
    fn a_store_that_encrypts_rejects_an_entry_in_the_clear() {
        let key = Key::new("issuer", "client");
        let clear = KeySet::default().encode("p:", &key, &entry()).unwrap();
        assert_eq!(KeySet::default().decode("p:", &key, 7, &clear).unwrap(), entry());
        assert!(error_of(keys(1, &[]).decode("p:", &key, 7, &clear)).contains("not encrypted"));
        assert!(!error_of(KeySet::default().decode("p:", &key, 7, br#"{"token": "hunter2"}"#)).contains("hunter2"));
    }
}
