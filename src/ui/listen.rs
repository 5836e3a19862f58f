//! What is heard: turns what the user asked for into auditions.

use bevy::prelude::*;
use dsp::Seconds;

use super::action::Listen;
use super::session::Session;
use crate::audio::{Audition, AuditionSettings, Playback};

/// Plays, stops and sets how sounds are played.
pub(super) fn respond(
    mut asked: MessageReader<Listen>,
    session: Res<Session>,
    mut settings: ResMut<AuditionSettings>,
    playback: Res<Playback>,
    mut auditions: MessageWriter<Audition>,
) {
    let selected = session.navigation.location.selected;
    for action in asked.read() {
        match action {
            Listen::Prepare(sample) => {
                auditions.write(Audition::Prepare(*sample));
            }
            Listen::PlayOrStop if playback.sample.is_some() => {
                auditions.write(Audition::Stop);
            }
            Listen::PlayOrStop | Listen::Replay => {
                auditions.write_batch(selected.map(|sample| session.audition(sample)));
            }
            Listen::Stop => {
                auditions.write(Audition::Stop);
            }
            Listen::PlayFrom(seconds) => {
                let region = session.selection.within.region.filter(|region| region.holds(*seconds));
                auditions.write_batch(selected.map(|sample| Audition::Play {
                    sample,
                    from: Seconds(*seconds),
                    region,
                }));
            }
            Listen::Play(sample) => {
                auditions.write(Audition::Play { sample: *sample, from: Seconds(0.0), region: None });
            }
            Listen::ToggleLoop => settings.looping = !settings.looping,
            Listen::ToggleEqualLoudness => settings.equal_loudness = !settings.equal_loudness,
            Listen::Volume(db) => settings.volume_db = *db,
        }
    }
}
