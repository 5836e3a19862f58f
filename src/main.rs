//! Parses the arguments, assembles the app and runs it.

use std::process::ExitCode;

use clap::Parser;
use soundkin::cli::{self, Arguments};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let level = if arguments.verbosity() > 1 { "soundkin=debug,warn" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match cli::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soundkin: {error}");
            ExitCode::FAILURE
        }
    }
}
