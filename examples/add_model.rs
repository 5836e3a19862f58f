//! Adds a folder of models to those that are installed, and turns a sound into a vector with one of them.
//!
//! `cargo run --example add_model -- FOLDER ID FILE`; without them it takes the small random network of the tests.
#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::path::PathBuf;

use file::source::Source;
use file::stream::Decoders;
use model::registry;
use model::session::Embedder;
use soundkin::actor::Stop;
use soundkin::analyse::decode::decode;
use soundkin::analyse::runtime;
use soundkin::paths;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "tests/golden".to_owned());
    let id = arguments.next().unwrap_or_else(|| "clap-random-small-audio".to_owned());
    let file = PathBuf::from(arguments.next().unwrap_or_else(|| "assets/demo/kicks/kick_01.flac".to_owned()));

    // A model is a JSON manifest beside its ONNX file. The program looks into the same folders, and into those that
    // `SOUNDKIN_MODELS` names.
    let folders: Vec<PathBuf> = std::iter::once(PathBuf::from(folder)).chain(paths::model_folders()).collect();
    for installed in registry::installed(&folders) {
        println!("{}: {}", installed.id, installed.model.map_or_else(|e| e.to_string(), |model| model.manifest.title));
    }

    let model = registry::find(Some(&id), &folders)?;
    let heard = decode(
        Source::open(&file, &|| false)?,
        &file,
        model.manifest.audio.max_seconds,
        &Stop::default(),
        &Decoders::default(),
    )?;
    let embedded = Embedder::new(&model, runtime()?)?.embed(&heard.pcm)?;
    println!("{} windows, {} dimensions", embedded.windows.len(), embedded.pooled.len());
    Ok(())
}
