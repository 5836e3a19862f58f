//! Parses the arguments, assembles the app and runs it.

use std::process::ExitCode;

use clap::Parser;
use soundkin::cli::{self, Arguments};
use tracing_subscriber::EnvFilter;

// Workers allocate and free packets and windows all the time; this costs half of what the system's allocator does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // What a decoder thinks of a bad file reaches the user as that file's reason, once.
    let level = if arguments.verbosity() > 1 { "warn,soundkin=debug" } else { "warn,symphonia=off" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match cli::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::tell(format_args!("soundkin: {error}"));
            ExitCode::FAILURE
        }
    }
}
