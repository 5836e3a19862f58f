//! What the window costs: a frame among 100,000 samples, and opening such a library.
//!
//! `cargo bench --profile dev --bench window` prints the processor time of a frame without the graphics: all systems, the
//! panels, and their shapes cut into triangles. In it the list scrolls, the map is dragged, or analysed sounds come in,
//! eight in every frame; and among 30,000, whose dots are all seen, keys move through the list and a search is written. Then
//! the time from nothing to the first frame that is drawn, and until all samples are listed.
//!
//! Four cores of an AMD EPYC virtual machine that had other work to do, 2026-11-23:
//!
//! ```text
//! opening                      first frame   all listed   (ms)
//! an empty library                       9            9
//! 100,000 samples                       10         2967
//!
//! a frame among 100000 samples   median      99 %   worst   (ms)
//! at rest                            0.67      1.31    3.72
//! scrolling the list                 1.11      1.60    4.67
//! dragging the map                   0.67      1.34    3.35
//! pointing at the map's dots         0.86      1.46    2.07
//! indexing, 8 sounds a frame         3.03      5.27   20.07
//! ```

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod scale;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_egui::egui::{self, Modifiers, MouseWheelUnit, PointerButton, Pos2, TouchPhase, vec2};
use dsp::analysis::StreamInfo;
use dsp::descriptors::COUNT;
use dsp::features::Measures;
use dsp::pyramid::COLUMNS;
use dsp::{Frames, Hz};
use half::f16;
use model::Model;
use scale::or_few;
use soundkin::audio::SimulatedAudioPlugin;
use soundkin::library::{
    AudioInfo, ContentHash, Descriptors, Embedding, Features, FileStamp, Restored, Sample, Thumbnail,
};
use soundkin::map::Map;
use soundkin::store::Library;
use soundkin::ui::draw_panels;
use soundkin::{Assembly, add_panels, headless, is_idle, run_until};

/// Samples in the large library, and in the one for keys.
const SAMPLES: usize = 100_000;
const SEEN: usize = 30_000;
/// Frames of a scenario.
const FRAMES: usize = 600;
/// Samples that come in with each frame while the library is indexed.
const ARRIVING: usize = 8;
const WINDOW: egui::Vec2 = vec2(1440.0, 900.0);

fn main() -> anyhow::Result<()> {
    let (all, some) = (or_few(SAMPLES, 300), or_few(SEEN, 200));
    let root = tempfile::tempdir()?;
    let [large, seen, empty] = ["large.db", "seen.db", "empty.db"].map(|name| root.path().join(name));
    fill(&large, all)?;
    fill(&seen, some)?;
    Library::open(&empty)?;

    println!("\nopening                      first frame   all listed   (ms)");
    for (name, library, samples) in [("an empty library", &empty, 0), ("the large library", &large, all)] {
        let started = Instant::now();
        let mut window = Inside::open(library, root.path())?;
        // Fonts are there from the second frame on.
        window.frame(Vec::new());
        window.frame(Vec::new());
        let first = started.elapsed();
        while window.samples() < samples || !window.app.world().resource::<Restored>().0 {
            window.frame(Vec::new());
        }
        println!("{name:<26} {:>13.0} {:>12.0}", ms(first), ms(started.elapsed()));
    }

    let mut window = Inside::open(&large, root.path())?;
    window.lay_out(all);
    println!("\na frame among {all} samples   median      99 %   worst   (ms)");
    window.measure("at rest", |_, _| Vec::new());
    let list = Pos2::new(500.0, 600.0);
    window.measure("scrolling the list", |_, i| {
        let delta = vec2(0.0, if i % 200 < 100 { -800.0 } else { 790.0 });
        let wheel = egui::Event::MouseWheel {
            unit: MouseWheelUnit::Point,
            delta,
            phase: TouchPhase::Move,
            modifiers: Modifiers::NONE,
        };
        vec![egui::Event::PointerMoved(list), wheel]
    });
    let at = |i: usize| Pos2::new(1000.0 + 80.0 * (i as f32 * 0.1).sin(), 400.0 + 80.0 * (i as f32 * 0.07).cos());
    let button = |at: Pos2, pressed: bool| egui::Event::PointerButton {
        pos: at,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    window.frame(vec![egui::Event::PointerMoved(at(0)), button(at(0), true)]);
    window.measure("dragging the map", |_, i| vec![egui::Event::PointerMoved(at(i))]);
    window.frame(vec![button(at(0), false)]);
    window.measure("pointing at the map's dots", |_, i| vec![egui::Event::PointerMoved(at(i))]);
    window.measure("indexing, 8 sounds a frame", |app, i| {
        let world = app.world_mut();
        for n in 0..ARRIVING {
            spawn(world, all + i * ARRIVING + n);
        }
        Vec::new()
    });

    let mut window = Inside::open(&seen, root.path())?;
    window.lay_out(some);
    println!("\na frame among {some} samples    median      99 %   worst   (ms)");
    window.frame(key(egui::Key::Home, Modifiers::NONE));
    window.measure("list keys", |_, i| {
        let next = if i % 200 < 100 { egui::Key::ArrowDown } else { egui::Key::ArrowUp };
        if i % 4 == 0 { key(next, Modifiers::NONE) } else { Vec::new() }
    });
    window.frame(key(egui::Key::F, Modifiers::COMMAND));
    window.frame(Vec::new());
    window.measure("writing a search", |_, i| match (i % 10, i / 10 % 8) {
        (0, letter @ 0..4) => vec![egui::Event::Text("kind"[letter..=letter].to_owned())],
        (0, _) => key(egui::Key::Backspace, Modifiers::NONE),
        _ => Vec::new(),
    });
    Ok(())
}

/// A key that goes down and up.
fn key(key: egui::Key, modifiers: Modifiers) -> Vec<egui::Event> {
    let event = |pressed| egui::Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
    vec![event(true), event(false)]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The window's inside: everything but the window, the graphics and the sound device.
struct Inside {
    app: App,
    context: egui::Context,
    frames: u32,
}

impl Inside {
    fn open(library: &Path, root: &Path) -> anyhow::Result<Self> {
        let model = Arc::new(Model::built_in()?);
        let mut app = headless(Assembly::new(Some(Library::open(library)?), model));
        add_panels(&mut app, root.join("settings.toml"), SimulatedAudioPlugin(|_: &[f32]| {}));
        app.add_plugins(bevy::time::TimePlugin);
        Ok(Self { app, context: egui::Context::default(), frames: 0 })
    }

    /// Until the map of so many samples is there and rests.
    fn lay_out(&mut self, samples: usize) {
        let rests = |world: &World| world.resource::<Map>().len() == samples && !world.resource::<Map>().is_moving();
        while !rests(self.app.world()) || !is_idle(self.app.world_mut()) {
            self.frame(Vec::new());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// One frame; returns the processor time it took.
    fn frame(&mut self, events: Vec<egui::Event>) -> Duration {
        self.frames += 1;
        let screen = egui::Rect::from_min_size(Pos2::ZERO, WINDOW);
        let time = Some(f64::from(self.frames) / 60.0);
        let input = egui::RawInput { screen_rect: Some(screen), time, events, ..Default::default() };
        let started = Instant::now();
        self.app.update();
        let world = self.app.world_mut();
        let mut drawn = Ok(());
        let output = self.context.run_ui(input, |ui| drawn = draw_panels(world, ui.ctx()));
        let triangles = self.context.tessellate(output.shapes, output.pixels_per_point);
        let took = started.elapsed();
        assert!(drawn.is_ok() && (self.frames < 2 || !triangles.is_empty()));
        took
    }

    fn measure(&mut self, what: &str, mut events: impl FnMut(&mut App, usize) -> Vec<egui::Event>) {
        let frames = or_few(FRAMES, 20);
        let mut times: Vec<Duration> = (0..frames)
            .map(|i| {
                let events = events(&mut self.app, i);
                let took = self.frame(events);
                // As a display would, let the others work.
                std::thread::sleep(Duration::from_millis(8).saturating_sub(took));
                took
            })
            .collect();
        times.sort();
        let [median, most, worst] = [frames / 2, frames * 99 / 100, frames - 1].map(|i| ms(times[i]));
        println!("{what:<30} {median:>8.2} {most:>9.2} {worst:>7.2}");
    }

    fn samples(&mut self) -> usize {
        let world = self.app.world_mut();
        world.query::<&Sample>().iter(world).count()
    }
}

/// Makes a library of sounds that were never recorded.
fn fill(library: &Path, samples: usize) -> anyhow::Result<()> {
    let mut app = headless(Assembly::new(Some(Library::open(library)?), Arc::new(Model::built_in()?)));
    run_until(&mut app, None, |world| world.resource::<Restored>().0);
    for i in 0..samples {
        spawn(app.world_mut(), i);
        if i % 10_000 == 0 {
            app.update();
        }
    }
    run_until(&mut app, None, is_idle);
    Ok(())
}

/// A sound that has been analysed: one of a hundred kinds, in one of a thousand folders.
fn spawn(world: &mut World, i: usize) {
    let mut state = i as u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let kind = i % 100;
    let vector: Vec<f32> = (0..512).map(|d| ((kind * 37 + d * d) as f32).sin() + 0.7 * random()).collect();
    let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    let path = format!("/library/pack {:02}/kind {kind:02}/sound {i:06}.wav", i / 1000 % 100);
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&(i as u64 + 1).to_le_bytes());
    world.spawn((
        Sample { path: Path::new(&path).into() },
        FileStamp { size: 100_000 + i as u64, modified: 1 },
        ContentHash(hash),
        AudioInfo(StreamInfo {
            frames: Frames(5000 + i as u64 % 90_000),
            rate: Hz(44_100),
            channels: 1,
            codec: "pcm_s16le".to_owned(),
        }),
        Thumbnail(Box::new([[-90, 80]; COLUMNS])),
        Features(Measures {
            lufs: Some(-20.0 + 6.0 * random()),
            peak_db: -3.0,
            brightness_hz: 3000.0 + 2500.0 * random(),
        }),
        Descriptors(Arc::new([0.0; COUNT])),
        Embedding {
            vector: vector.iter().map(|v| f16::from_f32(v / length)).collect(),
            windows: None,
            head: vector.iter().step_by(8).map(|v| f16::from_f32(v / length)).collect(),
        },
    ));
}
