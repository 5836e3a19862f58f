//! The status line: how far indexing is, what went wrong, and what sound and model are in use.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_egui::egui::{self, Align2, Rect, Sense, Ui, WidgetInfo, WidgetType, pos2, vec2};
use dsp::Hz;

use super::action::{Action, Go, Outside, Prefer, Setup};
use super::controls::{self, Strip, Tone};
use super::notices::Notices;
use super::theme::{self, Theme, icon};
use crate::analyse::{Analysis, Undescribed};
use crate::library::table::{Counts, SampleTable, StatusFilter};
use crate::library::{Missing, Recording, Restored, Sample, Transient};
use crate::neighbours::SpaceIndex;
use crate::notice::Kind;
use crate::watch::Listing;

/// The speed shown is that of the last so many seconds.
const WINDOW: Duration = Duration::from_secs(12);
/// How often the speed is looked at.
const STEP: Duration = Duration::from_millis(500);

/// How far indexing is.
#[derive(Resource, Default, Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Progress {
    /// All samples, by what became of them.
    pub counts: Counts,
    /// Whether folders are being listed.
    pub listing: bool,
    /// Whether the library is still being read from its file.
    pub loading: bool,
    /// Whether the user has paused it.
    pub paused: bool,
    /// Whether sounds wait for analysis.
    pub busy: bool,
    /// Sounds with a vector but no descriptors yet, because an older version made it; they are analysed again.
    pub undescribed: usize,
    /// Whether answers and map come from a former analysis until all is analysed anew.
    pub former: bool,
    /// Takes that are still being recorded, which do not count as work left to do.
    pub recording: usize,
    /// Files a second, of those that this run has analysed; `None` until it can be told.
    pub speed: Option<f32>,
}

impl Progress {
    /// Files that have been analysed or never can be.
    pub fn done(&self) -> usize {
        let done = self.counts.analysed + self.counts.failed + self.recording;
        done.min(self.counts.samples).saturating_sub(self.undescribed)
    }

    /// What is being done, and how far it is.
    fn work(&self) -> String {
        let what = match (self.paused, self.former) {
            (true, _) => "Paused at",
            (false, true) => "Analysing anew",
            (false, false) => "Indexing",
        };
        // What is gone needs no work, and counts like everywhere else.
        let [done, all] = [self.done() + self.counts.missing, self.counts.all()].map(controls::count);
        format!("{what} {done} of {all}")
    }

    /// Time left at the present speed.
    pub fn left(&self) -> Option<Duration> {
        let speed = self.speed.filter(|speed| *speed > 0.01)?;
        let files = self.counts.samples.saturating_sub(self.done());
        Duration::try_from_secs_f32(files as f32 / speed).ok()
    }
}

/// Measures how far indexing is and how fast it goes.
pub(super) fn measure(
    table: Res<SampleTable>,
    analysis: Res<Analysis>,
    restored: Res<Restored>,
    listing: Res<Listing>,
    undescribed: Query<(), (Undescribed, With<Sample>, Without<Missing>, Without<Transient>)>,
    recordings: Query<(), (With<Recording>, Without<Transient>)>,
    index: Option<Res<SpaceIndex>>,
    mut progress: ResMut<Progress>,
    mut past: Local<VecDeque<(Instant, usize)>>,
) {
    let counts = table.counts();
    let mut next = Progress {
        counts,
        listing: !listing.is_idle(),
        loading: !restored.0,
        paused: analysis.paused,
        busy: false,
        undescribed: undescribed.iter().len(),
        former: index.is_some_and(|index| index.former),
        recording: recordings.iter().len(),
        speed: progress.speed,
    };
    let waiting = next.done() < counts.samples && analysis.blocked.is_none() && !analysis.transient_only;
    next.busy = waiting && !next.loading;
    if next.busy && !next.paused {
        // What was restored was not analysed in this run, and says nothing about how fast that goes.
        let (now, done) = (Instant::now(), analysis.done());
        if past.back().is_none_or(|(at, _)| now - *at >= STEP) {
            past.push_back((now, done));
            while past.front().is_some_and(|(at, _)| now - *at > WINDOW) {
                past.pop_front();
            }
            let (from, before) = past.front().copied().unwrap_or((now, done));
            let seconds = (now - from).as_secs_f32();
            next.speed = (seconds >= 1.0).then(|| done.saturating_sub(before) as f32 / seconds);
        }
    } else {
        past.clear();
        next.speed = None;
    }
    progress.set_if_neq(next);
}

/// What the status line is drawn from.
pub struct View<'a> {
    /// How far indexing is.
    pub progress: &'a Progress,
    /// What was said.
    pub notices: &'a Notices,
    /// The sound output in use and its rate in Hz.
    pub output: Option<(&'a str, Hz)>,
    /// The model in use.
    pub model: &'a str,
    /// Colours.
    pub theme: &'a Theme,
    /// Whether they are dark.
    pub dark: bool,
    /// The keys of an action as text.
    pub keys: &'a dyn Fn(&Action) -> String,
}

/// Draws the status line into `ui`'s rectangle.
pub fn show(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    let mut strip = Strip::new(ui.max_rect());
    let font = || theme::regular(11.0);
    let mut button = |strip: &mut Strip, glyph, label: &str, action: Action| {
        let tip = controls::hint(label, &(view.keys)(&action));
        if controls::icon(ui, strip.right(22.0), glyph, label, &tip, Tone::Off, theme).clicked() {
            actions.push(action);
        }
    };
    button(&mut strip, icon::HELP, "Shortcuts", Go::ToggleHelp.into());
    button(&mut strip, icon::GEAR, "Settings", Setup::Toggle.into());
    let (glyph, label) = if view.dark { (icon::SUN, "Light theme") } else { (icon::MOON, "Dark theme") };
    button(&mut strip, glyph, label, Prefer::ToggleTheme.into());
    strip.right(8.0);
    let output = match view.output {
        Some((name, rate)) => format!("{name} · {} kHz", f64::from(rate) / 1000.0),
        // The output is opened with the first sound; if there is none, a notice says so.
        None => String::new(),
    };
    for text in [view.model, &output] {
        let width = ui.painter().layout_no_wrap(text.to_owned(), font(), theme.muted).size().x;
        let rect = strip.right(width.min(strip.rest().width() * 0.4));
        controls::line(ui, rect, Align2::RIGHT_CENTER, text, font(), theme.muted);
        strip.right(18.0);
    }
    progress(ui, &mut strip, view, actions);
    notice(ui, strip.rest(), view, actions);
}

fn progress(ui: &Ui, strip: &mut Strip, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    let state = view.progress;
    let say = |strip: &mut Strip, text: &str, colour| {
        let width = ui.painter().layout_no_wrap(text.to_owned(), theme::regular(11.0), colour).size().x;
        let rect = strip.left(width.min(strip.rest().width()) + 1.0);
        controls::line(ui, rect, Align2::LEFT_CENTER, text, theme::regular(11.0), colour);
        strip.left(14.0);
    };
    if state.loading {
        let found = (state.counts.all() > 0).then(|| format!(" {} sounds", controls::count(state.counts.all())));
        say(strip, &format!("Loading library\u{2026}{}", found.unwrap_or_default()), theme.muted);
    } else if state.busy {
        let tip =
            controls::hint(if state.paused { "Resume" } else { "Pause" }, &(view.keys)(&Outside::TogglePause.into()));
        let (glyph, label) =
            if state.paused { (icon::PLAY, "Resume indexing") } else { (icon::PAUSE, "Pause indexing") };
        let rect = strip.left(16.0);
        if controls::icon(ui, rect, glyph, label, &tip, Tone::Plain, theme).clicked() {
            actions.push(Outside::TogglePause.into());
        }
        strip.left(6.0);
        say(strip, &state.work(), theme.text);
        let bar = strip.left(140.0);
        let bar = Rect::from_center_size(bar.center(), vec2(bar.width(), 3.0));
        controls::progress(ui, bar, state.done() as f32 / state.counts.samples.max(1) as f32, theme);
        strip.left(14.0);
        if let (Some(speed), false) = (state.speed, state.paused) {
            let left = state.left().map(|left| format!(" · {} left", rough(left))).unwrap_or_default();
            say(strip, &format!("{speed:.0} files/s{left}"), theme.muted);
        }
        if state.former {
            say(strip, "answers from the former analysis", theme.muted);
        }
    } else {
        let text = match state.counts.all() {
            0 if state.listing => "Looking for sounds".to_owned(),
            0 => "No sounds yet".to_owned(),
            1 => "1 sound".to_owned(),
            n => format!("{} sounds", controls::count(n)),
        };
        say(strip, &text, theme.muted);
        if state.former {
            say(strip, "answers from the former analysis", theme.muted);
        }
        let beside = StatusFilter::ALL.into_iter().filter(|only| *only != StatusFilter::Kept);
        for only in beside.filter(|only| state.counts.of(*only) > 0) {
            let text = format!("{} {}", controls::count(state.counts.of(only)), only.name().to_lowercase());
            let width = ui.painter().layout_no_wrap(text.clone(), theme::regular(11.0), theme.muted).size().x;
            let rect = strip.left(width.min(strip.rest().width()) + 1.0);
            let response = controls::link(ui, rect, &text, "List them with the reasons", theme);
            strip.left(14.0);
            if response.clicked() {
                actions.push(Go::Status(only).into());
            }
        }
    }
}

fn notice(ui: &Ui, rect: Rect, view: &View, actions: &mut Vec<Action>) {
    let Some((notice, more)) = view.notices.unread() else { return };
    let theme = view.theme;
    let (sign, rest) = rect.split_left_right_at_x(rect.left() + 18.0);
    let (sign, rest) = match notice.kind {
        Kind::Done => (None, rest.with_min_x(sign.left())),
        Kind::Problem => (Some(sign.left_center() + vec2(7.0, 0.0)), rest),
    };
    if let Some(at) = sign {
        ui.painter().text(at, Align2::CENTER_CENTER, icon::WARNING, theme::icons(13.0), theme.warning);
    }
    let text = &notice.text;
    let text = if more > 0 { format!("{text}  (+{more})") } else { text.clone() };
    let room = rest.with_max_x(rest.right() - 24.0);
    let width = controls::line(ui, room, Align2::LEFT_CENTER, &text, theme::regular(11.0), theme.text);
    let cross = Rect::from_min_size(pos2(room.left() + width + 2.0, rest.top()), vec2(22.0, rest.height()));
    if controls::icon(ui, cross, icon::CROSS, "Dismiss notice", "Dismiss", Tone::Off, theme).clicked() {
        actions.push(Go::DismissNotice.into());
    }
    let whole = Rect::from_min_max(rect.min, pos2(cross.left(), rect.bottom()));
    let response = ui.interact(whole, ui.id().with("notice"), Sense::click()).on_hover_text(text);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, "Everything that was said"));
    egui::Popup::menu(&response).show(|ui| log(ui, view));
}

/// Lists everything that was said, the newest first.
fn log(ui: &mut Ui, view: &View) {
    ui.set_max_width(640.0);
    egui::ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
        for notice in view.notices.all() {
            let colour = if notice.kind == Kind::Problem { view.theme.text } else { view.theme.muted };
            ui.label(egui::RichText::new(&notice.text).color(colour));
        }
    });
}

/// Formats the time left, rounded to what can be known.
fn rough(left: Duration) -> String {
    let seconds = left.as_secs();
    match seconds {
        0..=4 => "seconds".to_owned(),
        5..=59 => format!("{} s", seconds.div_ceil(5) * 5),
        60..=5399 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{:.1} h", left.as_secs_f64() / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_is_that_of_analysis_and_not_of_restoring() {
        let mut app = App::new();
        app.add_plugins(crate::library::LibraryPlugin)
            .add_plugins(crate::library::table::TablePlugin)
            .init_resource::<Analysis>()
            .init_resource::<Listing>()
            .init_resource::<Progress>()
            .add_systems(PostUpdate, measure);
        let mut sounds = |n: u16, embedded: bool| {
            for _ in 0..n {
                let path = std::path::Path::new("/a.wav").into();
                let (vector, head) = (std::sync::Arc::default(), std::sync::Arc::default());
                let embedding = crate::library::Embedding { vector, windows: None, head };
                let mut sample = app.world_mut().spawn(Sample { path });
                if embedded {
                    sample.insert(embedding);
                }
            }
            app.update();
            app.world().resource::<Progress>().clone()
        };
        let progress = sounds(10, false);
        assert!(progress.loading && !progress.busy && progress.speed.is_none(), "{progress:?}");
        sounds(500, true);
        app.world_mut().resource_mut::<Restored>().0 = true;
        app.update();
        std::thread::sleep(Duration::from_millis(1100));
        app.world_mut().resource_mut::<Analysis>().decoded = 3;
        app.update();
        let progress = app.world().resource::<Progress>();
        assert!(progress.busy && progress.speed.is_some_and(|speed| speed > 0.0 && speed < 3.0), "{progress:?}");
    }

    #[test]
    fn what_is_done_to_a_library_of_former_files_is_told_apart_from_indexing() {
        let counts = Counts { samples: 8600, analysed: 2237, missing: 27, ..default() };
        let said = |paused, former| Progress { counts, paused, former, ..default() }.work();
        assert_eq!(said(false, true), "Analysing anew 2,264 of 8,627");
        assert_eq!(said(false, false), "Indexing 2,264 of 8,627");
        assert_eq!(said(true, true), "Paused at 2,264 of 8,627");
    }

    #[test]
    fn the_time_left_follows_from_the_speed() {
        let counts = Counts { samples: 1000, analysed: 380, failed: 20, ..default() };
        let progress = Progress { counts, speed: Some(10.0), ..default() };
        assert_eq!(progress.done(), 400);
        assert_eq!(progress.left(), Some(Duration::from_mins(1)));
        assert_eq!(rough(Duration::from_mins(8)), "8 min");
        assert_eq!(rough(Duration::from_secs(13)), "15 s");
        assert_eq!(Progress { speed: Some(0.0), ..progress }.left(), None);
    }
}
