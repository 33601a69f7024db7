//! Who burns how much: whole millicores, whose sum is exact.

/// Splits a total over so many pods, as evenly as whole numbers allow; the first ones get what is
/// over. Where there is less than one for each, the last ones get none.
pub(super) fn split(total: u32, pods: usize) -> Vec<u32> {
    let Ok(count) = u32::try_from(pods) else {
        return Vec::new();
    };
    (0..count)
        .map(|pod| total / count + u32::from(pod < total % count))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_even_and_add_up() {
        assert_eq!(split(350, 4), [88, 88, 87, 87]);
        assert_eq!(split(350, 1), [350]);
        assert_eq!(split(2, 3), [1, 1, 0]);
        assert_eq!(split(5, 0), [0; 0]);
        for pods in 1..20 {
            assert_eq!(split(1234, pods).iter().sum::<u32>(), 1234);
        }
    }
}
