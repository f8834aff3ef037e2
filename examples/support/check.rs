use tower::BoxError;

/// Ends the example with an error, and so with exit code 1, unless `claim` is true.
pub(crate) fn check(holds: bool, claim: &str) -> Result<(), BoxError> {
    if holds { Ok(()) } else { Err(format!("this should be so, and is not: {claim}").into()) }
}
