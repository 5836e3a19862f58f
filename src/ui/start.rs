//! What an empty library shows: how to begin, and what will happen.

use bevy_egui::egui::{Align2, CursorIcon, Rect, Sense, Ui, WidgetInfo, WidgetType, pos2, vec2};

use super::action::{Action, FolderFor, Outside, Type};
use super::controls::{self, Tone};
use super::theme::{self, PADDING, ROW, Theme};

/// Size of a button in points.
const BUTTON: [f32; 2] = [176.0, 32.0];
/// Space between the buttons in points.
const GAP: f32 = 12.0;
/// What happens once there are sounds.
const THEN: [&str; 3] = [
    "You can play any sound while Soundkin listens to them.",
    "On its map, sounds that are alike lie close together.",
    "Your files stay unchanged, and on this computer.",
];

/// Draws the panel in the middle of `rect`.
pub(super) fn show(ui: &Ui, rect: Rect, keys: &dyn Fn(&Action) -> String, theme: &Theme, actions: &mut Vec<Action>) {
    let middle = rect.center();
    let row = |y: f32| Rect::from_center_size(pos2(middle.x, middle.y + y), vec2(rect.width() - 2.0 * PADDING, ROW));
    let say = |y: f32, text: &str, size: f32, colour| {
        controls::line(ui, row(y), Align2::CENTER_CENTER, text, theme::regular(size), colour);
    };
    let wide = rect.width() >= 2.0 * BUTTON[0] + GAP + 2.0 * PADDING;
    say(if wide { -84.0 } else { -100.0 }, "No sounds yet", 15.0, theme.text);
    let [width, height] = BUTTON;
    let add = Outside::AskForFolder(FolderFor::Sounds);
    let buttons = [
        ("Add a folder\u{2026}", "Choose a folder of sounds", add, true),
        ("Try the demo sounds", "75 short sounds that come with Soundkin", Outside::AddDemo, false),
    ];
    for (i, (text, tip, action, first)) in buttons.into_iter().enumerate() {
        let side = if i == 0 { -0.5 } else { 0.5 };
        // Beside each other where there is room, else one below the other.
        let [x, y] = if wide { [side * (width + GAP), -42.0] } else { [0.0, -44.0 + side * (height + 6.0)] };
        let button = Rect::from_center_size(middle + vec2(x, y), vec2(width, height));
        let action = action.into();
        let tip = controls::hint(tip, &keys(&action));
        if self::button(ui, button, text, &tip, first, theme) {
            actions.push(action);
        }
    }
    let typed: Action = Type::Open(FolderFor::Sounds).into();
    let text = "or drop a folder here, or type its path";
    let width = controls::word_width(ui, text);
    let link = Rect::from_center_size(pos2(middle.x + 7.0, middle.y + 6.0), vec2(width, 22.0));
    let tip = controls::hint("Type the path of a folder", &keys(&typed));
    if controls::word(ui, link, text, "Type the path of a folder", &tip, Tone::Off, theme).clicked() {
        actions.push(typed);
    }
    for (line, text) in (0_u8..).zip(THEN) {
        say(40.0 + 20.0 * f32::from(line), text, 12.0, theme.muted);
    }
}

fn button(ui: &Ui, rect: Rect, text: &str, tip: &str, first: bool, theme: &Theme) -> bool {
    let response = ui.interact(rect, ui.id().with(text), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, text));
    let ground = match (response.hovered(), first) {
        (false, true) => theme.selected,
        (true, _) => theme.border,
        (false, false) => theme.raised,
    };
    ui.painter().rect_filled(rect, 0.0, ground);
    let colour = if first { theme.time } else { theme.text };
    controls::line(ui, rect, Align2::CENTER_CENTER, text, theme::strong(13.0), colour);
    response.on_hover_cursor(CursorIcon::PointingHand).on_hover_text(tip).clicked()
}
