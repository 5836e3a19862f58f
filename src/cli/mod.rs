//! The command line: one file per verb. Results go to stdout, progress and messages to stderr; `--json` prints
//! exactly one object. Every verb runs the headless app.

mod common;
mod doctor;
mod dupes;
mod embed;
mod export;
mod index;
mod list;
mod map;
mod models;
mod open;
mod play;
mod record;
mod similar;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};

use self::common::Common;

pub use self::common::tell;

/// Find sounds by how they sound.
#[derive(Parser, Debug)]
#[command(name = "soundkin", version, subcommand_precedence_over_arg = true)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Folders to add to the library; opens the window
    folders: Vec<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Scan, decode, embed and store the sounds in folders; returns when done
    Index(index::Index),
    /// Follow the library's folders and print one line per change until Ctrl+C
    Watch,
    /// List the samples of the library
    List(list::List),
    /// Find the sounds most similar to a given one
    Similar(similar::Similar),
    /// Find identical and near-identical sounds
    Dupes(dupes::Dupes),
    /// Print the vectors of files without storing them
    Embed(embed::Embed),
    /// Write the map as .png, .csv or .json
    Map(map::Map),
    /// Play a sound to its end
    Play(play::Play),
    /// Record from the sound input
    Record(record::Take),
    /// Copy sounds, or a region of them, into a folder
    Export(export::Export),
    /// Show the installed models
    Models,
    /// Show what Soundkin finds on this machine: ONNX Runtime, devices, GPU, folders, library
    Doctor,
}

/// Runs what the arguments ask for.
///
/// # Errors
/// It could not be done; the message is one line for the user.
pub fn run(arguments: Arguments) -> Result<()> {
    let common = arguments.common;
    match arguments.verb {
        None => open::run(&common, arguments.folders),
        Some(Verb::Index(verb)) => verb.run(&common),
        Some(Verb::Watch) => watch::run(&common),
        Some(Verb::List(verb)) => verb.run(&common),
        Some(Verb::Similar(verb)) => verb.run(&common),
        Some(Verb::Dupes(verb)) => verb.run(&common),
        Some(Verb::Embed(verb)) => verb.run(&common),
        Some(Verb::Map(verb)) => verb.run(&common),
        Some(Verb::Play(verb)) => verb.run(&common),
        Some(Verb::Record(verb)) => verb.run(&common),
        Some(Verb::Export(verb)) => verb.run(&common),
        Some(Verb::Models) => models::run(&common),
        Some(Verb::Doctor) => doctor::run(&common),
    }
}

/// What is wrong with the arguments, in one line.
pub fn wrong_usage(error: &clap::Error, arguments: impl Iterator<Item = OsString>) -> String {
    let mut said = String::new();
    for line in error.render().to_string().lines().map(str::trim) {
        let line = line.trim_start_matches("error: ").trim_start_matches("tip: ");
        if line.is_empty() || line.starts_with("Usage: ") || line.starts_with("For more information") {
            continue;
        }
        said += if said.is_empty() {
            ""
        } else if said.ends_with(':') {
            " "
        } else {
            "; "
        };
        said += line;
    }
    let command = Arguments::command();
    let mut verbs = arguments.filter_map(|argument| Some(command.find_subcommand(argument)?.get_name().to_owned()));
    let verb = verbs.next().map(|verb| verb + " ").unwrap_or_default();
    format!("{said}; see `soundkin {verb}--help`")
}

impl Arguments {
    /// How much to log: 0 warnings, 1 information, 2 debugging.
    pub fn verbosity(&self) -> u8 {
        self.common.verbose
    }
}
