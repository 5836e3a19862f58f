//! The colours of the dots and what lies behind them, of each theme.
//!
//! They stand here, apart from the other colours of the window, because the command line draws the map without a window.

use bevy::prelude::Resource;

/// Groups with a colour of their own.
pub const GROUPS: usize = 7;

/// The map's colours, each 8-bit sRGB.
#[derive(Resource, Clone, Copy, Debug, PartialEq)]
pub struct Palette {
    /// What is behind the dots.
    pub ground: [u8; 3],
    /// Groups, told apart by colour-blind eyes too.
    pub groups: [[u8; 3]; GROUPS],
    /// What belongs to no group, or has no measure.
    pub other: [u8; 3],
    /// Lines over the dots, where these are dense.
    pub line: [u8; 3],
    /// Ends and middle of a scale from low to high measures: blue through grey to orange, which colour-blind eyes tell apart.
    pub ramp: [[u8; 3]; 3],
    /// Least opacity of a dot among so many that they lie over each other, 0..=1, and that of one that is filtered out.
    pub thin: [f32; 2],
}

impl Palette {
    /// On a dark ground, in the window and in pictures.
    pub const DARK: Self = Self {
        ground: rgb(0x11_13_15),
        groups: [
            rgb(0xD9_8A_4B),
            rgb(0x6F_CA_B4),
            rgb(0x7A_9F_D6),
            rgb(0xD6_B0_E6),
            rgb(0xD9_C8_6A),
            rgb(0xC9_7A_8A),
            rgb(0x8F_B3_6B),
        ],
        other: rgb(0x8D_94_9C),
        line: rgb(0xD5_D9_DE),
        ramp: [rgb(0x5B_8F_D9), rgb(0xC4_C8_CC), rgb(0xE8_9A_3C)],
        thin: [0.3, 0.08],
    };
    /// On a light ground.
    pub const LIGHT: Self = Self {
        ground: rgb(0xF7_F8_F9),
        groups: [
            rgb(0xB3_61_1A),
            rgb(0x12_8A_72),
            rgb(0x3A_6C_B5),
            rgb(0xA8_6F_D0),
            rgb(0x8E_78_00),
            rgb(0xB0_44_5C),
            rgb(0x50_7F_24),
        ],
        other: rgb(0x6C_74_7D),
        line: rgb(0x1D_21_26),
        ramp: [rgb(0x2F_66_B8), rgb(0x84_8A_91), rgb(0xB8_65_00)],
        // Light is mixed as light: the same share of a dark colour on a light ground is seen less.
        thin: [0.6, 0.14],
    };

    /// The colour at `share` (0..=1) of the ramp.
    pub fn ramp(&self, share: f32) -> [u8; 3] {
        let place = share.clamp(0.0, 1.0) * 2.0;
        let [low, middle, high] = self.ramp;
        let (a, b, part) = if place < 1.0 { (low, middle, place) } else { (middle, high, place - 1.0) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two bytes")]
        let mix = |i: usize| (f32::from(a[i]) + (f32::from(b[i]) - f32::from(a[i])) * part).round() as u8;
        [0, 1, 2].map(mix)
    }
}

impl Default for Palette {
    fn default() -> Self {
        Self::DARK
    }
}

#[expect(clippy::cast_possible_truncation, reason = "takes the number apart")]
const fn rgb(hex: u32) -> [u8; 3] {
    [(hex >> 16) as u8, (hex >> 8) as u8, hex as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ramp_runs_from_the_first_colour_to_the_last() {
        let palette = Palette::DARK;
        assert_eq!([0.0, 0.5, 1.0].map(|share| palette.ramp(share)), palette.ramp);
        assert_eq!((palette.ramp(7.0), palette.ramp(-1.0)), (palette.ramp(1.0), palette.ramp(0.0)));
        assert_eq!(palette.ramp(0.25), [0x90, 0xAC, 0xD3]);
    }
}
