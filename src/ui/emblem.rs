//! The icon of the window, drawn here: the bars of a sound, the way it looks in the list.

use bevy::prelude::*;
use bevy::window::PrimaryWindow;
use bevy::winit::WINIT_WINDOWS;

use super::theme::DARK;

/// Width and height in pixels.
const SIZE: u32 = 64;
/// Heights of the bars from left to right, in pixels.
const BARS: [u32; 7] = [20, 44, 52, 34, 40, 22, 12];
/// Space left of the first bar, in pixels.
const LEFT: u32 = 5;
/// Width of a bar and of the space after it, in pixels.
const BAR: [u32; 2] = [5, 3];

/// Gives the window its icon in the first frame in which it is there.
pub(super) fn give(
    window: Single<Entity, With<PrimaryWindow>>,
    mut given: Local<bool>,
    _: bevy::ecs::system::NonSendMarker,
) {
    if *given {
        return;
    }
    WINIT_WINDOWS.with_borrow(|windows| {
        let Some(winit) = windows.get_window(*window) else { return };
        *given = true;
        // A window without an icon can be used just as well.
        winit.set_window_icon(winit::window::Icon::from_rgba(picture(), SIZE, SIZE).ok());
    });
}

/// The icon, RGBA.
fn picture() -> Vec<u8> {
    let [width, gap] = BAR;
    let colour = |x: u32, y: u32| {
        let bar = x.checked_sub(LEFT).map(|x| (x / (width + gap), x % (width + gap)));
        let height = bar.filter(|(_, within)| *within < width).and_then(|(bar, _)| BARS.get(bar as usize));
        let lit = height.is_some_and(|height| y.abs_diff(SIZE / 2) * 2 <= *height);
        if lit { DARK.time } else { DARK.ground }
    };
    (0..SIZE * SIZE).flat_map(|i| colour(i % SIZE, i / SIZE).to_array()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_icon_is_a_picture_of_bars_on_the_ground() {
        let picture = picture();
        assert_eq!(picture.len(), (SIZE * SIZE * 4) as usize);
        assert_eq!(&picture[..4], DARK.ground.to_array());
        assert!(picture.chunks(4).any(|pixel| pixel == DARK.time.to_array()));
        assert!(winit::window::Icon::from_rgba(picture, SIZE, SIZE).is_ok());
    }
}
