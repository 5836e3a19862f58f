//! Asks which sounds of a folder are most like a file, which may lie in it or not.
//!
//! `cargo run --example neighbours -- FILE FOLDER`; without them it asks about a kick of the demo library.
#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use model::Model;
use soundkin::library::{Sample, SampleIndex};
use soundkin::neighbours::ActiveWeights;
use soundkin::neighbours::query::{Query, Subject, Unanswered, ask};
use soundkin::neighbours::vectors::Sound;
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

    let subject = match app.world().resource::<SampleIndex>().at(&file) {
        Some(sample) => Subject::Sample(sample),
        None => Subject::File(Sound::of_file(&file, None)?),
    };
    let weights = app.world().resource::<ActiveWeights>().0;
    let query = Arc::new(Query { like: vec![subject], weights, k: 5, ..Query::default() });
    // A file from elsewhere gets its vector while the app runs.
    let answer = loop {
        match ask(app.world_mut(), &query) {
            Err(Unanswered::Waiting) => _ = run_until(&mut app, None, is_idle),
            answer => break answer.map_err(|why| anyhow!("no answer: {why:?}"))?,
        }
    };
    for neighbour in answer.neighbours {
        let sample = app.world().get::<Sample>(neighbour.entity).context("a sample")?;
        println!("{:.3}  {}", neighbour.similarity, sample.path.display());
    }
    Ok(())
}
