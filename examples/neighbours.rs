//! Asks which sounds of a folder are most like one of them.
//!
//! `cargo run --example neighbours -- FILE FOLDER`; without them it asks about a kick of the demo library.
#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use bevy::ecs::system::RunSystemOnce;
use bevy::prelude::*;
use model::Model;
use soundkin::library::{Sample, SampleIndex};
use soundkin::neighbours::query::{Compared, SimilarTo, answer};
use soundkin::neighbours::{ActiveWeights, SpaceIndex};
use soundkin::watch::AddFolder;
use soundkin::{Assembly, headless, is_idle, run_until};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let file = arguments.next().unwrap_or_else(|| "assets/demo/kicks/kick_01.flac".into()).canonicalize()?;
    let folder = arguments.next().unwrap_or_else(|| "assets/demo".into()).canonicalize()?;

    let mut app = headless(Assembly::new(None, Arc::new(Model::built_in()?)));
    app.world_mut().write_message(AddFolder { path: folder, follow: false });
    app.update();
    run_until(&mut app, None, is_idle);

    let sample = app.world().resource::<SampleIndex>().at(&file).context("the file is not in the folder")?;
    let query = SimilarTo { like: vec![sample], k: 5, exact: true, ..default() };
    let ask = move |index: Res<SpaceIndex>, weights: Res<ActiveWeights>, compared: Query<Compared>| {
        // The last argument says which samples may be answered; here it is any.
        answer(&query, &index, &weights, &compared, |_| true)
    };
    let found = app.world_mut().run_system_once(ask).ok().flatten().context("the file has no vector")?;
    for neighbour in found.neighbours {
        let sample = app.world().get::<Sample>(neighbour.entity).context("a sample")?;
        println!("{:.3}  {}", neighbour.similarity, sample.path.display());
    }
    Ok(())
}
