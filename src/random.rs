//! The only place that asks for randomness.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind};

/// A number in `0.0..1.0`, for jitter.
///
/// Where the system has no randomness to give, jitter is not worth failing for: the answer is the middle.
pub(crate) fn unit() -> f64 {
    // 53 bits are what an `f64` can hold exactly.
    getrandom::u64().map_or(0.5, |bits| (bits >> 11) as f64 / (1_u64 << 53) as f64)
}

/// 256 bits that nobody can guess, in 43 unreserved characters: a PKCE verifier (RFC 7636 §4.1), or a `state`.
///
/// # Errors
///
/// Where the system has no randomness to give, there is no safe way to go on.
pub(crate) fn text() -> Result<Zeroizing<String>, Error> {
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(octets::<32>()?.as_slice())))
}

/// So many octets that nobody can guess.
///
/// # Errors
///
/// As [`text`].
pub(crate) fn octets<const N: usize>() -> Result<Zeroizing<[u8; N]>, Error> {
    let mut octets = Zeroizing::new([0; N]);
    match getrandom::fill(octets.as_mut()) {
        Ok(()) => Ok(octets),
        Err(why) => Err(Error::new(ErrorKind::Configuration, format!("the system has no randomness to give ({why})"))),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn texts_vary_and_can_stand_anywhere() {
        let (one, two) = (super::text().unwrap(), super::text().unwrap());
        assert_ne!(*one, *two);
        assert_eq!(one.len(), 43);
        assert!(one.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_'));
    }

    #[test]
    fn stays_in_range_and_varies() {
        let drawn: Vec<f64> = (0..100).map(|_| super::unit()).collect();
        assert!(drawn.iter().all(|x| (0.0..1.0).contains(x)));
        assert!(drawn.iter().any(|x| *x != drawn[0]));
    }
}
