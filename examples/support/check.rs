use tower::BoxError;

/// Returns an error, which ends the example with exit code 1, unless `holds` is true.
pub(crate) fn check(holds: bool, claim: &str) -> Result<(), BoxError> {
    if holds { Ok(()) } else { Err(format!("check failed: {claim}").into()) }
}
