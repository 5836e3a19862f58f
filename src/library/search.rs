//! Finding samples by words: one rule for the list, the map, the neighbours and the command line.
//!
//! A search is words separated by spaces. A sample is found if all of them are in its path below the library's folder or
//! in one of its tags, whatever their case, accents, width and composition; a word after a minus must not be there, and
//! words in quotation marks are one. What is found is ranked by where the words stand: at the start of the name, at the
//! start of a word in the name, within the name, or only in the folders above. If nothing is found, names that differ
//! from the words by a letter or two are offered, and whoever shows them says so.
//!
//! Comparison is by NFKD without combining marks, composed again and with full case folding, as for caseless
//! matching of identifiers in the Unicode Standard, 3.13; letters with a stroke and ligatures count as their base letters.

use std::path::Path;

use bevy::ecs::entity::{Entity, EntityHashSet};
use memchr::memmem::Finder;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Of names that fit equally well, the shorter comes first; the longest counts so much less.
const LENGTH: f32 = 0.05;
/// Words of fewer letters than this have no similar ones.
const SHORTEST: usize = 3;

/// A text as it is compared.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let plain: String = text.nfkd().filter(|letter| !is_accent(*letter)).collect();
    plain.nfc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).flat_map(base).collect()
}

/// Tells whether a mark only varies the letter below it. Voicing marks of kana and vowel signs of Indic scripts make it another.
fn is_accent(letter: char) -> bool {
    let accents = [0x300..=0x36F, 0x591..=0x5C7, 0x64B..=0x65F, 0x1AB0..=0x1AFF, 0x1DC0..=0x1DFF, 0x20D0..=0x20FF];
    is_combining_mark(letter) && accents.iter().any(|range| range.contains(&u32::from(letter)))
}

/// The base letters of a lower-case letter that Unicode does not decompose.
fn base(letter: char) -> impl Iterator<Item = char> {
    let (first, second) = match letter {
        'ø' => ('o', None),
        'đ' | 'ð' => ('d', None),
        'ħ' => ('h', None),
        'ı' => ('i', None),
        'ł' => ('l', None),
        'ŧ' => ('t', None),
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'ß' => ('s', Some('s')),
        other => (other, None),
    };
    std::iter::once(first).chain(second)
}

/// What a sample is found by.
#[derive(Clone, Debug, Default)]
pub struct SearchKey {
    /// Folded: path below the library's folder, and after it each tag on a line of its own.
    text: Box<str>,
    /// Where the name begins and ends in it.
    name: [u32; 2],
    /// Which letters and digits are in it.
    letters: u64,
}

impl SearchKey {
    /// From the path of a sample below the folder of the library that it lies in, and its tags.
    pub fn new<'a>(below: &Path, tags: impl IntoIterator<Item = &'a str>) -> Self {
        let lossy = |part: Option<&Path>| part.map(|part| fold(&part.to_string_lossy())).unwrap_or_default();
        let mut text = lossy(below.parent());
        if !text.is_empty() {
            text.push('/');
        }
        let from = text.len();
        text.push_str(&lossy(below.file_name().map(Path::new)));
        let to = text.len();
        for tag in tags {
            text.push('\n');
            text.push_str(&fold(tag));
        }
        let end = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { letters: letters(&text), name: [end(from), end(to)], text: text.into() }
    }

    fn name(&self) -> &str {
        self.text.get(self.name[0] as usize..self.name[1] as usize).unwrap_or_default()
    }

    /// Words of name, folders and tags, without what separates them.
    fn words(&self) -> impl Iterator<Item = &str> {
        self.text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty())
    }
}

/// A bit for each Latin letter and digit in a folded text; a text contains another only if it has all its bits.
fn letters(folded: &str) -> u64 {
    folded.bytes().fold(0, |bits, byte| match byte {
        b'a'..=b'z' => bits | 1 << (byte - b'a'),
        b'0'..=b'9' => bits | 1 << (26 + byte - b'0'),
        _ => bits,
    })
}

#[derive(Clone, Debug)]
struct Word {
    finder: Finder<'static>,
    text: String,
    letters: u64,
}

impl Word {
    fn new(text: &str) -> Option<Self> {
        let text = fold(text);
        let finder = Finder::new(text.as_bytes()).into_owned();
        (!text.is_empty()).then(|| Self { letters: letters(&text), finder, text })
    }

    fn is_in(&self, key: &SearchKey) -> bool {
        self.letters & !key.letters == 0 && self.finder.find(key.text.as_bytes()).is_some()
    }

    /// How well it fits: 1 at the start of the name, less further inside, 0 if it is nowhere.
    fn fit(&self, key: &SearchKey) -> f32 {
        if self.letters & !key.letters != 0 {
            return 0.0;
        }
        let name = key.name();
        let mut best = 0.0_f32;
        for at in self.finder.find_iter(name.as_bytes()) {
            let fit = if at == 0 {
                1.0
            } else if starts_word(name, at) {
                0.75
            } else {
                0.5
            };
            best = best.max(fit);
        }
        if best == 0.0 && self.finder.find(key.text.as_bytes()).is_some() { 0.25 } else { best }
    }

    /// How similar the nearest word of a sample is, from 0 to 1; a letter more, less, other or swapped may differ, and of
    /// longer words two.
    fn similar(&self, key: &SearchKey) -> f32 {
        let length = self.text.chars().count();
        let allowed = match length {
            ..SHORTEST => 0,
            SHORTEST..=5 => 1,
            _ => 2,
        };
        if (self.letters & !key.letters).count_ones() > allowed {
            return 0.0;
        }
        let distance = |word: &str| {
            // What follows may be more of the same word, or its number.
            let cut = |letters: usize| word.char_indices().nth(letters).map_or(word, |(end, _)| &word[..end]);
            [length - 1, length, length + 1]
                .map(|letters| strsim::osa_distance(&self.text, cut(letters)))
                .into_iter()
                .min()
        };
        let long_enough = |word: &&str| word.chars().count() + allowed as usize >= length;
        let nearest = key.words().filter(long_enough).filter_map(distance).min();
        match nearest {
            Some(distance) if distance <= allowed as usize => 1.0 - distance as f32 / length as f32,
            _ => 0.0,
        }
    }
}

/// Tells whether a word begins at a byte of a folded text: after anything but a letter, or between letters and digits.
fn starts_word(text: &str, at: usize) -> bool {
    let before = text[..at].chars().next_back();
    let first = text[at..].chars().next();
    match (before, first) {
        (Some(before), Some(first)) => !before.is_alphanumeric() || before.is_numeric() != first.is_numeric(),
        _ => true,
    }
}

/// Words to find.
#[derive(Clone, Debug, Default)]
pub struct Search {
    wanted: Vec<Word>,
    unwanted: Vec<Word>,
}

impl Search {
    /// Reads what was typed; a quotation mark that is not closed yet reaches to the end, and a lone minus says nothing yet.
    pub fn new(text: &str) -> Self {
        let mut search = Self::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let minus = rest.strip_prefix('-');
            let from = minus.unwrap_or(rest);
            let (word, after) = match from.strip_prefix('"') {
                Some(phrase) => phrase.split_once('"').unwrap_or((phrase, "")),
                None => from.split_at(from.find(char::is_whitespace).unwrap_or(from.len())),
            };
            if minus.is_some() { &mut search.unwanted } else { &mut search.wanted }.extend(Word::new(word));
            rest = after.trim_start();
        }
        search
    }

    /// Tells whether everything is found.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.unwanted.is_empty()
    }

    fn forbids(&self, key: &SearchKey) -> bool {
        self.unwanted.iter().any(|word| word.is_in(key))
    }

    /// How well a sample fits, from 0 to 1; nothing if it is not meant.
    pub fn fit(&self, key: &SearchKey) -> Option<f32> {
        self.mean(key, Word::fit)
    }

    /// How similar a sample's words are to those wanted, from 0 to 1; nothing if they are not. Nothing is similar to a word
    /// that only must not be there.
    pub fn similar(&self, key: &SearchKey) -> Option<f32> {
        if self.wanted.is_empty() { None } else { self.mean(key, Word::similar) }
    }

    fn mean(&self, key: &SearchKey, fit: impl Fn(&Word, &SearchKey) -> f32) -> Option<f32> {
        let mut sum = 0.0;
        for word in &self.wanted {
            let fit = fit(word, key);
            if fit <= 0.0 {
                return None;
            }
            sum += fit;
        }
        if self.forbids(key) {
            return None;
        }
        let name = (key.name[1] - key.name[0]).min(255) as f32;
        Some(sum / self.wanted.len().max(1) as f32 - name / 255.0 * LENGTH)
    }
}

/// What a search has found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found<T> {
    /// What fits, with how well it does.
    pub fits: Vec<(T, f32)>,
    /// Nothing holds the words; what is here, if anything, is only similar to them.
    pub only_similar: bool,
}

impl Found<Entity> {
    /// The samples alone.
    pub fn samples(&self) -> EntityHashSet {
        self.fits.iter().map(|(sample, _)| *sample).collect()
    }
}

/// Finds among samples what holds the words, or where none does, what is similar to them.
pub fn find<'a, T: Copy>(search: &Search, among: impl Iterator<Item = (T, &'a SearchKey)> + Clone) -> Found<T> {
    let by = |fit: &dyn Fn(&SearchKey) -> Option<f32>| -> Vec<(T, f32)> {
        among.clone().filter_map(|(sample, key)| Some((sample, fit(key)?))).collect()
    };
    let fits = by(&|key| search.fit(key));
    if !fits.is_empty() || search.wanted.is_empty() {
        return Found { fits, only_similar: false };
    }
    Found { fits: by(&|key| search.similar(key)), only_similar: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 9] = [
        "Drums/808/Kick_long01.wav",
        "Drums/808/hi-hat closed.wav",
        "Drums/Snares/sn 01.wav",
        "Drums/BrushSnare.wav",
        "Loops/snare-roll 120.wav",
        "Loops/my snare.wav",
        "Über/Ärger Straße.wav",
        "ガード/Ｗｉｄｅ.wav",
        "Øre/blæst.wav",
    ];

    fn found(text: &str) -> Vec<&'static str> {
        let keys: Vec<_> = PATHS.iter().map(|path| (*path, SearchKey::new(Path::new(path), []))).collect();
        let mut found = find(&Search::new(text), keys.iter().map(|(path, key)| (*path, key)));
        found.fits.sort_by(|a, b| b.1.total_cmp(&a.1));
        if found.only_similar {
            found.fits.clear();
        }
        found.fits.into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn all_words_must_be_there_and_what_the_name_begins_with_comes_first() {
        assert_eq!(found("SNARE"), [PATHS[4], PATHS[5], PATHS[3], PATHS[2]]);
        assert_eq!(found("snare drums"), [PATHS[3], PATHS[2]]);
        assert_eq!(found("  808   kick "), [PATHS[0]]);
        assert_eq!(found("").len(), PATHS.len());
        // Letters in order are not a word.
        assert_eq!(found("drumswav"), [""; 0]);
    }

    #[test]
    fn a_minus_excludes_and_quotation_marks_hold_together() {
        assert_eq!(found("snare -roll -\"my snare\""), [PATHS[3], PATHS[2]]);
        assert_eq!(found("\"my snare\""), [PATHS[5]]);
        assert_eq!(found("-drums -loops"), [PATHS[7], PATHS[8], PATHS[6]]);
        // A minus within a word is part of it, and one with nothing behind it says nothing yet.
        assert_eq!(found("hi-hat"), [PATHS[1]]);
        assert_eq!(found("hat -"), [PATHS[1]]);
        assert_eq!(found("\"hi-hat cl"), [PATHS[1]]);
    }

    #[test]
    fn case_accents_width_and_composition_do_not_count() {
        for text in ["uber", "ÜBER", "u\u{308}ber", "strasse", "STRAẞE", "arger"] {
            assert_eq!(found(text), [PATHS[6]], "{text}");
        }
        for text in ["wide", "ｗｉｄｅ", "ガード", "カ\u{3099}ード"] {
            assert_eq!(found(text), [PATHS[7]], "{text}");
        }
        assert_eq!(found("カード"), [""; 0], "a voicing mark makes another letter");
        for text in ["øre", "ore blaest", "BLÆST"] {
            assert_eq!(found(text), [PATHS[8]], "{text}");
        }
    }

    #[test]
    fn tags_are_found_and_excluded_and_never_run_into_the_name() {
        let key = SearchKey::new(Path::new("a/b.wav"), ["Kept", "dark pad"]);
        let fits = |text: &str| Search::new(text).fit(&key).is_some();
        assert!(fits("kept") && fits("\"dark pad\"") && fits("b pad"));
        assert!(!fits("-kept") && !fits("wavkept") && !fits("keptdark"));
    }

    #[test]
    fn only_where_nothing_is_found_are_names_similar() {
        let keys: Vec<_> = PATHS.iter().map(|path| (*path, SearchKey::new(Path::new(path), []))).collect();
        let similar = |text: &str| {
            let found = find(&Search::new(text), keys.iter().map(|(path, key)| (*path, key)));
            (found.only_similar, found.fits.into_iter().map(|(path, _)| path).collect::<Vec<_>>())
        };
        let snares = vec![PATHS[2], PATHS[4], PATHS[5]];
        assert_eq!(similar("snrae"), (true, snares));
        assert_eq!(similar("kik"), (true, vec![PATHS[0]]));
        assert_eq!(similar("kick snaer"), (true, vec![]));
        assert_eq!(similar("xq"), (true, vec![]));
        assert_eq!(similar("raeh"), (true, vec![]));
        assert_eq!(similar("-wav"), (false, vec![]));
    }

    #[test]
    fn folding_twice_changes_nothing_more() {
        for text in PATHS.iter().chain(&["İstanbul", "ΣΊΣΥΦΟΣ", "각", "ﬁlter", "Ǆ", "e\u{301}\u{323}"]) {
            assert_eq!(fold(&fold(text)), fold(text), "{text}");
        }
    }
}
