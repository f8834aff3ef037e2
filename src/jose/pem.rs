//! Reads private keys in PEM: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 A.1.2) and SEC1 (RFC 5915).

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::der::{DerReader, tag};
use super::key_pair::{Curve, KeyPair, invalid};
use crate::error::Error;

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];

/// Reads the only private key of a PEM text. Certificates and parameters beside it are skipped.
pub(super) fn key_pair(pem: &[u8]) -> Result<KeyPair, Error> {
    let pem = without_byte_order_mark(pem);
    if is_encrypted(pem) {
        return Err(invalid("the private key is encrypted; decrypt it first, such as with `openssl pkey`"));
    }
    let mut keys = PrivateKeyDer::pem_slice_iter(pem);
    let key = match keys.next() {
        Some(Ok(key)) => key,
        Some(Err(_)) => return Err(invalid("the PEM text is damaged")),
        None => return Err(invalid("there is no private key in the PEM text (`-----BEGIN PRIVATE KEY-----`)")),
    };
    match keys.next() {
        None => {}
        Some(Ok(_)) => return Err(invalid("there is more than one private key in the PEM text")),
        Some(Err(_)) => return Err(invalid("the PEM text is damaged after the private key")),
    }
    match &key {
        PrivateKeyDer::Pkcs8(der) => pkcs8(der.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(der) => KeyPair::rsa_from_pkcs1(der.secret_pkcs1_der()),
        PrivateKeyDer::Sec1(der) => sec1(der.secret_sec1_der(), None),
        _ => Err(invalid("the PEM text holds a private key of an unknown form; convert it to PKCS#8")),
    }
}

/// Reads the first certificate of a PEM text, in DER.
pub(super) fn certificate(pem: &[u8]) -> Result<CertificateDer<'static>, Error> {
    CertificateDer::pem_slice_iter(without_byte_order_mark(pem))
        .next()
        .and_then(Result::ok)
        .ok_or_else(|| Error::argument("certificate", "there is no certificate in the PEM text"))
}

/// Removes the byte order mark that Windows editors write, because the parser would not see the first line.
fn without_byte_order_mark(pem: &[u8]) -> &[u8] {
    pem.strip_prefix(b"\xef\xbb\xbf").unwrap_or(pem)
}

/// Returns whether the key is encrypted: PKCS#8 has a label for it, and the forms of OpenSSL have a header (RFC 1421 §4.6.1.1).
fn is_encrypted(pem: &[u8]) -> bool {
    let contains = |text: &[u8]| pem.windows(text.len()).any(|window| window == text);
    contains(b"BEGIN ENCRYPTED PRIVATE KEY") || contains(b"Proc-Type: 4,ENCRYPTED")
}

fn pkcs8(der: &[u8]) -> Result<KeyPair, Error> {
    let damaged = || invalid("the private key is no PKCS#8");
    let (algorithm, parameters) = pkcs8_algorithm(der).ok_or_else(damaged)?;
    match algorithm {
        RSA_ENCRYPTION => KeyPair::rsa_from_pkcs8(der),
        RSASSA_PSS => Err(invalid(
            "this RSA key is restricted to RSASSA-PSS (id-RSASSA-PSS), which is not supported; use a plain RSA key with \
             `algorithm(Algorithm::Ps256)`, or a `Signer`",
        )),
        ED25519 => KeyPair::ed25519_from_pkcs8(der),
        EC_PUBLIC_KEY => sec1(pkcs8_content(der).ok_or_else(damaged)?, parameters),
        _ => Err(unsupported()),
    }
}

/// Returns the algorithm of a PKCS#8 key, and the curve of an elliptic curve key.
fn pkcs8_algorithm(der: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let mut key = DerReader::new(DerReader::new(der).read(tag::SEQUENCE)?);
    key.read(tag::INTEGER)?;
    let mut algorithm = DerReader::new(key.read(tag::SEQUENCE)?);
    Some((algorithm.read(tag::OBJECT_IDENTIFIER)?, algorithm.read_optional(tag::OBJECT_IDENTIFIER).flatten()))
}

fn pkcs8_content(der: &[u8]) -> Option<&[u8]> {
    let mut key = DerReader::new(DerReader::new(der).read(tag::SEQUENCE)?);
    key.read(tag::INTEGER)?;
    key.read(tag::SEQUENCE)?;
    key.read(tag::OCTET_STRING)
}

/// Reads an elliptic key (RFC 5915 §3). Inside PKCS#8 the curve stands outside of it.
fn sec1(der: &[u8], outer_curve: Option<&[u8]>) -> Result<KeyPair, Error> {
    let (number, inner_curve, public) = sec1_parts(der).ok_or_else(|| invalid("the elliptic curve key is damaged"))?;
    let curve = match inner_curve.or(outer_curve) {
        Some(P256) => Curve::P256,
        Some(P384) => Curve::P384,
        _ => return Err(unsupported()),
    };
    let Some(public) = public else {
        return Err(invalid(
            "the elliptic curve key has no public part; add it with `openssl ec` or `openssl pkey`, or use a JWK",
        ));
    };
    // Some programs leave out leading zeros.
    let mut private = Zeroizing::new(vec![0; curve.number_len()]);
    let Some(start) = private.len().checked_sub(number.len()) else {
        return Err(invalid("the private part of the elliptic curve key is too long"));
    };
    private[start..].copy_from_slice(number);
    KeyPair::ecdsa(curve, &private, public)
}

type Sec1Parts<'a> = (&'a [u8], Option<&'a [u8]>, Option<&'a [u8]>);

fn sec1_parts(der: &[u8]) -> Option<Sec1Parts<'_>> {
    let mut key = DerReader::new(DerReader::new(der).read(tag::SEQUENCE)?);
    (key.read(tag::INTEGER)? == [1]).then_some(())?;
    let number = key.read(tag::OCTET_STRING)?;
    let curve = match key.read_optional(tag::CONTEXT_0)? {
        Some(parameters) => Some(DerReader::new(parameters).read(tag::OBJECT_IDENTIFIER)?),
        None => None,
    };
    let public = match key.read_optional(tag::CONTEXT_1)? {
        // The first byte counts the unused bits.
        Some(public) => Some(DerReader::new(public).read(tag::BIT_STRING)?.strip_prefix(&[0])?),
        None => None,
    };
    Some((number, curve, public))
}

fn unsupported() -> Error {
    invalid(
        "keys of this kind are not supported: only P-256, P-384, RSA and Ed25519; sign with another library behind a `Signer`",
    )
}
