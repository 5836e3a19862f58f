//! The programs in `examples/`, which `cargo test` builds beside the tests.

use std::path::Path;
use std::process::Command;

/// Runs one on what it takes without arguments, and returns what it prints.
fn run(name: &str) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_soundkin")).parent().unwrap().join("examples");
    let program = programs.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(program.exists(), "not built: `cargo test --test it` needs `cargo build --examples` before it");
    let output = Command::new(program).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_folder_is_indexed() {
    let printed = run("index_folder");
    assert_eq!(printed.lines().last(), Some("75 sounds analysed"));
    assert_eq!(printed.lines().filter(|line| line.contains(" s  analysed  ")).count(), 75);
}

#[test]
fn a_kick_s_neighbours_are_kicks() {
    let printed = run("neighbours");
    let kicks = printed.lines().filter(|line| line.contains("kicks")).count();
    assert!(printed.lines().count() == 5 && kicks >= 3, "{printed}");
    assert!(!printed.contains("kick_01"), "the sound itself is not listed");
}

#[test]
fn a_model_of_one_s_own_gives_vectors() {
    let printed = run("add_model");
    assert!(printed.contains("clap-random-small-audio: CLAP audio tower"), "{printed}");
    assert!(printed.ends_with("1 windows, 64 dimensions\n"), "{printed}");
}
