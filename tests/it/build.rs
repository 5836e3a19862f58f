//! What is compiled: nothing twice. (A build without the window is another matter: the panels' tests bring egui into it.)

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Every crate that cargo would compile, with each set of features it would compile it with.
fn crates(arguments: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    command.args(["tree", "--offline", "--prefix", "none", "--format", "{p}|{f}"]).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut crates = BTreeMap::<String, BTreeSet<String>>::new();
    // A line without words parts the packages of the workspace.
    for line in String::from_utf8(output.stdout).unwrap().lines().filter(|line| !line.is_empty()) {
        let (package, features) = line.trim_end_matches(" (*)").split_once('|').unwrap();
        crates.entry(package.to_owned()).or_default().insert(features.to_owned());
    }
    crates
}

#[test]
fn tests_compile_no_crate_of_the_program_a_second_time() {
    let program = crates(&["--edges", "normal,build"]);
    let tests = crates(&["--edges", "normal,build,dev", "--workspace"]);
    assert!(program.len() > 100, "{}", program.len());
    let twice: Vec<_> = program.iter().filter(|(package, features)| tests[*package] != **features).collect();
    assert!(twice.is_empty(), "the tests need other features of these than the program: {twice:#?}");
}
