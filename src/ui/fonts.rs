//! The bundled fonts, and those of the system for letters that these lack: a name is shown in whatever script it is
//! written.
//!
//! Looking for fonts reads hundreds of files, so it happens on a thread, and only once such a letter is to be drawn.

use std::collections::BTreeSet;
use std::sync::Arc;

use bevy::prelude::*;
use bevy::window::RequestRedraw;
use bevy_egui::egui::{self, FontData, FontDefinitions, FontFamily, FontId, Id};
use crossbeam_channel::Receiver;
use fontdb::{Database, FaceInfo, ID, Style};
use skrifa::{FontRef, MetadataProvider};

use crate::actor::{Actor, Outbox, start};
use crate::schedule::CollectSystems;

/// Weights that may stand beside the regular one.
const REGULAR: std::ops::RangeInclusive<u16> = 300..=500;

/// Letters to find fonts for.
type Letters = BTreeSet<char>;

/// A font of the system.
struct Found {
    name: String,
    data: FontData,
}

/// The fonts of the window.
#[derive(Resource, Default)]
pub(super) struct Fonts {
    actor: Option<Actor<Letters, Vec<Found>>>,
    /// Looked for already, found or not.
    asked: Letters,
    found: Vec<(String, Arc<FontData>)>,
    /// egui has not been told of all of them.
    changed: bool,
}

/// Looks for fonts when they are needed.
pub(super) fn plugin(app: &mut App) {
    let body = |inbox: Receiver<Letters>, outbox: Outbox<Vec<Found>>| serve(&inbox, &outbox);
    let actor = start(app, "look for fonts", |wake| Actor::spawn("fonts", 4, wake, body));
    app.insert_resource(Fonts { actor, changed: true, ..default() })
        .add_systems(Update, collect.in_set(CollectSystems::Requests));
}

fn collect(mut fonts: ResMut<Fonts>, mut redraws: MessageWriter<RequestRedraw>) {
    let found: Vec<Found> = fonts.actor.iter_mut().flat_map(Actor::replies).flatten().collect();
    if !found.is_empty() {
        fonts.found.extend(found.into_iter().map(|Found { name, data }| (name, Arc::new(data))));
        fonts.changed = true;
        redraws.write(RequestRedraw);
    }
}

impl Fonts {
    /// Gives egui fonts it does not have yet; they are there from its next frame on. Returns whether it did.
    pub(super) fn install(&mut self, context: &egui::Context) -> bool {
        let install = std::mem::take(&mut self.changed);
        if install {
            context.set_fonts(self.definitions());
        }
        install
    }

    /// Looks for fonts with the letters that were drawn and that no font has.
    pub(super) fn look(&mut self, context: &egui::Context) {
        let lacking = context.data_mut(|data| data.remove_temp::<Letters>(lacking())).unwrap_or_default();
        let wanted: Letters = lacking.difference(&self.asked).copied().collect();
        if wanted.is_empty() {
            return;
        }
        self.asked.extend(&wanted);
        if let Some(actor) = &mut self.actor {
            actor.queue(wanted);
        }
    }

    /// Ours first, then egui's, then those of the system.
    fn definitions(&self) -> FontDefinitions {
        let mut fonts = FontDefinitions::default();
        let bundled: [(&str, &[u8]); 3] = [
            ("Inter", include_bytes!("../../assets/fonts/Inter-Regular.otf")),
            ("Inter SemiBold", include_bytes!("../../assets/fonts/Inter-SemiBold.otf")),
            ("Icons", include_bytes!("../../assets/fonts/Icons.ttf")),
        ];
        for (name, bytes) in bundled {
            fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
        }
        let mut others = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
        for (name, data) in &self.found {
            fonts.font_data.insert(name.clone(), data.clone());
            others.push(name.clone());
        }
        let with = |first: &str| [first.to_owned()].into_iter().chain(others.clone()).collect::<Vec<_>>();
        fonts.families.insert(FontFamily::Proportional, with("Inter"));
        fonts.families.insert(FontFamily::Monospace, with("Inter"));
        fonts.families.insert(FontFamily::Name("strong".into()), with("Inter SemiBold"));
        fonts.families.insert(FontFamily::Name("icons".into()), with("Icons"));
        fonts
    }
}

/// Where letters are noted between drawing and [`Fonts::look`].
fn lacking() -> Id {
    Id::new("letters without a font")
}

/// Notes letters of a text that is drawn and that no font has.
pub(super) fn note(context: &egui::Context, text: &str, font: &FontId) {
    if text.is_ascii() {
        return;
    }
    let missing: Vec<char> =
        context.fonts_mut(|fonts| text.chars().filter(|letter| !fonts.has_glyph(font, *letter)).collect());
    if !missing.is_empty() {
        context.data_mut(|data| data.get_temp_mut_or_default::<Letters>(lacking()).extend(missing));
    }
}

/// The fonts' thread.
fn serve(inbox: &Receiver<Letters>, outbox: &Outbox<Vec<Found>>) {
    let mut database = None;
    for letters in inbox {
        let database = database.get_or_insert_with(|| {
            let mut database = Database::new();
            database.load_system_fonts();
            database
        });
        if outbox.send(choose(database, letters)).is_err() {
            return;
        }
    }
}

/// As few fonts as have as many of the letters as can be had.
fn choose(database: &Database, mut letters: Letters) -> Vec<Found> {
    let upright = |face: &&FaceInfo| face.style == Style::Normal && REGULAR.contains(&face.weight.0);
    let mut faces: Vec<(&FaceInfo, Letters)> =
        database.faces().filter(upright).map(|face| (face, covered(database, face.id, &letters))).collect();
    let mut found = Vec::new();
    loop {
        faces.iter_mut().for_each(|(_, covered)| covered.retain(|letter| letters.contains(letter)));
        let best = faces.iter().max_by_key(|(face, covered)| (covered.len(), fits(face)));
        let Some((face, covered)) = best.filter(|(_, covered)| !covered.is_empty()) else { return found };
        letters.retain(|letter| !covered.contains(letter));
        let name = format!("{} {}", face.post_script_name, face.index);
        let data = database.with_face_data(face.id, |bytes, index| {
            let mut data = FontData::from_owned(bytes.to_vec());
            data.index = index;
            data
        });
        found.extend(data.map(|data| Found { name, data }));
    }
}

/// Letters that a font has outlines of.
fn covered(database: &Database, face: ID, letters: &Letters) -> Letters {
    let covered = database.with_face_data(face, |bytes, index| {
        let font = FontRef::from_index(bytes, index).ok()?;
        let (letters_of, outlines) = (font.charmap(), font.outline_glyphs());
        let has = |letter: &&char| letters_of.map(**letter).is_some_and(|glyph| outlines.get(glyph).is_some());
        Some(letters.iter().filter(has).copied().collect())
    });
    covered.flatten().unwrap_or_default()
}

/// How well a font stands beside ours: without serifs, of proportional width, of regular weight; the same one in every run.
fn fits(face: &FaceInfo) -> (bool, bool, i32, std::cmp::Reverse<&str>) {
    let sans = face.families.first().is_some_and(|(family, _)| family.contains("Sans"));
    (sans, !face.monospaced, -(i32::from(face.weight.0) - 400).abs(), std::cmp::Reverse(&face.post_script_name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Wake;

    /// Ours alone.
    fn database() -> Database {
        let mut database = Database::new();
        database.load_fonts_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/fonts"));
        database
    }

    #[test]
    fn as_few_fonts_as_can_be_are_chosen_and_letters_that_none_has_are_left() {
        let names = |letters: &str| {
            let found = choose(&database(), letters.chars().collect());
            found.into_iter().map(|found| found.name).collect::<Vec<_>>()
        };
        assert_eq!(names("жяЯ"), ["Inter-Regular 0"]);
        assert!(names("\u{10FFFD}").is_empty());
        assert!(names("").is_empty());
        assert_eq!(names("ж\u{E3D0}").len(), 2, "an icon is in another font");
    }

    #[test]
    fn letters_without_a_font_are_asked_for_once() {
        let (ask, asked) = crossbeam_channel::bounded(9);
        let body = move |inbox: Receiver<Letters>, _: Outbox<Vec<Found>>| {
            for letters in inbox {
                let _ = ask.send(letters);
            }
        };
        let actor = Actor::spawn("test", 4, &Wake::default(), body).unwrap();
        let mut fonts = Fonts { actor: Some(actor), changed: true, ..default() };
        let context = egui::Context::default();
        let draw = |fonts: &mut Fonts| {
            let _ = context.run_ui(egui::RawInput::default(), |ui| {
                fonts.install(ui.ctx());
                note(ui.ctx(), "kick ж 東京.wav", &FontId::proportional(13.0));
                fonts.look(ui.ctx());
            });
        };
        draw(&mut fonts);
        draw(&mut fonts);
        draw(&mut fonts);
        let first = asked.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
        assert!(first.contains(&'東') && first.contains(&'京') && !first.contains(&'k'), "{first:?}");
        drop(fonts);
        assert_eq!(asked.iter().flatten().filter(|letter| *letter == '東').count(), 0, "asked once");
    }
}
