//! `soundkin play FILE`

use std::path::PathBuf;

use anyhow::{Result, bail};
use bevy::prelude::*;
use clap::Args;
use dsp::{Seconds, Span};
use serde_json::json;

use super::common::{Common, Notices, put_path, region, sample_or_transient};
use crate::audio::{AudioPlugin, Audition, AuditionSettings, Playback};
use crate::library::Sample;
use crate::{player, run_until};

#[derive(Args, Debug)]
pub(super) struct Play {
    /// A sound file
    file: PathBuf,
    /// Play only this part, in seconds
    #[arg(long, value_name = "FROM..TO", value_parser = region)]
    region: Option<Span>,
}

impl Play {
    pub(super) fn run(self, common: &Common) -> Result<()> {
        // Nothing is analysed, so this app needs no model.
        let mut app = player(AudioPlugin);
        app.insert_resource(AuditionSettings { volume_db: 0.0, ..default() });
        let sample = sample_or_transient(app.world_mut(), &self.file)?;
        let from = Seconds(self.region.map_or(0.0, |region| region.start));
        app.world_mut().write_message(Audition::Play { sample, from, region: self.region });
        let mut notices = Notices::default();
        let mut device = None;
        let mut failure = None;
        run_until(&mut app, None, |world| {
            let playback = world.resource::<Playback>();
            let texts: Vec<String> = notices.read(world).collect();
            if device.is_none() && playback.sample.is_some() {
                device = Some(playback.device.clone().unwrap_or_default());
            }
            let over = playback.sample.is_none() && (device.is_some() || !texts.is_empty());
            if over {
                failure = texts.into_iter().next_back();
            } else {
                texts.iter().for_each(|text| common.say(text));
            }
            over
        });
        if let Some(reason) = failure {
            bail!(reason);
        }
        let world = app.world();
        let playback = world.resource::<Playback>();
        if playback.device.is_none() {
            bail!("sound output did not come back; connect a device and play again");
        }
        let seconds = (playback.seconds - from).max(Seconds(0.0));
        let mut value = json!({"seconds": seconds, "device": device});
        if let Some(sample) = world.get::<Sample>(sample) {
            put_path(&mut value, &sample.path);
        }
        common.print(&value, |out| writeln!(out, "{seconds:.3} on {}", device.as_deref().unwrap_or_default()))
    }
}
