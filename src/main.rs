//! Parses the arguments, assembles the app and runs it.

use std::process::ExitCode;

use clap::Parser;
use soundkin::cli::{self, Arguments};
use tracing_subscriber::EnvFilter;

// Workers allocate and free packets and windows all the time; this costs half of what the system's allocator does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    forbid_telemetry();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help was asked for, or the version.
        Err(text) if !text.use_stderr() => text.exit(),
        Err(error) => {
            cli::tell(format_args!("soundkin: {}", cli::wrong_usage(&error, std::env::args_os())));
            return ExitCode::from(2);
        }
    };
    // A decoder's complaints about a bad file already reach the user as that file's failure reason.
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

/// Turns off ONNX Runtime's telemetry: since 1.29 it is sent, on every system but Windows, before
/// any of its functions could turn it off (github.com/microsoft/onnxruntime/pull/27379).
#[expect(clippy::disallowed_methods, reason = "the environment is changed here and nowhere else")]
#[expect(unsafe_code, reason = "the environment is changed before a second thread could read it")]
fn forbid_telemetry() {
    // SAFETY: `main` calls it first, while there is one thread.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
}
