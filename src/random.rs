//! The only place that asks for randomness.

/// A number in `0.0..1.0`, for jitter.
///
/// Where the system has no randomness to give, jitter is not worth failing for: the answer is the middle.
pub(crate) fn unit() -> f64 {
    // 53 bits are what an `f64` can hold exactly.
    getrandom::u64().map_or(0.5, |bits| (bits >> 11) as f64 / (1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    #[test]
    fn stays_in_range_and_varies() {
        let drawn: Vec<f64> = (0..100).map(|_| super::unit()).collect();
        assert!(drawn.iter().all(|x| (0.0..1.0).contains(x)));
        assert!(drawn.iter().any(|x| *x != drawn[0]));
    }
}
