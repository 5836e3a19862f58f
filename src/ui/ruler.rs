//! The time ruler under the waveform, and how places in a sound are written.

use bevy_egui::egui::{Align2, Rect, Stroke, Ui, pos2};
use dsp::Span;

use super::controls;
use super::theme::{self, Theme};

/// Height in points.
pub const HEIGHT: f32 = 18.0;
/// Least distance of two labels in points.
const APART: f64 = 90.0;

/// Draws the ruler of a visible part of a sound.
pub fn show(ui: &Ui, rect: Rect, visible: Span, theme: &Theme) {
    let painter = ui.painter().with_clip_rect(rect);
    #[expect(clippy::cast_possible_truncation, reason = "points of a window")]
    let x =
        |seconds: f64| rect.left() + ((seconds - visible.start) / visible.seconds() * f64::from(rect.width())) as f32;
    for (seconds, text) in ticks(visible, f64::from(rect.width())) {
        let at = painter.round_to_pixel_center(x(seconds));
        painter.vline(at, rect.top()..=rect.top() + 5.0, Stroke::new(1.0, theme.faint));
        let label = Rect::from_min_max(pos2(at + 4.0, rect.top()), pos2(rect.right(), rect.bottom()));
        // Cut short it would say something else.
        let width = painter.layout_no_wrap(text.clone(), theme::regular(10.0), theme.muted).size().x;
        if width <= label.width() {
            controls::line(ui, label, Align2::LEFT_CENTER, &text, theme::regular(10.0), theme.muted);
        }
    }
}

/// Places of the labels within a visible part that is so many points wide, and what they say: round numbers, as close as
/// they can be read.
fn ticks(visible: Span, width: f64) -> Vec<(f64, String)> {
    let least = visible.seconds() * APART / width.max(1.0);
    if !least.is_finite() || least <= 0.0 {
        return Vec::new();
    }
    let steps = (-5..=4).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)));
    let minutes = [10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 36_000.0];
    let step = if least > 5.0 {
        minutes.into_iter().find(|step| *step >= least)
    } else {
        steps.into_iter().find(|step| *step >= least)
    };
    let step = step.unwrap_or(36_000.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "decimals of a step, 0 to 5")]
    let decimals = (-step.log10().floor()).clamp(0.0, 5.0) as usize;
    let first = (visible.start / step).ceil();
    (0..1000)
        .map(|n| (first + f64::from(n)) * step)
        .take_while(|seconds| *seconds < visible.end)
        .map(|seconds| (seconds, written(seconds, decimals)))
        .collect()
}

/// A place in a sound with so many decimals: `0.25`, `1:05`, `1:00:00`.
pub fn written(seconds: f64, decimals: usize) -> String {
    if seconds < 59.999_995 {
        return format!("{seconds:.decimals$} s");
    }
    let (minutes, rest) = ((seconds / 60.0).floor(), seconds % 60.0);
    let width = if decimals == 0 { 2 } else { 3 + decimals };
    if minutes < 60.0 {
        return format!("{minutes:.0}:{rest:0width$.decimals$}");
    }
    format!("{:.0}:{:02.0}:{rest:0width$.decimals$}", (minutes / 60.0).floor(), minutes % 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_far_enough_apart_to_be_read() {
        let texts = |from, to, width| -> Vec<String> {
            ticks(Span::new(from, to), width).into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(texts(0.0, 1.0, 500.0), ["0.0 s", "0.2 s", "0.4 s", "0.6 s", "0.8 s"]);
        assert_eq!(texts(0.101, 0.102, 300.0), ["0.1010 s", "0.1015 s"]);
        assert_eq!(texts(50.0, 100.0, 500.0), ["50 s", "1:00", "1:10", "1:20", "1:30"]);
        assert_eq!(texts(3500.0, 7300.0, 300.0), ["1:00:00", "1:30:00", "2:00:00"]);
        assert_eq!(texts(0.0, 0.0, 300.0), [""; 0]);
        for width in [1.0, 333.0, 2560.0] {
            for length in [0.001, 0.37, 8.0, 61.0, 4000.0, 100_000.0] {
                let ticks = ticks(Span::new(0.0, length), width);
                let apart = ticks.windows(2).map(|pair| (pair[1].0 - pair[0].0) / length * width);
                assert!(apart.fold(f64::INFINITY, f64::min) > 89.9 || length > 90_000.0, "{length} s in {width}");
            }
        }
    }
}
