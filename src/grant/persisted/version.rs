//! The versions of stored tokens, which order them for all processes. The generations of a cell are an order within one process.

use sha2::{Digest as _, Sha256};

use super::logouts;
use crate::error::{Error, ErrorKind};
use crate::store::Entry;
use crate::token::StoredAs;
use crate::{clock, random};

/// The number of low bits of a version from the clock that are random, so that two processes that find no entry in the same millisecond
/// do not choose the same version. Together with the milliseconds, versions fit the 53 bits of a JSON number until the year 2109.
const RANDOM_BITS: u32 = 11;

/// Returns whether an entry is newer than the known version. Each entry is newer than `None`.
pub(super) fn is_newer(entry: &Entry, known: Option<StoredAs>) -> bool {
    known.is_none_or(|known| entry.version() > known.version)
}

/// Returns whether two entries are the same. The whole token is compared, because another process may have saved another one under the
/// same version.
pub(super) fn is_same(entry: &Entry, other: &Entry) -> bool {
    entry.version() == other.version() && entry.token.is_same_stored(&other.token)
}

/// Returns whether an entry was forgotten: it is older than the forgotten token, or was refreshed from it.
pub(super) fn is_forgotten(entry: &Entry, forgotten: StoredAs) -> bool {
    entry.version() <= forgotten.version || login(entry) == forgotten.login
}

pub(super) fn stored_as(entry: &Entry) -> StoredAs {
    StoredAs { version: entry.version(), login: login(entry), logouts_before: logouts::count() }
}

/// Returns a version that is greater than the stored one (zero if there is no entry) and than the newest known one.
///
/// # Errors
///
/// There is no version after `u64::MAX`.
pub(super) fn next(stored: u64, known: Option<u64>) -> Result<u64, Error> {
    let newest = stored.max(known.unwrap_or_default());
    // A missing entry may have been cleared. Starting from the clock makes the new version greater than that of the cleared entry.
    let base = if stored == 0 { newest.max(by_clock()) } else { newest };
    base.checked_add(1).ok_or_else(|| {
        let why = "the stored token has the greatest version that there is, so no newer one can be saved; clear it";
        Error::new(ErrorKind::Store, why).permanent()
    })
}

/// Returns the version that stands for a store without an entry.
pub(super) fn nothing_stored() -> StoredAs {
    StoredAs { version: 0, login: 0, logouts_before: logouts::count() }
}

fn by_clock() -> u64 {
    let low = (random::unit() * f64::from(1 << RANDOM_BITS)) as u64;
    clock::now().unix_millis().checked_mul(1 << RANDOM_BITS).map_or(0, |high| high | low)
}

/// Returns an identity of 53 random bits for a new login.
pub(super) fn new_login() -> u64 {
    let Ok(octets) = random::octets::<8>() else { return 0 };
    u64::from_le_bytes(*octets) >> 11
}

/// Returns the login of an entry. If the entry has none, it is derived from the token, and so is the same in all processes.
fn login(entry: &Entry) -> u64 {
    if entry.login != 0 {
        return entry.login;
    }
    let mut hash = Sha256::new();
    hash.update(entry.token.access_token());
    hash.update([0]);
    hash.update(entry.token.refresh_token().unwrap_or_default());
    hash.finalize().first_chunk().map_or(0, |octets| u64::from_le_bytes(*octets) >> 11)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Token;

    #[test]
    fn versions_rise_and_end() {
        assert_eq!(next(4, None).unwrap(), 5);
        assert_eq!(next(4, Some(7)).unwrap(), 8);
        assert_eq!(next(u64::MAX - 1, None).unwrap(), u64::MAX);
        for (stored, known) in [(u64::MAX, None), (1, Some(u64::MAX)), (0, Some(u64::MAX))] {
            let error = next(stored, known).unwrap_err();
            assert!(!error.is_transient() && error.to_string().contains("clear it"), "{error}");
        }
        let first = next(0, None).unwrap();
        assert!(first >> RANDOM_BITS > 1_700_000_000_000 && first < 1 << 53, "{first}");
        assert_eq!(next(0, Some(1 << 60)).unwrap(), (1 << 60) + 1);
    }

    #[test]
    fn first_versions_of_one_millisecond_differ() {
        let drawn: std::collections::HashSet<u64> = (0..20).map(|_| next(0, None).unwrap()).collect();
        assert!(drawn.len() > 10, "{drawn:?}");
    }

    #[test]
    fn an_entry_that_was_refreshed_from_a_forgotten_token_is_forgotten() {
        let entry = |text: &str, version| Entry::new(Token::bearer(text).unwrap(), version);
        let forgotten = stored_as(&entry("a", 3));
        assert!(is_forgotten(&entry("b", 3), forgotten));
        assert!(is_forgotten(&entry("b", 4).with_login(forgotten.login), forgotten));
        assert!(!is_forgotten(&entry("b", 4), forgotten));
        assert!(!is_forgotten(&entry("b", 4).with_login(new_login()), forgotten));
    }
}
