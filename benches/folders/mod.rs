//! What a bench reads.

use std::path::{Path, PathBuf};

/// The folders of sounds that were named; for trying, some of the demo library.
pub fn named() -> Vec<PathBuf> {
    let named: Vec<PathBuf> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).map(PathBuf::from).collect();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo");
    let tried = ["kicks", "snares", "bass"].map(|folder| demo.join(folder));
    if named.is_empty() { tried.into_iter().take(crate::scale::or_few(0, 3)).collect() } else { named }
}
