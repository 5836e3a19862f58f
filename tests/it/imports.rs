//! The direction in which folders may use each other, as the design says.

use std::path::Path;

/// Each folder and what it may name with `crate::`.
const ALLOWED: [(&str, &[&str]); 12] = [
    ("actor", &[]),
    ("settings", &["actor", "sample"]),
    ("sample", &[]),
    ("watch", &["actor", "sample"]),
    ("decode", &["actor", "sample"]),
    ("embed", &["actor", "sample", "settings", "decode"]),
    ("project", &["actor", "sample", "decode", "embed"]),
    ("audio", &["actor", "sample", "decode"]),
    ("record", &["actor", "sample", "settings", "watch", "decode", "embed", "audio"]),
    ("map", &["actor", "sample", "watch", "decode", "embed", "project", "query", "audio"]),
    ("query", &["actor", "sample", "decode", "embed", "project"]),
    ("store", &["actor", "sample", "watch", "decode", "embed", "project", "audio"]),
];

/// Names that everybody may use, since they stand in `lib.rs`.
const ROOT: [&str; 2] = ["SoundkinSystems", "configure_sets"];

fn sources(path: &Path) -> Vec<std::path::PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path());
    entries.flat_map(|path| sources(&path)).collect()
}

#[test]
fn folders_use_only_what_lies_below_them() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut uses = 0;
    for (folder, allowed) in ALLOWED {
        let path = if src.join(folder).is_dir() { src.join(folder) } else { src.join(format!("{folder}.rs")) };
        for file in sources(&path) {
            let text = std::fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            for (i, _) in code.match_indices("crate::") {
                let name: String = code[i + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                uses += 1;
                let fine = name == folder || allowed.contains(&name.as_str()) || ROOT.contains(&name.as_str());
                assert!(fine, "{} may not use `{name}`", file.display());
            }
        }
    }
    assert!(uses > 20, "the search found only {uses} uses");
    for folder in std::fs::read_dir(&src).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()) {
        for inner in std::fs::read_dir(&folder).unwrap() {
            let inner = inner.unwrap().path();
            assert!(!inner.is_dir(), "folders are one level deep: {}", inner.display());
        }
    }
}
