//! The architecture, checked: who may name whom, in whole files, and no permission that nobody uses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Every folder and file of `src/`, what it may name, and what its tests may name beyond that. A line may name only
/// lines above it, so there are no circles; a permission that nobody uses is an error too.
const PARTS: &[(&str, &str, &str)] = &[
    // Packages: they know neither Bevy nor the app.
    ("dsp", "", ""),
    ("file", "dsp", ""),
    ("model", "dsp", ""),
    ("similarity", "dsp model", ""),
    // The ground that every assembly stands on.
    ("schedule", "", ""),
    ("notice", "", ""),
    ("paths", "model", ""),
    ("actor", "notice", ""),
    ("palette", "", ""),
    ("atomic_file", "", ""),
    ("settings", "actor atomic_file notice", ""),
    // The engine, in the order of a sample's way.
    ("library", "dsp file model schedule", ""),
    ("watch", "actor library notice schedule", ""),
    ("analyse", "actor dsp file library model notice paths schedule", ""),
    ("neighbours", "actor analyse dsp file library model notice schedule similarity", ""),
    ("map", "library neighbours palette schedule similarity", ""),
    ("audio", "actor dsp file library notice schedule", ""),
    ("export", "atomic_file dsp file", ""),
    ("duplicates", "actor analyse dsp file library similarity", ""),
    ("record", "actor analyse audio dsp export file library notice paths schedule settings watch", "model"),
    ("store", "actor analyse dsp library model neighbours notice schedule similarity watch", ""),
    // What people see.
    (
        "ui",
        "actor analyse audio dsp export file library map neighbours notice palette paths record schedule settings similarity watch",
        "",
    ),
    // The roof, and who calls it.
    (
        "lib",
        "actor analyse audio library map model neighbours notice paths record schedule settings store ui watch",
        "",
    ),
    (
        "cli",
        "actor analyse atomic_file audio dsp duplicates export lib library map model neighbours notice paths record settings similarity store ui watch",
        "",
    ),
    ("main", "cli", ""),
];

/// Whose tests run whole assemblies, and for that may name what lies above them.
const ASSEMBLED: &[(&str, &str)] = &[("audio", "lib"), ("record", "lib store"), ("store", "lib"), ("ui", "lib")];

/// The packages among them: folders with a `Cargo.toml`.
const PACKAGES: [&str; 4] = ["dsp", "file", "model", "similarity"];

/// What is added with `add_plugins` outside `lib.rs`: the parts of a plugin, and Bevy's own.
const ADDED: &[(&str, &str)] = &[
    ("map", "DotsPlugin Material2dPlugin"),
    ("ui", "DefaultPlugins EguiPlugin action::plugin desktop::plugin fonts::plugin input::plugin"),
];

#[test]
fn everybody_names_only_what_lies_below() {
    let mut wrong = Vec::new();
    let sources = sources();
    let there: BTreeSet<&str> = sources.iter().map(|source| source.part.as_str()).collect();
    let known: BTreeSet<&str> = PARTS.iter().map(|(part, ..)| *part).collect();
    wrong.extend(there.difference(&known).map(|part| format!("{part} is not in the table")));
    wrong.extend(known.difference(&there).map(|part| format!("{part} is in the table and not in src")));
    for (i, (part, code, tests)) in PARTS.iter().enumerate() {
        let below: BTreeSet<&str> = PARTS[..i].iter().map(|(part, ..)| *part).collect();
        let (code, mut tests) = (words(code), words(tests));
        let up = code.union(&tests).filter(|name| !below.contains(*name));
        wrong.extend(up.map(|name| format!("{part} may name {name}, which does not lie below it")));
        wrong.extend(code.intersection(&tests).map(|name| format!("{part} is twice allowed to name {name}")));
        tests.extend(ASSEMBLED.iter().filter(|(of, _)| of == part).flat_map(|(_, names)| words(names)));
        let mut used = [BTreeSet::new(), BTreeSet::new()];
        for source in sources.iter().filter(|source| source.part == *part) {
            for name in source.names() {
                let fine = code.contains(name.part.as_str()) || name.test && tests.contains(name.part.as_str());
                if !fine {
                    let place = if name.test { "in its tests" } else { "in its code" };
                    wrong.push(format!("{} may not name {} {place}", source.file.display(), name.part));
                }
                used[usize::from(name.test)].insert(name.part);
            }
        }
        let [used_by_code, used_by_tests] = &used;
        let idle = code.iter().filter(|name| !used_by_code.contains(**name));
        wrong.extend(idle.map(|name| format!("{part} does not use its permission to name {name}")));
        let idle = tests.iter().filter(|name| !used_by_tests.contains(**name));
        wrong.extend(idle.map(|name| format!("the tests of {part} do not use their permission to name {name}")));
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_files_of_a_folder_form_no_circle() {
    let sources = sources();
    let mut wrong = Vec::new();
    for (part, ..) in PARTS {
        let folder: Vec<&Source> = sources.iter().filter(|source| source.part == *part).collect();
        let stems: BTreeSet<&str> = folder.iter().map(|source| source.stem.as_str()).collect();
        let mut uses: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for source in &folder {
            let named = uses.entry(&source.stem).or_default();
            named.extend(source.siblings(&stems).into_iter().filter(|name| *name != source.stem));
        }
        // What names nobody that is left cannot lie on a circle.
        while let Some(leaf) = uses.iter().find(|(_, named)| named.is_empty()).map(|(stem, _)| *stem) {
            uses.remove(leaf);
            uses.values_mut().for_each(|named| {
                named.remove(leaf);
            });
        }
        // Nor does what nobody names.
        while let Some(top) = uses.keys().find(|stem| !uses.values().any(|named| named.contains(**stem))).copied() {
            uses.remove(top);
        }
        if !uses.is_empty() {
            wrong.push(format!("{part}: {uses:?}"));
        }
    }
    assert!(wrong.is_empty(), "these files name each other in a circle:\n{}", wrong.join("\n"));
}

#[test]
fn packages_know_neither_bevy_nor_the_app() {
    let sources = sources();
    for package in PACKAGES {
        for source in sources.iter().filter(|source| source.part == package) {
            for (word, _) in &source.tokens {
                assert!(!word.starts_with("bevy") && *word != "soundkin", "{} names {word}", source.file.display());
            }
        }
        let manifest = std::fs::read_to_string(src().join(package).join("Cargo.toml")).unwrap();
        let allowed = words(PARTS.iter().find(|(part, ..)| *part == package).unwrap().1);
        for line in manifest.lines() {
            let name = line.split(['.', ' ']).next().unwrap();
            assert!(!name.starts_with("bevy") && name != "soundkin", "{package} depends on {name}");
            assert!(!PACKAGES.contains(&name) || allowed.contains(name), "{package} depends on {name}");
        }
    }
    let folders = std::fs::read_dir(src()).unwrap().map(|entry| entry.unwrap().path());
    let packages = folders.filter(|folder| folder.join("Cargo.toml").exists());
    let packages: BTreeSet<String> = packages.map(|folder| stem(&folder)).collect();
    assert!(packages.iter().eq(BTreeSet::from(PACKAGES)), "{packages:?}");
}

#[test]
fn plugins_are_added_in_lib_rs_alone() {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources().iter().filter(|source| source.part != "lib") {
        found.entry(source.part.clone()).or_default().extend(source.added());
    }
    found.retain(|_, plugins| !plugins.is_empty());
    let allowed = ADDED.iter().map(|(part, plugins)| {
        ((*part).to_owned(), plugins.split_whitespace().map(str::to_owned).collect::<BTreeSet<String>>())
    });
    assert_eq!(found, allowed.collect());
}

#[test]
fn the_reader_of_sources_sees_code_and_only_code() {
    let source = Source::new(
        Path::new("ui/list.rs"),
        r##"//! crate::no
        use crate::{alpha::{A, b::B}, beta}; /* crate::no /* nested */ crate::no */
        const TEXT: &str = "crate::no \" crate::no"; const RAW: &str = r#"crate::no " crate::no"#;
        fn f<'a>(x: &'a str) -> char { super::up::f(); crate::gamma::f(x); self::here(); other::crate_no(); '"' }
        #[cfg(test)]
        use crate::one;
        fn g() { dsp::g(); a.dsp::<u8>(); }
        mod inner { use super::super::outer; use super::Own; }
        #[cfg(test)]
        mod tests { use super::*; fn t() { crate::two::t(); app.add_plugins(TestPlugin); } }
        #[cfg(all(test, unix))]
        fn only_there() { crate::three::t(); }
        fn h() { crate::delta::h(); app.add_plugins((APlugin, part::plugin, plugin)).add_plugins(BPlugins::new(C)); }"##,
    );
    let named = |test: bool| -> Vec<String> {
        source.names().into_iter().filter(|name| name.test == test).map(|name| name.part).collect()
    };
    // Names of `crate` that are no part of the program are items of lib.rs.
    assert_eq!(source.paths("crate", false), ["alpha::A", "alpha::b::B", "beta", "gamma::f", "delta::h"]);
    assert_eq!(source.paths("crate", true), ["one", "two::t", "three::t"]);
    assert_eq!(named(false), ["lib", "lib", "lib", "lib", "lib", "dsp"]);
    assert_eq!(source.siblings(&["list", "up", "outer", "mod"].into()), ["up", "outer"]);
    assert_eq!(source.added(), ["APlugin", "part::plugin", "BPlugins"]);
}

/// A part of the program that is named, and whether by a test.
struct Name {
    part: String,
    test: bool,
}

/// A file of `src/`.
struct Source {
    file: PathBuf,
    /// The folder or top-level file that it belongs to.
    part: String,
    /// Its name, `mod` for the head of a folder.
    stem: String,
    /// Words and signs, without comments and texts; whether they are compiled for tests alone.
    tokens: Vec<(String, bool)>,
}

impl Source {
    /// Reads what the file at `file`, below `src/`, says.
    fn new(file: &Path, text: &str) -> Self {
        let part = stem(Path::new(file.iter().next().unwrap()));
        let own = if file.ends_with("lib.rs") || file.ends_with("mod.rs") { "mod".to_owned() } else { stem(file) };
        Self { file: file.to_owned(), part, stem: own, tokens: mark_tests(tokens(text)) }
    }

    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |(word, _)| word)
    }

    /// Whether a path begins at `at` with this word.
    fn begins(&self, at: usize, word: &str) -> bool {
        let before = if at == 0 { "" } else { self.word(at - 1) };
        self.word(at) == word && self.word(at + 1) == "::" && before != "::" && before != "."
    }

    /// The paths behind a first word, as far as they go.
    fn paths(&self, first: &str, test: bool) -> Vec<String> {
        let begin = |at: &usize| self.tokens[*at].1 == test && self.begins(*at, first);
        (0..self.tokens.len()).filter(begin).flat_map(|at| self.tree(at + 2)).collect()
    }

    /// The paths of the tree that begins at `at`.
    fn tree(&self, mut at: usize) -> Vec<String> {
        if self.word(at) != "{" {
            if self.word(at + 1) != "::" || self.word(at + 2) == "<" {
                return vec![self.word(at).to_owned()];
            }
            let behind = self.tree(at + 2);
            return behind.into_iter().map(|path| format!("{}::{path}", self.word(at))).collect();
        }
        let mut paths = Vec::new();
        let mut depth = 0;
        while at < self.tokens.len() {
            match self.word(at) {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            let first = depth == 1 && matches!(self.word(at), "{" | ",");
            if first && !matches!(self.word(at + 1), "}" | ",") {
                paths.extend(self.tree(at + 1));
            }
            at += 1;
        }
        paths
    }

    /// The other parts of the program that the file names.
    fn names(&self) -> Vec<Name> {
        let parts: BTreeSet<&str> = PARTS.iter().map(|(part, ..)| *part).collect();
        let package = PACKAGES.contains(&self.part.as_str());
        let mut names = Vec::new();
        for test in [false, true] {
            let mut named = Vec::new();
            if !package {
                // From the head of a folder `super` is the roof.
                let roofs = ["crate", if self.stem == "mod" && !test { "super" } else { "crate" }];
                for path in roofs.iter().collect::<BTreeSet<_>>().into_iter().flat_map(|roof| self.paths(roof, test)) {
                    let head = path.split("::").next().unwrap();
                    named.push(if parts.contains(head) { head.to_owned() } else { "lib".to_owned() });
                }
            }
            for part in PARTS.iter().map(|(part, ..)| *part) {
                let outside = PACKAGES.contains(&part) || self.part == "lib" && part != "main";
                if outside && !self.paths(part, test).is_empty() {
                    named.push(part.to_owned());
                }
            }
            if self.part == "main" {
                named.extend(self.paths("soundkin", test).iter().map(|path| {
                    let head = path.split("::").next().unwrap();
                    if parts.contains(head) { head.to_owned() } else { "lib".to_owned() }
                }));
            }
            names.extend(named.into_iter().filter(|part| *part != self.part).map(|part| Name { part, test }));
        }
        names
    }

    /// The files of its own folder that its code names; those of `stems` that are no file are items of the folder's head.
    fn siblings(&self, stems: &BTreeSet<&str>) -> Vec<String> {
        let file = |name: &str| if stems.contains(name) { name.to_owned() } else { "mod".to_owned() };
        let mut found = Vec::new();
        let own = if PACKAGES.contains(&self.part.as_str()) { String::new() } else { format!("{}::", self.part) };
        let inside =
            self.paths("crate", false).into_iter().filter_map(|path| path.strip_prefix(&own).map(str::to_owned));
        found.extend(inside.map(|path| file(path.split("::").next().unwrap())));
        if self.stem == "mod" {
            found
                .extend(stems.iter().filter(|stem| !self.paths(stem, false).is_empty()).map(|stem| (*stem).to_owned()));
        } else {
            // Each module within the file takes one `super` to leave.
            for (at, _) in self.tokens.iter().enumerate().filter(|(_, (_, test))| !test) {
                if self.begins(at, "super") {
                    for path in self.tree(at) {
                        let names: Vec<&str> = path.split("::").skip_while(|name| *name == "super").collect();
                        let up = path.split("::").count() - names.len();
                        if up > self.depth(at) {
                            found.push(file(names.first().copied().unwrap_or_default()));
                        }
                    }
                }
            }
        }
        found
    }

    /// How many modules within the file a place lies in.
    fn depth(&self, place: usize) -> usize {
        let mut open = Vec::new();
        for at in 0..place {
            match self.word(at) {
                "{" => open.push(at >= 2 && self.word(at - 2) == "mod"),
                "}" => drop(open.pop()),
                _ => {}
            }
        }
        open.into_iter().filter(|module| *module).count()
    }

    /// What its code adds with `add_plugins`.
    fn added(&self) -> Vec<String> {
        let mut added = Vec::new();
        for start in (0..self.tokens.len()).filter(|at| self.word(*at) == "add_plugins" && !self.tokens[*at].1) {
            let mut depth = 0;
            for at in start + 1..self.tokens.len() {
                match self.word(at) {
                    "(" => depth += 1,
                    ")" => depth -= 1,
                    "plugin" if self.word(at - 1) == "::" => added.push(format!("{}::plugin", self.word(at - 2))),
                    word if word.ends_with("Plugin") || word.ends_with("Plugins") => added.push(word.to_owned()),
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
        }
        added
    }
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

fn words(text: &'static str) -> BTreeSet<&'static str> {
    text.split_whitespace().collect()
}

/// Every file of Rust below `src/`, which has folders of one level only.
fn sources() -> Vec<Source> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let mut files = Vec::new();
    for path in list(&src()) {
        if path.is_dir() {
            let package = path.join("Cargo.toml").exists();
            for inner in list(&path) {
                // A package has its own tests beside it.
                let fine = !inner.is_dir() || package && stem(&inner) == "tests";
                assert!(fine, "folders are one level deep: {}", inner.display());
                files.push(inner);
            }
        } else {
            files.push(path);
        }
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files
        .iter()
        .map(|file| Source::new(file.strip_prefix(src()).unwrap(), &std::fs::read_to_string(file).unwrap()))
        .collect()
}

/// Words, `::` and single signs, without comments, texts and lifetimes.
fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let hashes = rest.trim_start_matches(['b', 'r']).bytes().take_while(|byte| *byte == b'#').count();
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment(rest)
        } else if word <= 2 && rest[..word].contains('r') && rest[word + hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = word + hashes + 1;
            start + rest[start..].find(&end).unwrap() + end.len()
        } else if first == '"' || rest.starts_with("b\"") || rest.starts_with("c\"") {
            quoted(rest, '"')
        } else if first == '\'' {
            let mut inner = rest.chars().skip(1);
            let (one, two) = (inner.next(), inner.next());
            if one == Some('\\') || two == Some('\'') { quoted(rest, '\'') } else { 1 + word_length(&rest[1..]) }
        } else if word > 0 {
            found.push(rest[..word].to_owned());
            word
        } else if rest.starts_with("::") {
            found.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                found.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    found
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// The length of a comment that may hold others.
fn comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    loop {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().unwrap().len_utf8();
        }
    }
}

/// The length of a text or a character, with its marks.
fn quoted(text: &str, mark: char) -> usize {
    let start = text.find(mark).unwrap() + 1;
    let mut escaped = false;
    for (at, c) in text[start..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == mark => return start + at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// Says of each word whether it belongs to an item that only tests are compiled with.
fn mark_tests(words: Vec<String>) -> Vec<(String, bool)> {
    let mut marked: Vec<(String, bool)> = words.into_iter().map(|word| (word, false)).collect();
    let is = |marked: &[(String, bool)], at: usize, wanted: &[&str]| {
        marked.len() >= at + wanted.len() && wanted.iter().zip(&marked[at..]).all(|(wanted, (word, _))| wanted == word)
    };
    let mut at = 0;
    while at < marked.len() {
        let for_tests = [&["test", ")", "]"][..], &["all", "(", "test", ","]];
        let marks = |words| is(&marked, at + 4, words);
        if !is(&marked, at, &["#", "[", "cfg", "("]) || !for_tests.into_iter().any(marks) {
            at += 1;
            continue;
        }
        let start = at;
        let mut depth = 0;
        loop {
            match marked.get(at).map_or(";", |(word, _)| word) {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            // The end of the item: a sign of its own, or the brace of its body; what ends an attribute is neither.
            let end = match marked.get(at).map_or(";", |(word, _)| word) {
                ";" | "}" => depth == 0,
                _ => depth < 0,
            };
            at += 1;
            if end {
                break;
            }
        }
        let end = at.min(marked.len());
        marked[start..end].iter_mut().for_each(|(_, test)| *test = true);
    }
    marked
}
