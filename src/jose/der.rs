//! The few shapes of DER that keys and signatures have (X.690), read strictly.

use super::Algorithm;
use crate::error::{Error, ErrorKind};

#[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "only keys hold the other types"))]
pub(super) mod tag {
    pub(in crate::jose) const INTEGER: u8 = 0x02;
    pub(in crate::jose) const BIT_STRING: u8 = 0x03;
    pub(in crate::jose) const OCTET_STRING: u8 = 0x04;
    pub(in crate::jose) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(in crate::jose) const SEQUENCE: u8 = 0x30;
    /// The explicit tag `[0]`.
    pub(in crate::jose) const CONTEXT_0: u8 = 0xa0;
    /// The explicit tag `[1]`.
    pub(in crate::jose) const CONTEXT_1: u8 = 0xa1;
}

/// Reads one value after the other.
#[derive(Clone, Copy)]
pub(super) struct DerReader<'a>(&'a [u8]);

impl<'a> DerReader<'a> {
    pub(super) fn new(der: &'a [u8]) -> Self {
        Self(der)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Reads a value of this tag, and returns its content. `None` if another tag follows, or if the length is not in its shortest form
    /// or exceeds the rest.
    pub(super) fn read(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&first, rest) = self.0.split_first()?;
        let (&length, rest) = rest.split_first()?;
        let (length, rest) = match length {
            0..=0x7f => (usize::from(length), rest),
            0x81 => {
                rest.split_first().filter(|(length, _)| **length >= 0x80).map(|(l, rest)| (usize::from(*l), rest))?
            }
            0x82 => {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                let length = u16::from_be_bytes(*length);
                (length >= 0x100).then_some((usize::from(length), rest))?
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        if first != tag {
            return None;
        }
        self.0 = rest;
        Some(content)
    }

    /// Reads a value of this tag, or returns `None` inside if another tag follows.
    #[cfg(feature = "jwt")]
    pub(super) fn read_optional(&mut self, tag: u8) -> Option<Option<&'a [u8]>> {
        match self.0.first() {
            Some(first) if *first == tag => self.read(tag).map(Some),
            _ => Some(None),
        }
    }

    /// Reads a positive integer, without the zero that keeps its first bit from being a sign.
    fn read_positive(&mut self) -> Option<&'a [u8]> {
        match self.read(tag::INTEGER)? {
            [] | [0] | [0x80..=0xff, ..] | [0, 0..=0x7f, ..] => None,
            [0, number @ ..] | number => Some(number),
        }
    }
}

/// Converts an ECDSA signature from DER, which KMSs and HSMs return, to the two numbers of fixed length that a token carries
/// ([RFC 7518 §3.4]).
///
/// ```
/// use tower_oauth2::jwt::{Algorithm, raw_from_der};
///
/// // SEQUENCE { INTEGER 1, INTEGER 2 }
/// let raw = raw_from_der(Algorithm::Es256, &[0x30, 6, 2, 1, 1, 2, 1, 2])?;
/// assert_eq!((raw.len(), raw[31], raw[63]), (64, 1, 2));
/// # Ok::<_, tower_oauth2::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::Proof`] if the bytes are no DER signature of this algorithm, or if the algorithm is not ECDSA.
///
/// [RFC 7518 §3.4]: https://www.rfc-editor.org/rfc/rfc7518#section-3.4
pub fn raw_from_der(algorithm: Algorithm, der: &[u8]) -> Result<Vec<u8>, Error> {
    let Some(length) = algorithm.ecdsa_number_len() else {
        return Err(Error::new(
            ErrorKind::Proof,
            format!("a signature of {algorithm} is not DER; pass it on as it is"),
        ));
    };
    raw(der, length).ok_or_else(|| {
        Error::new(
            ErrorKind::Proof,
            format!("the signer returned no DER signature of {algorithm}; check the key's curve"),
        )
    })
}

fn raw(der: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut outer = DerReader::new(der);
    let mut numbers = DerReader::new(outer.read(tag::SEQUENCE)?);
    let (r, s) = (numbers.read_positive()?, numbers.read_positive()?);
    if !outer.is_empty() || !numbers.is_empty() {
        return None;
    }
    let mut raw = vec![0; 2 * length];
    for (number, end) in [(r, length), (s, 2 * length)] {
        let start = end.checked_sub(number.len()).filter(|_| number.len() <= length)?;
        raw[start..end].copy_from_slice(number);
    }
    Some(raw)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn signatures_that_are_not_der_are_rejected() {
        for der in [
            &[][..],
            &[0x30],
            &[0x30, 0],
            &[0x30, 6, 2, 1, 1, 2, 1],
            // Trailing bytes, inside and outside.
            &[0x30, 6, 2, 1, 1, 2, 1, 2, 0],
            &[0x30, 7, 2, 1, 1, 2, 1, 2, 0],
            // A length in a longer form than necessary.
            &[0x30, 0x81, 6, 2, 1, 1, 2, 1, 2],
            // Zero, a negative number, a number with a needless zero.
            &[0x30, 6, 2, 1, 0, 2, 1, 2],
            &[0x30, 6, 2, 1, 0x80, 2, 1, 2],
            &[0x30, 7, 2, 2, 0, 1, 2, 1, 2],
            // An empty number; an indefinite length.
            &[0x30, 5, 2, 0, 2, 1, 2],
            &[0x30, 0x80, 2, 1, 1, 2, 1, 2, 0, 0],
        ] {
            let error = raw_from_der(Algorithm::Es256, der).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Proof, "{der:?}");
        }
        let error = raw_from_der(Algorithm::Rs256, &[0x30, 6, 2, 1, 1, 2, 1, 2]).unwrap_err();
        assert!(error.to_string().contains("RS256"));
    }

    #[test]
    fn a_number_that_is_too_long_is_rejected() {
        let der = |number: &[u8]| {
            let one = [&[2, number.len() as u8][..], number].concat();
            [&[0x30, 2 * one.len() as u8][..], &one, &one].concat()
        };
        assert!(raw_from_der(Algorithm::Es256, &der(&[1; 32])).is_ok());
        assert!(raw_from_der(Algorithm::Es256, &der(&[1; 33])).is_err());
        let signed = [&[0][..], &[0x80; 32]].concat();
        assert_eq!(raw_from_der(Algorithm::Es256, &der(&signed)).unwrap(), [0x80; 64]);
    }

    proptest! {
        #[test]
        fn any_bytes_give_the_right_length_or_an_error(der in prop::collection::vec(any::<u8>(), 0..160)) {
            if let Ok(raw) = raw_from_der(Algorithm::Es384, &der) {
                prop_assert_eq!(raw.len(), 96);
            }
        }
    }
}
