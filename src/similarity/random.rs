//! Numbers that look random and are the same in every run, so that the same sounds give the same map.

/// `SplitMix64` (Steele, Lea and Flood, 2014).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in 0..1.
    pub(super) fn share(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// A number in 0..`n`; `n` is not zero and below 2^32.
    pub(super) fn below(&mut self, n: u32) -> u32 {
        // The high half of a 32-bit number times n; the bias of n / 2^32 shows in no map.
        (((self.next() >> 32) * u64::from(n)) >> 32) as u32
    }
}
