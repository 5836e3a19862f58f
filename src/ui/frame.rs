//! Where the window stands on the screen: as large as it fits, and where it was last.

use bevy::ecs::system::NonSendMarker;
use bevy::prelude::*;
use bevy::window::{PrimaryWindow, WindowMoved, WindowPosition, WindowResized};
use bevy::winit::WINIT_WINDOWS;

use super::preferences::{Frame, Preferences};

/// Frames for which the window manager may still be at it.
const SETTLING: u8 = 12;

/// A span of pixels along one side of the screen.
type Side = [i32; 2];

/// Where a window of such a length at such a place goes to lie within the screen, and the length that it can have there.
fn fit(at: i32, length: i32, [from, to]: Side) -> (i32, i32) {
    let length = length.min(to - from);
    (at.clamp(from, to - length), length)
}

/// A window that opens where it stood last.
pub(super) fn restored(frame: Frame, mut window: Window) -> Window {
    let Frame { size: [width, height], at, maximised } = frame;
    window.resolution.set(width.max(640.0), height.max(400.0));
    if let Some(at) = at {
        window.position = WindowPosition::At(at.into());
    }
    if maximised {
        window.set_maximized(true);
    }
    window
}

/// Keeps the window within its screen while it opens, and afterwards remembers where it is.
pub(super) fn follow(
    mut moved: MessageReader<WindowMoved>,
    mut resized: MessageReader<WindowResized>,
    mut preferences: ResMut<Preferences>,
    window: Single<(Entity, &mut Window), With<PrimaryWindow>>,
    mut frames: Local<u8>,
    _: NonSendMarker,
) {
    let changed = moved.read().count() + resized.read().count() > 0;
    let (entity, mut window) = window.into_inner();
    let settling = *frames < SETTLING;
    if !changed && !settling {
        return;
    }
    *frames = frames.saturating_add(1);
    WINIT_WINDOWS.with_borrow(|windows| {
        let Some(winit) = windows.get_window(entity) else { return };
        let (outer, inner) = (winit.outer_size().cast::<i32>(), winit.inner_size().cast::<i32>());
        let at = winit.outer_position().ok();
        let maximised = winit.is_maximized();
        if settling {
            let Some(monitor) = winit.current_monitor().or_else(|| winit.primary_monitor()) else { return };
            let (from, size) = (monitor.position(), monitor.size().cast::<i32>());
            let place = at.unwrap_or(from);
            let (x, width) = fit(place.x, outer.width, [from.x, from.x + size.width]);
            let (y, height) = fit(place.y, outer.height, [from.y, from.y + size.height]);
            if (width, height) != (outer.width, outer.height) {
                let inside = |length: i32, outer: i32, inner: i32| u32::try_from(length - (outer - inner)).unwrap_or(1);
                let width = inside(width, outer.width, inner.width);
                window.resolution.set_physical_resolution(width, inside(height, outer.height, inner.height));
            }
            if at.is_some() && (x, y) != (place.x, place.y) {
                window.position = WindowPosition::At(IVec2::new(x, y));
            }
            return;
        }
        let was = preferences.frame;
        // The size before it filled the screen is what it goes back to.
        let size = if maximised { was.size } else { [window.width(), window.height()] };
        let at = if maximised { was.at } else { at.map(|at| [at.x, at.y]) };
        let now = Frame { size, at, maximised };
        if now != was {
            preferences.frame = now;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_opens_where_it_stood() {
        let frame = Frame { size: [1100.0, 700.0], at: Some([60, 50]), maximised: false };
        let window = restored(frame, Window::default());
        assert_eq!((window.width(), window.height()), (1100.0, 700.0));
        assert_eq!(window.position, WindowPosition::At(IVec2::new(60, 50)));
        // Whatever the settings say, it can be used.
        let window = restored(Frame { size: [1.0, -5.0], ..Frame::default() }, Window::default());
        assert_eq!((window.width(), window.height()), (640.0, 400.0));
    }

    #[test]
    fn a_window_is_made_to_fit_and_otherwise_left_where_it_is() {
        assert_eq!(fit(100, 800, [0, 1366]), (100, 800));
        assert_eq!(fit(0, 1440, [0, 1366]), (0, 1366));
        assert_eq!(fit(900, 800, [0, 1366]), (566, 800));
        assert_eq!(fit(-50, 800, [0, 1366]), (0, 800));
        // A second screen to the left of the first.
        assert_eq!(fit(-1300, 1000, [-1280, 0]), (-1280, 1000));
    }
}
