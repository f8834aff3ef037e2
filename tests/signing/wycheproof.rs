//! ECDSA signatures in DER, as project Wycheproof collects them: those that are valid stay valid in the form of a JWT, and no other
//! becomes valid.

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_FIXED,
    UnparsedPublicKey, VerificationAlgorithm,
};
use tower_oauth2::jwt::{Algorithm, raw_from_der};
use wycheproof::TestResult;
use wycheproof::ecdsa::{TestName, TestSet};

fn check(
    name: TestName,
    algorithm: Algorithm,
    der: &'static dyn VerificationAlgorithm,
    fixed: &'static dyn VerificationAlgorithm,
) {
    let (mut valid, mut rejected) = (0, 0);
    for group in TestSet::load(name).unwrap().test_groups {
        let key = group.key.key.as_ref();
        for test in group.tests {
            let in_der = UnparsedPublicKey::new(der, key).verify(&test.msg, &test.sig).is_ok();
            let raw = raw_from_der(algorithm, &test.sig);
            rejected += usize::from(raw.is_err());
            let is_valid = raw.is_ok_and(|raw| UnparsedPublicKey::new(fixed, key).verify(&test.msg, &raw).is_ok());
            assert_eq!(is_valid, in_der, "test {}: {}", test.tc_id, test.comment);
            if test.result == TestResult::Valid {
                assert!(is_valid, "test {}: {}", test.tc_id, test.comment);
                valid += 1;
            }
        }
    }
    assert!(valid > 50 && rejected > 50, "{valid} valid, {rejected} rejected: this test is blind");
}

#[test]
fn signatures_of_p256() {
    check(TestName::EcdsaSecp256r1Sha256, Algorithm::Es256, &ECDSA_P256_SHA256_ASN1, &ECDSA_P256_SHA256_FIXED);
}

#[test]
fn signatures_of_p384() {
    check(TestName::EcdsaSecp384r1Sha384, Algorithm::Es384, &ECDSA_P384_SHA384_ASN1, &ECDSA_P384_SHA384_FIXED);
}
