//! Every colour of the window and the measures of its type.
//!
//! All sections have the same background, divided by lines. Amber is time (playing, progress), teal is similarity
//! (scores, neighbours); the only other colours are those of the map's dots, which colour-blind people can tell apart.

#![expect(clippy::disallowed_methods, reason = "this is the one place that makes colours")]

use bevy::prelude::{Color, Resource};
use bevy_egui::egui::style::ScrollStyle;
use bevy_egui::egui::{self, Color32, CornerRadius, FontFamily, FontId, Shadow, Stroke, TextStyle, Visuals};
use serde::{Deserialize, Serialize};

use crate::palette::Palette;

/// Height of a row in points.
pub const ROW: f32 = 28.0;
/// Height of a section's heading in points.
pub const HEADING: f32 = 30.0;
/// Height of the status line in points.
pub const STATUS: f32 = 26.0;
/// Space between a section's side and its text in points.
pub const PADDING: f32 = 12.0;

/// Which theme is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Appearance {
    /// Light text on a dark ground.
    #[default]
    Dark,
    /// Dark text on a light ground.
    Light,
}

impl Appearance {
    /// The one that is not shown.
    pub fn other(self) -> Self {
        match self {
            Self::Dark => Self::Light,
            Self::Light => Self::Dark,
        }
    }
}

/// The colours by what they mean.
#[derive(Resource, Clone, Copy, Debug, PartialEq)]
pub struct Theme {
    /// Ground of every section.
    pub ground: Color32,
    /// The one line between two sections.
    pub border: Color32,
    /// Ground of what the pointer is on and of fields to write in.
    pub raised: Color32,
    /// Text one reads.
    pub text: Color32,
    /// Text beside it.
    pub muted: Color32,
    /// Text and lines in the background: rulers, outlines of unselected rows, controls that are off.
    pub faint: Color32,
    /// Ground of the selected row.
    pub selected: Color32,
    /// Text on it.
    pub selected_text: Color32,
    /// Playhead, played part, progress.
    pub time: Color32,
    /// Scores and edges to neighbours.
    pub similarity: Color32,
    /// Ground of the chip that names a query.
    pub chip: Color32,
    /// The part of a waveform that has not been played.
    pub wave: Color32,
    /// Ground of the chosen part of a waveform.
    pub region: Color32,
    /// What went wrong.
    pub warning: Color32,
    /// Lies over everything while something is dragged over the window.
    pub veil: Color32,
    palette: Palette,
    dark: bool,
}

#[expect(clippy::cast_possible_truncation, reason = "takes the number apart")]
const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// Light on dark.
pub const DARK: Theme = Theme {
    ground: colour_of(Palette::DARK.ground),
    border: rgb(0x2B_30_36),
    raised: rgb(0x1B_1F_23),
    text: rgb(0xD5_D9_DE),
    muted: rgb(0x8B_92_9B),
    faint: rgb(0x6B_72_7B),
    selected: rgb(0x2A_24_19),
    selected_text: rgb(0xF0_C9_87),
    time: rgb(0xE2_A5_48),
    similarity: rgb(0x6F_CA_B4),
    chip: rgb(0x1D_3A_35),
    wave: rgb(0xA6_AD_B6),
    region: rgb(0x24_22_1C),
    warning: rgb(0xE8_8B_6C),
    veil: Color32::from_rgba_unmultiplied_const(0x11, 0x13, 0x15, 0xF2),
    palette: Palette::DARK,
    dark: true,
};

/// Dark on light.
pub const LIGHT: Theme = Theme {
    ground: colour_of(Palette::LIGHT.ground),
    border: rgb(0xC9_CE_D4),
    raised: rgb(0xEA_ED_F0),
    text: rgb(0x1D_21_26),
    muted: rgb(0x54_5C_65),
    faint: rgb(0x83_8B_94),
    selected: rgb(0xF7_E8_CC),
    selected_text: rgb(0x6A_42_00),
    time: rgb(0x9A_5F_00),
    similarity: rgb(0x0B_70_5D),
    chip: rgb(0xD3_ED_E7),
    wave: rgb(0x5F_68_72),
    region: rgb(0xF1_EA_DD),
    warning: rgb(0xA8_3A_17),
    veil: Color32::from_rgba_unmultiplied_const(0xF7, 0xF8, 0xF9, 0xF2),
    palette: Palette::LIGHT,
    dark: false,
};

impl Theme {
    /// The theme of an appearance.
    pub const fn of(appearance: Appearance) -> Self {
        match appearance {
            Appearance::Dark => DARK,
            Appearance::Light => LIGHT,
        }
    }

    /// Tells whether text is light on a dark ground.
    pub const fn is_dark(&self) -> bool {
        self.dark
    }

    /// The ground as Bevy clears the window with it.
    pub fn clear(&self) -> Color {
        let [r, g, b, _] = self.ground.to_array();
        Color::srgb_u8(r, g, b)
    }

    /// The colours of the map's dots.
    pub fn palette(&self) -> Palette {
        self.palette
    }

    /// Makes egui draw in this theme: flat, without frames, shadows or rounded boxes.
    pub fn apply(&self, context: &egui::Context) {
        let theme = if self.dark { egui::Theme::Dark } else { egui::Theme::Light };
        context.set_theme(theme);
        context.style_mut_of(theme, |style| {
            style.text_styles = [
                (TextStyle::Body, regular(13.0)),
                (TextStyle::Button, regular(13.0)),
                (TextStyle::Small, regular(11.0)),
                (TextStyle::Heading, strong(13.0)),
                (TextStyle::Monospace, regular(12.0)),
            ]
            .into();
            style.visuals = self.visuals();
            style.spacing.item_spacing = egui::vec2(8.0, 0.0);
            style.spacing.button_padding = egui::vec2(8.0, 5.0);
            style.spacing.menu_margin = egui::Margin::same(4);
            style.spacing.scroll = ScrollStyle { bar_width: 8.0, floating_width: 4.0, ..ScrollStyle::floating() };
            style.interaction.selectable_labels = false;
            style.animation_time = 0.08;
        });
    }

    fn visuals(&self) -> Visuals {
        let mut visuals = if self.dark { Visuals::dark() } else { Visuals::light() };
        visuals.panel_fill = self.ground;
        visuals.window_fill = self.ground;
        visuals.window_stroke = Stroke::new(1.0, self.border);
        visuals.window_corner_radius = CornerRadius::ZERO;
        visuals.menu_corner_radius = CornerRadius::ZERO;
        visuals.window_shadow = Shadow::NONE;
        visuals.popup_shadow = Shadow::NONE;
        visuals.extreme_bg_color = self.raised;
        visuals.text_edit_bg_color = Some(self.raised);
        visuals.override_text_color = None;
        // `bevy_egui` 0.42 draws at once what egui wants drawn at the next blink, so the window would never rest.
        visuals.text_cursor.blink = false;
        visuals.weak_text_color = Some(self.muted);
        visuals.selection.bg_fill = self.chip;
        visuals.selection.stroke = Stroke::new(1.0, self.text);
        let widgets = &mut visuals.widgets;
        for state in [
            &mut widgets.noninteractive,
            &mut widgets.inactive,
            &mut widgets.hovered,
            &mut widgets.active,
            &mut widgets.open,
        ] {
            state.bg_stroke = Stroke::NONE;
            state.corner_radius = CornerRadius::ZERO;
            state.expansion = 0.0;
            state.fg_stroke = Stroke::new(1.0, self.text);
            state.weak_bg_fill = self.ground;
            state.bg_fill = self.faint;
        }
        widgets.noninteractive.bg_stroke = Stroke::new(1.0, self.border);
        widgets.hovered.weak_bg_fill = self.raised;
        widgets.active.weak_bg_fill = self.raised;
        widgets.open.weak_bg_fill = self.raised;
        visuals
    }
}

/// An 8-bit sRGB colour, as the palette and the map's legend have them.
pub const fn colour_of([r, g, b]: [u8; 3]) -> Color32 {
    Color32::from_rgb(r, g, b)
}

/// Inter at `size` points.
pub fn regular(size: f32) -> FontId {
    FontId::new(size, FontFamily::Proportional)
}

/// Inter semibold at `size` points.
pub fn strong(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name("strong".into()))
}

/// Phosphor's icons at `size` points.
pub fn icons(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name("icons".into()))
}

/// The icons the window uses, in the font of [`icons`].
pub mod icon {
    /// Starts playing.
    pub const PLAY: &str = "\u{E3D0}";
    /// Stops playing.
    pub const STOP: &str = "\u{E46C}";
    /// Adds.
    pub const PLUS: &str = "\u{E3D4}";
    /// Takes away.
    pub const CROSS: &str = "\u{E4F6}";
    /// Search.
    pub const SEARCH: &str = "\u{E30C}";
    /// To the query before.
    pub const BACK: &str = "\u{E058}";
    /// To the query after.
    pub const FORWARD: &str = "\u{E06C}";
    /// Pauses.
    pub const PAUSE: &str = "\u{E39E}";
    /// Volume.
    pub const SPEAKER: &str = "\u{E44A}";
    /// Something went wrong.
    pub const WARNING: &str = "\u{E4E0}";
    /// Ascending; an open branch points down.
    pub const UP: &str = "\u{E13C}";
    /// Descending, or an open branch.
    pub const DOWN: &str = "\u{E136}";
    /// A closed branch.
    pub const RIGHT: &str = "\u{E13A}";
    /// Shows everything.
    pub const FIT: &str = "\u{E1D0}";
    /// Plays what is pointed at.
    pub const POINT: &str = "\u{E29A}";
    /// Shortcuts.
    pub const HELP: &str = "\u{E3E8}";
    /// To the light theme.
    pub const SUN: &str = "\u{E472}";
    /// To the dark theme.
    pub const MOON: &str = "\u{E330}";
    /// Settings.
    pub const GEAR: &str = "\u{E272}";
    /// Neighbours.
    pub const GRAPH: &str = "\u{EB58}";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of WCAG 2.2.
    fn luminance(colour: Color32) -> f64 {
        let linear = |v: u8| {
            let v = f64::from(v) / 255.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        };
        let [r, g, b, _] = colour.to_array();
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }

    fn contrast(a: Color32, b: Color32) -> f64 {
        contrast_of(luminance(a), luminance(b))
    }

    fn contrast_of(a: f64, b: f64) -> f64 {
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_can_be_read_on_every_ground_it_stands_on() {
        for theme in [DARK, LIGHT] {
            let pairs = [
                ("text", theme.text, theme.ground),
                ("text on raised", theme.text, theme.raised),
                ("text, and the ring of the focus, on selected", theme.text, theme.selected),
                ("muted", theme.muted, theme.ground),
                ("muted on raised", theme.muted, theme.raised),
                ("muted on selected", theme.muted, theme.selected),
                ("selected", theme.selected_text, theme.selected),
                ("time", theme.time, theme.ground),
                ("similarity", theme.similarity, theme.ground),
                ("similarity on selected", theme.similarity, theme.selected),
                ("similarity on its chip", theme.similarity, theme.chip),
                ("warning", theme.warning, theme.ground),
                ("warning on raised", theme.warning, theme.raised),
                ("warning on selected", theme.warning, theme.selected),
            ];
            for (what, text, ground) in pairs {
                let contrast = contrast(text, ground);
                assert!(contrast >= 4.5, "{what}: {contrast:.2}");
            }
            let Palette { groups, other, ramp, .. } = theme.palette();
            for (i, colour) in groups.into_iter().chain([other]).chain(ramp).enumerate() {
                let contrast = contrast(colour_of(colour), theme.ground);
                assert!(contrast >= 3.0, "dot {i}: {contrast:.2}");
            }
        }
    }

    #[test]
    fn one_of_many_dots_is_thin_but_seen_and_one_that_is_filtered_out_hardly() {
        for theme in [DARK, LIGHT] {
            let Palette { groups, other, thin, .. } = theme.palette();
            let ground = luminance(theme.ground);
            for colour in groups.into_iter().chain([other]) {
                let [thin, faint] = thin.map(|share| {
                    let mixed = f64::from(share) * luminance(colour_of(colour)) + f64::from(1.0 - share) * ground;
                    contrast_of(mixed, ground)
                });
                assert!(thin >= 1.7 && (1.05..2.0).contains(&faint), "{colour:?}: {thin:.2}, {faint:.2}");
            }
        }
    }

    /// How a colour looks to an eye without one kind of cone (Viénot, Brettel and Mollon 1999), linear RGB.
    fn without_red_or_green(colour: Color32, deutan: bool) -> [f64; 3] {
        let [r, g, b, _] = colour.to_array().map(|v| (f64::from(v) / 255.0).powf(2.2));
        if deutan {
            let rg = 0.292_75 * r + 0.707_25 * g;
            [rg, rg, (-0.022_34 * r + 0.022_34 * g + b).max(0.0)]
        } else {
            let rg = 0.112_38 * r + 0.887_62 * g;
            [rg, rg, (0.004_01 * r - 0.004_01 * g + b).max(0.0)]
        }
    }

    #[test]
    fn the_first_groups_stay_apart_for_colour_blind_eyes() {
        for theme in [DARK, LIGHT] {
            for deutan in [false, true] {
                let seen: Vec<_> =
                    theme.palette().groups[..4].iter().map(|c| without_red_or_green(colour_of(*c), deutan)).collect();
                for a in 0..seen.len() {
                    for b in 0..a {
                        let far = (0..3).map(|i| (seen[a][i].powf(1.0 / 2.2) - seen[b][i].powf(1.0 / 2.2)).powi(2));
                        let far = far.sum::<f64>().sqrt();
                        assert!(far > 0.07, "groups {b} and {a}: {far:.3}");
                    }
                }
            }
        }
    }
}
