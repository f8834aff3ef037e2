//! The test vectors of the RFCs, byte for byte.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use serde_json::json;

use super::{Algorithm, AlgorithmFamily, Draft, HmacKey, Key, Members, Signer, SigningInput, jwk};

/// RFC 7515 A.2.1.
const RSA: &str = r#"{
    "kty": "RSA",
    "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    "e": "AQAB",
    "d": "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
    "p": "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
    "q": "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
    "dp": "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
    "dq": "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU",
    "qi": "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U"
}"#;

/// RFC 9126 §3.
const K2BDC: &str = r#"{
    "kty": "RSA",
    "kid": "k2bdc",
    "n": "y9Lqv4fCp6Ei-u2-ZCKq83YvbFEk6JMs_pSj76eMkddWRuWX2aBKGHAtKlE5P7_vn__PCKZWePt3vGkB6ePgzAFu08NmKemwE5bQI0e6kIChtt_6KzT5OaaXDFI6qCLJmk51Cc4VYFaxgqevMncYrzaW_50mZ1yGSFIQzLYP8bijAHGVjdEFgZaZEN9lsn_GdWLaJpHrB3ROlS50E45wxrlg9xMncVb8qDPuXZarvghLL0HzOuYRadBJVoWZowDNTpKpk2RklZ7QaBO7XDv3uR7s_sf2g-bAjSYxYUGsqkNA9b3xVW53am_UZZ3tZbFTIh557JICWKHlWj5uzeJXaw",
    "e": "AQAB",
    "d": "LNwG_pCKrwowALpCpRdcOKlSVqylSurZhE6CpkRiE9cpDgGKIkO9CxPlXOLzjqxXuQc8MdMqRQZTnAwgd7HH0B6gncrruV3NewI-XQV0ckldTjqNfOTz1VRs-jE-57KAXI3YBIhu-_0YpIDzdk_wBuAk661Svn0GsPQe7m9DoxdzenQu9O_soewUhlPzRrTH0EeIqYI715rwI3TYaSzoWBmEPD2fICyj18FF0MPy_SQzk3noVUUIzfzLnnJiWy_p63QBCMqjRoSHHdMnI4z9iVpIwJWQ3jO5n_2lC2-cSgwjmKsFzDBbQNJc7qMG1N6EssJUwgGJxz1eAUFf0w4YAQ",
    "qi": "J-mG0swR4FTy3atrcQ7dd0hhYn1E9QndN--sDG4EQO0RnFj6wIefCvwIc47hCtVeFnCTPYJNc_JyV-mU-9vlzS5GSNuyR5qdpsMZXUMpEvQcwKt23ffPZYGaqfKyEesmf_Wi8fFcE68H9REQjnniKrXm7w2-IuG_IrVJA9Ox-uU",
    "q": "4hlMYAGa0dvogdK1jnxQ7J_Lqpqi99e-AeoFvoYpMPhthChTzwFZO9lQmUoBpMqVQTws_s7vWGmt7ZAB3ywkurf0pV7BD0fweJiUzrWk4KJjxtmP_auuxrjvm3s2FUGn6f0wRY9Z8Hj9A7C72DnYCjuZiJQMYCWDsZ8-d-L1a-s",
    "p": "5sd9Er3I2FFT9R-gy84_oakEyCmgw036B_nfYEEOCwpSvi2z7UcIVK3bSEL5WCW6BNgB3HDWhq8aYPirwQnqm0K9mX1E-4xM10WWZ-rP3XjYpQeS0Snru5LFVWsAzi-FX7BOqBibSAXLdEGXcXa44l08iec_bPD3xduq5V_1YoE",
    "dq": "Nz2PF3XM6bEc4XsluKZO70ErdYdKgdtIJReUR7Rno_tOZpejwlPGBYVW19zpAeYtCT82jxroB2XqhLxGeMxEPQpsz2qTKLSe4BgHY2ml2uxSDGdjcsrbbNoKUKaN1CuyZszhWl1n0AT_bENl4bJgQj_Fh0UEsQj5YBBUJt5gr_k",
    "dp": "Zc877jirkkLOtyTs2vxyNe9KnMNAmOidlUc2tE_-0gAL4Lpo1hSwKCtKweZJ-gkqt1hT-dwNx_0Xtg_-NXsadMRMwJnzBMYwYAfjApUkfqABc0yUCJJl3KozRCugf1WXkU9GZAH2_x8PUopdNUEa70ISowPRh04HANKX4fkjWAE"
}"#;

/// RFC 8037 A.1.
const ED25519: &str = r#"{
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
}"#;

fn signature(jwk: &str, algorithm: Algorithm, input: &str) -> String {
    let signature = jwk::read(jwk).unwrap().pair.sign(algorithm, input.as_bytes()).unwrap();
    URL_SAFE_NO_PAD.encode(signature)
}

#[test]
fn rs256_signs_as_in_rfc_7515() {
    let input = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    assert_eq!(
        signature(RSA, Algorithm::Rs256, input),
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
}

/// Such a key could be read, and each of its signatures failed.
#[test]
fn an_rsa_key_with_a_number_of_another_key_is_an_error() {
    let jwk: serde_json::Value = serde_json::from_str(RSA).unwrap();
    let (dp, dq) = (jwk["dp"].clone(), jwk["dq"].clone());
    for (name, value) in [("dp", dq), ("dq", dp.clone()), ("d", dp)] {
        let mut other = jwk.clone();
        other[name] = value;
        match Key::from_jwk(&other.to_string()) {
            Err(error) => assert_eq!(error.kind(), crate::ErrorKind::Configuration),
            // `d` itself is not used: the signature is computed from `dp` and `dq`.
            Ok(key) => {
                assert_eq!(name, "d");
                let draft = Draft::new(None, AlgorithmFamily::Asymmetric, Members::default());
                key.sign(draft).now_or_never().unwrap().unwrap();
            }
        }
    }
}

#[test]
fn hs256_signs_as_in_rfc_7515() {
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let key = HmacKey::new(&URL_SAFE_NO_PAD.decode(secret).unwrap(), Algorithm::Hs256).unwrap();
    let input = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let tag = URL_SAFE_NO_PAD.encode(key.tag(input.as_bytes()));
    assert_eq!(tag, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
}

#[test]
fn eddsa_signs_as_in_rfc_8037() {
    assert_eq!(
        signature(ED25519, Algorithm::EdDsa, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

#[test]
fn thumbprints_are_those_of_the_rfcs() {
    // RFC 8037 A.3.
    assert_eq!(Key::from_jwk(ED25519).unwrap().thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

/// Returns the bytes that are signed for a request object of RFC 9126 §3, with these claims after the audience.
fn request_object(scope: &str, exp: Option<u64>) -> SigningInput {
    let mut header = Members::default();
    header.set("kid", "k2bdc");
    header.set("alg", "RS256");
    let mut claims = Members::default();
    claims.set("iss", "s6BhdRkqt3");
    claims.set("aud", "https://server.example.com");
    if let Some(exp) = exp {
        claims.set("exp", exp);
    }
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "s6BhdRkqt3"),
        ("redirect_uri", "https://client.example.org/cb"),
        ("scope", scope),
        ("state", "af0ifjsldkj"),
        ("code_challenge", "K2-ltc83acc4h0c9w6ESC_rEMTJ3bww-uCHaoeK1t8U"),
        ("code_challenge_method", "S256"),
    ] {
        claims.set(name, value);
    }
    SigningInput::for_vector(header, &claims)
}

/// RFC 9126 §3, and its drafts: header, claims and signature of the request object.
#[test]
fn the_signed_request_of_rfc_9126_has_the_same_bytes() {
    for (scope, exp, expected) in [
        (
            "account-information",
            Some(1_625_869_677),
            "l9R3RC9bFBHry_8acObQjEf4fX5yfJkWUPfak3J3iiBm0aaQznPw5BZ0B3VQZ9_KYdPt5bTkaflS5fSDklM3_7my9MyOSKFYmf46INk6ju_qUuC2crkOQXZWYJB-0bnYEbdHpUjazFSUvN49cEGstNQeE-dKDWHNgEojgcuNA_pjKfL9VYp1dEA6-WjXZ_OlJ7R_mBWpjFAzc0UkQwqX5hfOJoGTqB2tE4a4aB2z8iYlUJp0DeeYp_hPN6svtmdvte73p5bLGDFpRIlmrBQIAQuxiS0skORpXlS0cBcgHimXVnXOJG7E-A_lS_5y54dVLQPA1jKYx-fxbYSG7dp2fw",
        ),
        (
            "ais",
            None,
            "O49ffUxRPdNkN3TRYDvbEYVr1CeAL64uW4FenV3n9WlaFIRHeFblzv-wlEtMm8-tusGxeE9z3ek6FxkhvvLEqEpjthXnyXqqyJfq3k9GSf5ay74ml_0D6lHE1hy-kVWg7SgoPQ-GB1xQ9NRhF3EKS7UZIrUHbFUCF0MsRLbmtIvaLYbQH_Ef3UkDLOGiU7exhVFTPeyQUTM9FF-u3K-zX-FO05_brYxNGLhVkO1G8MjqQnn2HpAzlBd5179WTzTYhKmhTiwzH-qlBBI_9GLJmE3KOipko9TfSpa26H4JOlMyfZFl0PCJwkByS0xZFJ2sTo3Gkk488RQohhgt1I0onw",
        ),
    ] {
        let input = request_object(scope, exp);
        let text = std::str::from_utf8(input.bytes()).unwrap();
        assert!(
            text.starts_with("eyJraWQiOiJrMmJkYyIsImFsZyI6IlJTMjU2In0.eyJpc3MiOiJzNkJoZFJrcXQzIiwiYXVkIjoiaHR0cHM6")
        );
        assert_eq!(signature(K2BDC, Algorithm::Rs256, text), expected);
    }
}

/// RFC 9126 §2.1: the client assertion.
#[test]
fn the_client_assertion_of_rfc_9126_has_the_same_bytes() {
    let mut header = Members::default();
    header.set("kid", "k2bdc");
    header.set("alg", "RS256");
    let mut claims = Members::default();
    claims.set("iss", "s6BhdRkqt3");
    claims.set("sub", "s6BhdRkqt3");
    claims.set("aud", "https://server.example.com");
    claims.set("exp", 1_625_869_677);
    let input = SigningInput::for_vector(header, &claims);
    let text = std::str::from_utf8(input.bytes()).unwrap();
    assert!(signature(K2BDC, Algorithm::Rs256, text).starts_with("te4IdnP_DK4hWrhTWA6f"));
}

/// The example of draft-ietf-oauth-rfc7523bis: `typ`, `alg` and `kid` in this order.
#[test]
fn the_header_of_a_client_assertion_has_the_bytes_of_the_draft() {
    let mut claims = Members::default();
    claims.set("iss", "https://client.example");
    let draft = Draft::new(Some("client-authentication+jwt"), AlgorithmFamily::Asymmetric, claims);
    let input = draft.header(Algorithm::Es256, Some("16")).unwrap();
    assert!(
        input.bytes().starts_with(b"eyJ0eXAiOiJjbGllbnQtYXV0aGVudGljYXRpb24rand0IiwiYWxnIjoiRVMyNTYiLCJraWQiOiIxNiJ9.")
    );
}

#[test]
fn a_private_key_signs_no_hmac_and_a_secret_no_asymmetric_algorithm() {
    for (family, algorithm, is_allowed) in [
        (AlgorithmFamily::Asymmetric, Algorithm::Es256, true),
        (AlgorithmFamily::Asymmetric, Algorithm::Hs256, false),
        (AlgorithmFamily::Hmac, Algorithm::Hs512, true),
        (AlgorithmFamily::Hmac, Algorithm::EdDsa, false),
    ] {
        let draft = Draft::new(None, family, Members::default());
        assert_eq!(draft.header(algorithm, None).is_ok(), is_allowed, "{family:?} {algorithm}");
    }
}

#[test]
fn a_further_member_of_the_header_does_not_change_the_algorithm() {
    let input =
        Draft::new(None, AlgorithmFamily::Asymmetric, Members::default()).header(Algorithm::Es256, None).unwrap();
    let input = input.member("alg", "none").member("x5t#S256", json!("abc"));
    let header = std::str::from_utf8(input.bytes()).unwrap().split('.').next().unwrap().to_owned();
    assert_eq!(URL_SAFE_NO_PAD.decode(header).unwrap(), br##"{"alg":"ES256","x5t#S256":"abc"}"##);
}

#[test]
fn a_key_in_memory_signs_without_yielding() {
    let key = Key::generate().unwrap().id("k");
    let draft = Draft::new(None, AlgorithmFamily::Asymmetric, Members::default());
    let signed = key.sign(draft).now_or_never().expect("signing does not wait").unwrap();
    let signature = signed.as_str().rsplit('.').next().unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(signature).unwrap().len(), 64);
    assert_eq!(format!("{signed:?}"), "Signed([secret])");
}
