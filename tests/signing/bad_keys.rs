//! Keys in all their forms, and what a key that cannot sign gets.

use serde_json::{Value, json};
use tower_oauth2::ErrorKind;
use tower_oauth2::jwt::{Algorithm, Claims, Key};

use crate::support::{decoded, pem, printed};

#[tokio::test]
async fn the_key_determines_the_algorithm() {
    for (name, algorithm) in [
        ("p256.pkcs8.pem", "ES256"),
        ("p256.sec1.pem", "ES256"),
        ("p256.with_parameters.pem", "ES256"),
        ("p384.pkcs8.pem", "ES384"),
        ("p384.sec1.pem", "ES384"),
        ("rsa2048.pkcs8.pem", "RS256"),
        ("rsa2048.pkcs1.pem", "RS256"),
        ("ed25519.pkcs8.pem", "EdDSA"),
    ] {
        let key = Key::from_pem(pem(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let jwt = Claims::signed_by(key).sign().await.unwrap();
        assert_eq!(decoded(&jwt).0, json!({"typ": "JWT", "alg": algorithm}), "{name}");
    }
    let forms = ["p256.pkcs8.pem", "p256.sec1.pem"].map(|name| Key::from_pem(pem(name)).unwrap());
    assert_eq!(forms[0].thumbprint(), forms[1].thumbprint());
}

/// Texts as editors, other programs and people leave them.
#[test]
fn a_key_is_read_whatever_is_around_it() {
    let (key, certificate) = (pem("p256.pkcs8.pem"), pem("p256.certificate.pem"));
    let thumbprint = Key::from_pem(&key).unwrap().thumbprint().to_owned();
    for text in [
        key.replace('\n', "\r\n"),
        format!("\u{feff}{key}"),
        format!("\u{feff}{}", key.replace('\n', "\r\n")),
        format!("Bag Attributes\n    friendlyName: my key\n{key}"),
        format!("{certificate}{certificate}{key}"),
        format!("{key}{certificate}"),
        key.trim_end().to_owned(),
        format!("\n\n{key}\n\n"),
    ] {
        let read = Key::from_pem(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(read.thumbprint(), thumbprint);
    }
    Key::from_pem(&key).unwrap().certificate(format!("\u{feff}{certificate}{key}")).unwrap();
}

#[test]
fn a_pem_text_without_a_usable_key_says_why() {
    let key_and_half_a_certificate = pem("p256.pkcs8.pem") + &pem("p256.certificate.pem")[..100];
    let two = pem("p256.pkcs8.pem") + &pem("p384.pkcs8.pem");
    for (text, why) in [
        (String::new(), "no private key"),
        ("not PEM".to_owned(), "no private key"),
        (pem("p256.public.pem"), "no private key"),
        (pem("p256.certificate.pem"), "no private key"),
        (pem("encrypted.pkcs8.pem"), "encrypted"),
        (pem("encrypted.sec1.pem"), "encrypted"),
        (two, "more than one"),
        (key_and_half_a_certificate, "damaged after"),
        (pem("p521.sec1.pem"), "`Signer`"),
        (pem("secp256k1.pkcs8.pem"), "`Signer`"),
        (pem("ed448.pkcs8.pem"), "`Signer`"),
        (pem("rsa_pss.pkcs8.pem"), "id-RSASSA-PSS"),
        (pem("rsa1024.pkcs8.pem"), "2048"),
        (pem("p256.without_public.pem"), "no public part"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned(), "PKCS#8"),
        ("-----BEGIN PRIVATE KEY-----\nhunter2".to_owned(), "key"),
    ] {
        let error = Key::from_pem(&text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{text}");
        let printed = printed(&error);
        assert!(printed.contains(why), "{why}: {printed}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}

fn jwk() -> Value {
    // RFC 7515 A.3.
    json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
    })
}

fn with(name: &str, value: Value) -> String {
    let mut jwk = jwk();
    jwk[name] = value;
    jwk.to_string()
}

#[tokio::test]
async fn a_jwk_says_its_id_and_its_algorithm() {
    let key = Key::from_jwk(&with("kid", json!("16"))).unwrap();
    let jwt = Claims::signed_by(key).sign().await.unwrap();
    assert_eq!(decoded(&jwt).0, json!({"typ": "JWT", "alg": "ES256", "kid": "16"}));
    assert!(Key::from_jwk(&with("alg", json!("ES256"))).is_ok());
    assert!(Key::from_jwk(&with("use", json!("sig"))).is_ok());
}

#[test]
fn a_jwk_that_cannot_sign_says_why() {
    let mut public = jwk();
    public.as_object_mut().unwrap().remove("d");
    for (jwk, why) in [
        ("", "no JSON"),
        ("[]", "no JSON"),
        (&*public.to_string(), "no private part"),
        (&*json!({"keys": [jwk()]}).to_string(), "set of keys"),
        (r#"{"kty": "oct", "k": "hunter2-hunter2"}"#, "`Client::secret_jwt`"),
        (r#"{"kty": "EC", "crv": "P-521"}"#, "`Signer`"),
        (r#"{"kty": "OKP", "crv": "Ed448"}"#, "`Signer`"),
        (r#"{"kty": "XYZ"}"#, "`kty`"),
        (r#"{"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB"}"#, "`dp`"),
        (&*with("use", json!("enc")), "`use`"),
        (&*with("alg", json!("none")), "`alg`"),
        (&*with("alg", json!("RS256")), "cannot sign by RS256"),
        (&*with("d", json!("hunter2 hunter2")), "`d`"),
        (&*with("d", json!("AQAB")), "invalid"),
        (&*with("y", json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU")), "invalid"),
    ] {
        let error = Key::from_jwk(jwk).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{jwk}");
        let printed = printed(&error);
        assert!(printed.contains(why), "{why}: {printed}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}

#[test]
fn the_public_key_is_printed_and_the_private_one_is_not() {
    let key = Key::from_jwk(&with("kid", json!("16"))).unwrap();
    let public: Value = serde_json::from_str(&key.to_public_jwk()).unwrap();
    let mut expected = jwk();
    expected.as_object_mut().unwrap().remove("d");
    expected["alg"] = json!("ES256");
    expected["use"] = json!("sig");
    expected["kid"] = json!("16");
    assert_eq!(public, expected);
    assert!(!format!("{key:?} {key:#?}").contains("jpsQ"));
}

#[test]
fn an_algorithm_that_does_not_fit_the_key_is_an_error() {
    let fits = |name: &str, algorithm| Key::from_pem(pem(name)).unwrap().algorithm(algorithm).is_ok();
    for algorithm in [Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512] {
        assert!(fits("rsa2048.pkcs8.pem", algorithm));
        assert!(!fits("p256.pkcs8.pem", algorithm));
    }
    assert!(fits("ed25519.pkcs8.pem", Algorithm::Ed25519));
    assert!(!fits("p256.pkcs8.pem", Algorithm::Es384));
    assert!(!fits("p384.pkcs8.pem", Algorithm::Es256));
    assert!(!fits("rsa2048.pkcs8.pem", Algorithm::Hs256));
}

#[test]
fn the_certificate_belongs_to_the_key() {
    for name in ["p256", "rsa2048", "ed25519"] {
        let key = Key::from_pem(pem(&format!("{name}.pkcs8.pem"))).unwrap();
        key.certificate(pem(&format!("{name}.certificate.pem"))).unwrap();
    }
    let key = || Key::from_pem(pem("p256.pkcs8.pem")).unwrap();
    for (text, why) in [(pem("rsa2048.certificate.pem"), "another key"), (pem("p256.public.pem"), "no certificate")] {
        let error = key().certificate(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn a_generated_key_can_be_kept() {
    let pem = Key::generate_pem().unwrap();
    assert!(pem.lines().all(|line| line.len() <= 64));
    let (one, same) = (Key::from_pem(&pem).unwrap(), Key::from_pem(&pem).unwrap());
    assert_eq!(one.thumbprint(), same.thumbprint());
    assert_ne!(one.thumbprint(), Key::generate().unwrap().thumbprint());
}
