//! Indexes a folder without a window and prints what was found.
//!
//! `cargo run --example index_folder -- FOLDER`; without a folder it takes the demo library.
#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::path::PathBuf;
use std::sync::Arc;

use model::Model;
use soundkin::library::{AudioInfo, Embedding, Failed, Sample};
use soundkin::watch::AddFolder;
use soundkin::{Assembly, headless, is_idle, run_until};

fn main() -> anyhow::Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("assets/demo"), PathBuf::from);

    // Nothing is kept; `Library::open` in the place of `None` mirrors everything to a file.
    let mut app = headless(Assembly::new(None, Arc::new(Model::built_in()?)));
    app.world_mut().write_message(AddFolder { path: folder.canonicalize()?, follow: false });
    app.update();
    run_until(&mut app, None, is_idle);

    // Every sound is an entity, and all that is known of it a component.
    let mut sounds = app.world_mut().query::<(&Sample, Option<&AudioInfo>, Option<&Embedding>, Option<&Failed>)>();
    let mut analysed = 0;
    for (sample, info, embedding, failed) in sounds.iter(app.world()) {
        let seconds = info.map(AudioInfo::seconds).unwrap_or_default().0;
        let outcome = failed.map_or("analysed", |failed| failed.stage.name());
        println!("{seconds:7.2} s  {outcome}  {}", sample.path.display());
        analysed += usize::from(embedding.is_some());
    }
    println!("{analysed} sounds analysed");
    Ok(())
}
