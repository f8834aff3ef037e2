//! Draws random numbers. No other module does.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind};

/// Returns a random number in `0.0..1.0`, for jitter; 0.5 if the system has no random numbers.
pub(crate) fn unit() -> f64 {
    // An `f64` represents 53 bits exactly.
    getrandom::u64().map_or(0.5, |bits| (bits >> 11) as f64 / (1_u64 << 53) as f64)
}

/// Returns 256 random bits as 43 unreserved characters, for a PKCE verifier (RFC 7636 §4.1) or a `state`.
///
/// # Errors
///
/// If the system has no random numbers.
pub(crate) fn text() -> Result<Zeroizing<String>, Error> {
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(octets::<32>()?.as_slice())))
}

/// Returns `N` random bytes.
///
/// # Errors
///
/// If the system has no random numbers.
pub(crate) fn octets<const N: usize>() -> Result<Zeroizing<[u8; N]>, Error> {
    let mut octets = Zeroizing::new([0; N]);
    match getrandom::fill(octets.as_mut()) {
        Ok(()) => Ok(octets),
        Err(why) => Err(Error::new(ErrorKind::Configuration, format!("the system has no random numbers ({why})"))),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_text_is_random_and_url_safe() {
        let (one, two) = (super::text().unwrap(), super::text().unwrap());
        assert_ne!(*one, *two);
        assert_eq!(one.len(), 43);
        assert!(one.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_'));
    }

    #[test]
    fn a_unit_is_random_and_in_range() {
        let drawn: Vec<f64> = (0..100).map(|_| super::unit()).collect();
        assert!(drawn.iter().all(|x| (0.0..1.0).contains(x)));
        assert!(drawn.iter().any(|x| *x != drawn[0]));
    }
}
