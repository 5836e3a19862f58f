//! Names for groups of sounds: words of their files' names and folders or, where these say nothing, how they sound.
//!
//! A word is worth `p · ln(p / q)`, the share of the group's sounds that have it and that of all sounds: its part of the
//! Kullback-Leibler divergence between the two (Tomokiyo and Hurst, "A language model approach to keyphrase extraction",
//! 2003). Words of the field count more, and its abbreviations are written out. Left out are words that every library is full
//! of, and names of kits and makers: words that nearly all files of one folder have, and nearly no others, and words that
//! stand before many different sounds in one folder. Where no word is typical of a group, it is named by the descriptors in
//! which it differs most from all sounds: "short bright". Groups that would have one name are told apart: "dark kick",
//! "bright kick", and where that does not do, by the word that is most frequent in one and rare in the others.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Component, Path};

use dsp::descriptors::COUNT;

/// A word is in at least this share of a group's names, and in so many of them: of the field, or any other.
const TYPICAL: [f32; 2] = [0.12, 0.35];
const LEAST: usize = 2;
/// The words of a name are together in at least this share of the group's names, or it is named by its sound.
const TELLING: f32 = 0.25;
/// How much more a word of the field counts, and how much less one that says little.
const KNOWN: f32 = 1.6;
const VAGUE: f32 = 0.4;
/// The second word of a name is worth at least this share of the first.
const SECOND: f32 = 0.4;
/// A word that this share of one folder's files have, and this share of whose files lie there, is the name of a kit. A word
/// that only so many of its files are of another folder than one is that folder's own.
const KIT: f32 = 0.8;
/// A folder's own word that stands first, and before so many different words of the field, is the name of a maker.
const MADE: usize = 3;
/// Differences from the mean in units of a descriptor's spread: one that tells groups of one name apart, and one that is
/// worth a third word.
const APART: f32 = 0.02;
const PLAIN: f32 = 0.8;
/// Most words for how a group sounds beside words of its files' names, and without any.
const BESIDE: usize = 2;
const MOST: usize = 3;
/// A word that tells a group from others of its name is in at least this share of its names.
const ASIDE: f32 = 0.08;
/// It is more frequent there than in all of them by at least this, as a logarithm.
const RARER: f32 = 0.4;
/// Shortest word in bytes: three Latin letters, or one Chinese character.
const SHORTEST: usize = 3;

/// What sounds may be called, in the form in which a name shows it.
const FIELD: &str = "acid alarm ambience amen applause arp bang bass beat bell bird blip bongo boom brass break \
    breath bubble buzz cabasa car cello chant chime chirp choir chord clap clarinet clave clavinet click cluck conga \
    cough cowbell crackle crash creak crowd cymbal dig dog door drone drop drum electronic engine explosion fill fire flute foley \
    footstep giggle glass glitch gong grain grass gravel guiro guitar gun harp harpsichord hi-hat hiss hit horn hum \
    impact insect jingle jungle keys kick koto laser laugh lead leaf loop mallet maraca marimba melody metal \
    metronome motor noise oboe organ pad percussion phone piano ping pizzicato pluck pop punch rain ride rimshot ring \
    riser roll saw sax scrape scratch scream shaker shot sine siren sitar slap snap snare snow speech splash square \
    squeak stab stick stone strings sub sweep swoosh synth tabla tambourine texture thud thunder tick timpani tom \
    train triangle trumpet ukulele vinyl violin vocal voice water whistle wind wood woosh xylophone zap";

/// What is said otherwise, and how.
const ALIASES: &[(&str, &str)] = &[
    ("ambi", "ambience"),
    ("ambient", "ambience"),
    ("atmo", "ambience"),
    ("bassdrum", "kick"),
    ("bd", "kick"),
    ("clav", "clave"),
    ("cym", "cymbal"),
    ("elec", "electronic"),
    ("electro", "electronic"),
    ("explode", "explosion"),
    ("gtr", "guitar"),
    ("guit", "guitar"),
    ("hat", "hi-hat"),
    ("hh", "hi-hat"),
    ("hihat", "hi-hat"),
    ("kik", "kick"),
    ("opened", "open"),
    ("perc", "percussion"),
    ("rim", "rimshot"),
    ("sd", "snare"),
    ("sidestick", "rimshot"),
    ("sn", "snare"),
    ("sqr", "square"),
    ("str", "strings"),
    ("string", "strings"),
    ("syn", "synth"),
    ("tamb", "tambourine"),
    ("voc", "vocal"),
    ("vox", "vocal"),
];

/// Two words that are one.
const PAIRS: &[(&str, &str, &str)] = &[
    ("bass", "drum", "kick"),
    ("hand", "clap", "clap"),
    ("hi", "hat", "hi-hat"),
    ("rim", "shot", "rimshot"),
    ("side", "stick", "rimshot"),
    ("foot", "step", "footstep"),
];

/// What says nothing about a sound: parts of paths, formats, numbers of takes, strengths of a stroke.
const STOP: &str = "aif aiff and app asset audio channel collection copy data default demo desc edit en file final flac for \
    free from game hard hardest high home instrument kit left level lib library local low lower main med medium misc mix \
    mono mp3 music new node off ogg old one opt opus original pack part preset raw res resource right root sample set sfx \
    share soft softest song sound source srv standard start stereo system take test the track trk two ui untitled upper usr \
    var ver version vol wav wave with";

/// Words of the field that say little.
const GENERAL: [&str; 3] = ["drum", "loop", "percussion"];

/// A pair of words for a descriptor, by its place: for low and high values; in the order in which they are said.
const AXES: [(usize, [&str; 2]); 4] =
    [(35, ["short", "long"]), (0, ["dark", "bright"]), (4, ["tonal", "noisy"]), (30, ["snappy", "soft"])];

/// The means of a group's descriptors that have words; not a number where they are not known.
type Look = [f32; AXES.len()];

/// A name in parts: which of the two words of each axis, and behind them words by their numbers, the most telling first.
#[derive(Clone, Debug, Default)]
struct Name {
    look: [Option<bool>; AXES.len()],
    words: Vec<usize>,
}

/// What is known of the sounds that are to be named.
pub struct Sounds<'a> {
    /// Each row's words, by number, `[n]`.
    words: Vec<Vec<usize>>,
    known: Vec<Word>,
    /// Descriptors in units of their spreads; not a number where they are not known, `[n]`.
    descriptors: &'a [[f32; COUNT]],
}

struct Word {
    text: String,
    /// How many rows have it.
    rows: usize,
    /// What it is about.
    kind: Kind,
}

/// What a word is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Sounds: it is one of [`FIELD`].
    Field,
    /// Anything, in more than one folder.
    Common,
    /// Some files of one folder.
    Own,
    /// A kit or who made it.
    Kit,
}

impl<'a> Sounds<'a> {
    /// Reads the names: `paths` are relative to the folders of the library.
    pub fn read(paths: &[&Path], descriptors: &'a [[f32; COUNT]]) -> Self {
        let field: Vec<&str> = FIELD.split_whitespace().collect();
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let mut known: Vec<Word> = Vec::new();
        let mut words: Vec<Vec<usize>> = Vec::with_capacity(paths.len());
        let named: Vec<Vec<String>> = paths.iter().map(|path| words_of(path, &field)).collect();
        let met: HashSet<&str> = named.iter().flatten().map(String::as_str).collect();
        // A plural is the same word if the singular is there too; otherwise nobody knows what that is.
        let one = |word: &str| singular(word).filter(|one| met.contains(one)).unwrap_or(word).to_owned();
        for names in &named {
            let row = names.iter().map(|word| one(word)).collect::<BTreeSet<_>>().into_iter().map(|word| {
                let number = *numbers.entry(word).or_insert_with_key(|word| {
                    let kind = if field.contains(&word.as_str()) { Kind::Field } else { Kind::Common };
                    known.push(Word { text: word.clone(), rows: 0, kind });
                    known.len() - 1
                });
                known[number].rows += 1;
                number
            });
            words.push(row.collect());
        }
        let first = paths.iter().map(|path| numbers.get(first_of(path, &field).as_ref()?).copied());
        let kinds = kinds(paths, &words, &first.collect::<Vec<_>>(), &known);
        known.iter_mut().zip(kinds).for_each(|(word, kind)| word.kind = kind);
        Self { words, known, descriptors }
    }

    /// Names the groups 0..`k`; `of` is the group of each row. A group without sounds has no name.
    pub fn names(&self, of: &[usize], k: usize) -> Vec<String> {
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); k];
        of.iter().enumerate().filter(|(_, group)| **group < k).for_each(|(row, group)| members[*group].push(row));
        let looks: Vec<Look> = members.iter().map(|rows| self.look(rows.iter().copied())).collect();
        let usual = self.look(0..of.len());
        let named = members.iter().zip(&looks).map(|(rows, look)| match self.words_for(rows) {
            Some(words) => Name { words, ..Name::default() },
            None => adjectives(look, &usual),
        });
        let mut names: Vec<Name> = named.collect();
        self.tell_apart(&mut names, &looks, &members);
        let text = |(name, rows): (&Name, &Vec<usize>)| if rows.is_empty() { String::new() } else { self.text(name) };
        names.iter().zip(&members).map(text).collect()
    }

    /// How many of some rows have each word.
    fn counted(&self, rows: &[usize]) -> BTreeMap<usize, usize> {
        let mut counts = BTreeMap::new();
        rows.iter().flat_map(|row| &self.words[*row]).for_each(|word| *counts.entry(*word).or_default() += 1);
        counts
    }

    /// The word of the highest worth, in the order of the alphabet where it is the same.
    fn sorted(&self, mut worth: Vec<(f32, usize)>) -> Vec<(f32, usize)> {
        worth.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| self.known[a.1].text.cmp(&self.known[b.1].text)));
        worth
    }

    /// One or two words that are frequent in a group and rare elsewhere.
    fn words_for(&self, rows: &[usize]) -> Option<Vec<usize>> {
        let (size, total) = (rows.len() as f32, self.words.len() as f32);
        let worth = |(word, n): (usize, usize)| {
            let Word { rows: all, kind, text } = &self.known[word];
            let (p, q) = (n as f32 / size, *all as f32 / total);
            let known = match kind {
                Kind::Field if GENERAL.contains(&text.as_str()) => VAGUE,
                Kind::Field => KNOWN,
                Kind::Common | Kind::Own => 1.0,
                Kind::Kit => return None,
            };
            // In a library of one kind every word is as frequent in the group as elsewhere.
            let rare = (p / q).ln().max(if rows.len() == self.words.len() && q < 1.0 { 0.1 } else { 0.0 });
            let typical = TYPICAL[usize::from(*kind != Kind::Field)];
            (n >= LEAST && p >= typical && rare > 0.0).then_some((p * rare * known, word))
        };
        let counts = self.counted(rows);
        let worth: Vec<(f32, usize)> = counts.iter().filter_map(|(word, n)| worth((*word, *n))).collect();
        let is_own = |word: usize| self.known[word].kind == Kind::Own;
        let vague = |(worth, word): &(f32, usize)| (if is_own(*word) { worth * VAGUE } else { *worth }, *word);
        let (best, first) = *self.sorted(worth.iter().map(vague).collect()).first()?;
        // What only one folder says is said beside a word of the field where it is about that, such as "hi-hat, closed".
        let both = |word: usize| {
            let both = rows.iter().filter(|row| [first, word].iter().all(|word| self.words[**row].contains(word)));
            both.count() as f32 >= KIT * counts[&word] as f32
        };
        let beside = |word: usize| word != first && (!is_own(word) || is_own(first) || both(word));
        let second = self.sorted(worth).into_iter().find(|(worth, word)| beside(*word) && *worth >= SECOND * best);
        let chosen: Vec<usize> = [Some(first), second.map(|(_, word)| word)].into_iter().flatten().collect();
        let told = rows.iter().filter(|row| self.words[**row].iter().any(|word| chosen.contains(word))).count();
        (told as f32 >= TELLING * size).then_some(chosen)
    }

    /// Adds to equal names how their groups differ from each other, in sound and in words, until no two are the same.
    fn tell_apart(&self, names: &mut [Name], looks: &[Look], members: &[Vec<usize>]) {
        for _ in 0..AXES.len() {
            let mut same: BTreeMap<_, Vec<usize>> = BTreeMap::new();
            let there = names.iter().enumerate().filter(|(group, _)| !members[*group].is_empty());
            for (group, name) in there {
                let mut words = name.words.clone();
                words.sort_unstable();
                same.entry((name.look, words)).or_default().push(group);
            }
            same.retain(|_, groups| groups.len() > 1);
            if same.is_empty() {
                return;
            }
            for ((look, words), groups) in same {
                let said = look.iter().flatten().count();
                let by_sound = if words.is_empty() { said < BESIDE } else { said < BESIDE && words.len() <= 2 };
                if !(by_sound && tell_by_sound(&groups, look, looks, APART, names)) {
                    let told = self.tell_by_word(&groups, members, names);
                    if !told && said < MOST {
                        tell_by_sound(&groups, look, looks, 0.0, names);
                    }
                }
            }
        }
    }

    /// Adds to each of some groups the word that is most frequent in it and rare in the others, and tells whether any has one.
    fn tell_by_word(&self, groups: &[usize], members: &[Vec<usize>], names: &mut [Name]) -> bool {
        let all: Vec<usize> = groups.iter().flat_map(|group| &members[*group]).copied().collect();
        let among = self.counted(&all);
        let mut told = false;
        for group in groups {
            let (rows, known) = (&members[*group], &names[*group].words);
            let worth = |(word, n): (usize, usize)| {
                let (p, q) = (n as f32 / rows.len() as f32, among[&word] as f32 / all.len() as f32);
                let rare = (p / q).ln();
                let fits = n >= LEAST && p >= ASIDE && rare > RARER && !known.contains(&word);
                let kind = match self.known[word].kind {
                    Kind::Field => KNOWN,
                    Kind::Common => 1.0,
                    Kind::Own => VAGUE,
                    Kind::Kit => return None,
                };
                fits.then_some((p * rare * kind, word))
            };
            let worth = self.sorted(self.counted(rows).into_iter().filter_map(worth).collect());
            if let Some((_, word)) = worth.first() {
                names[*group].words.push(*word);
                told = true;
            }
        }
        told
    }

    fn text(&self, name: &Name) -> String {
        let look = name.look.iter().zip(AXES).filter_map(|(high, (_, words))| Some(words[usize::from((*high)?)]));
        let look = look.collect::<Vec<_>>().join(" ");
        let words: Vec<&str> = name.words.iter().map(|word| self.known[*word].text.as_str()).collect();
        let parts: Vec<String> = [look, words.join(", ")].into_iter().filter(|part| !part.is_empty()).collect();
        if parts.is_empty() { "various".to_owned() } else { parts.join(" ") }
    }

    fn look(&self, rows: impl Iterator<Item = usize>) -> Look {
        let known =
            rows.filter_map(|row| self.descriptors.get(row)).filter(|values| values.iter().all(|v| v.is_finite()));
        let (mut sums, mut n) = ([0.0; AXES.len()], 0.0);
        for values in known {
            sums.iter_mut().zip(AXES).for_each(|(sum, (place, _))| *sum += values[place]);
            n += 1.0;
        }
        sums.map(|sum| sum / n)
    }
}

/// How something differs from a middle, the largest difference first: by how much, on which axis, and whether upwards.
fn differences(look: &Look, middle: &Look) -> Vec<(f32, usize, bool)> {
    let axes = look.iter().zip(middle).map(|(here, middle)| here - middle).enumerate();
    let mut found: Vec<_> = axes.map(|(axis, d)| (d.abs(), axis, d > 0.0)).filter(|d| d.0.is_finite()).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found
}

/// Two words for how a group sounds, or three where it is plainly different.
fn adjectives(look: &Look, usual: &Look) -> Name {
    let mut name = Name::default();
    for (i, (difference, axis, high)) in differences(look, usual).into_iter().enumerate() {
        if i < 2 && difference > 1e-3 || i < 3 && difference >= PLAIN {
            name.look[axis] = Some(high);
        }
    }
    name
}

/// Adds to each of some groups of one look how it differs from the others by at least so much, and tells whether any does.
fn tell_by_sound(
    groups: &[usize],
    look: [Option<bool>; AXES.len()],
    looks: &[Look],
    least: f32,
    names: &mut [Name],
) -> bool {
    let groups: Vec<usize> = groups.iter().copied().filter(|group| looks[*group][0].is_finite()).collect();
    let mean = |axis: usize| groups.iter().map(|group| looks[*group][axis]).sum::<f32>() / groups.len() as f32;
    let middle: Look = std::array::from_fn(mean);
    let mut told = false;
    for group in groups {
        let free = |(difference, axis, _): &(f32, usize, bool)| *difference > least && look[*axis].is_none();
        if let Some((_, axis, high)) = differences(&looks[group], &middle).into_iter().find(free) {
            names[group].look[axis] = Some(high);
            told = true;
        }
    }
    told
}

/// What each word is about; `first` is the first word of each file's name.
fn kinds(paths: &[&Path], words: &[Vec<usize>], first: &[Option<usize>], known: &[Word]) -> Vec<Kind> {
    let mut sizes: HashMap<&Path, usize> = HashMap::new();
    let mut shares: HashMap<(&Path, usize), usize> = HashMap::new();
    let mut beside: HashMap<(&Path, usize), usize> = HashMap::new();
    for (path, words) in paths.iter().zip(words) {
        for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
            *sizes.entry(folder).or_default() += 1;
            words.iter().for_each(|word| *shares.entry((folder, *word)).or_default() += 1);
        }
        let folder = path.parent().unwrap_or(path);
        words.iter().for_each(|word| *beside.entry((folder, *word)).or_default() += 1);
    }
    let mut kinds: Vec<Kind> = known.iter().map(|word| word.kind).collect();
    for ((_, word), n) in beside {
        if kinds[word] == Kind::Common && n as f32 >= KIT * known[word].rows as f32 {
            kinds[word] = Kind::Own;
        }
    }
    let mut made: HashMap<usize, (usize, HashSet<usize>)> = HashMap::new();
    for (words, first) in words.iter().zip(first) {
        for word in words.iter().filter(|word| kinds[**word] == Kind::Own) {
            let (leads, before) = made.entry(*word).or_default();
            *leads += usize::from(*first == Some(*word));
            before.extend(words.iter().filter(|other| kinds[**other] == Kind::Field));
        }
    }
    for (word, (leads, before)) in made {
        if before.len() >= MADE && 2 * leads >= known[word].rows {
            kinds[word] = Kind::Kit;
        }
    }
    for ((folder, word), n) in shares {
        // What nearly all files have is no name of a part of them.
        let own = n as f32 >= KIT * sizes[folder] as f32 && n as f32 >= KIT * known[word].rows as f32;
        if own && (sizes[folder] as f32) < KIT * paths.len() as f32 && kinds[word] != Kind::Field {
            kinds[word] = Kind::Kit;
        }
    }
    kinds
}

/// The first word of a file's own name, as it is shown.
fn first_of(path: &Path, field: &[&str]) -> Option<String> {
    words_in(&path.file_stem()?.to_string_lossy(), field).into_iter().next()
}

/// The different words in the names of a file and its folders, as they are shown.
fn words_of(path: &Path, field: &[&str]) -> Vec<String> {
    let folders = path.parent().into_iter().flat_map(Path::components);
    let folders = folders.filter_map(|part| if let Component::Normal(name) = part { Some(name) } else { None });
    let names = folders.chain(path.file_stem());
    let mut words: Vec<String> = names.flat_map(|name| words_in(&name.to_string_lossy(), field)).collect();
    words.sort();
    words.dedup();
    words
}

/// The words of one name in their order, as they are shown.
fn words_in(name: &str, field: &[&str]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut tokens = tokens(name, field).into_iter().peekable();
    while let Some(token) = tokens.next() {
        let pair = PAIRS.iter().find(|(a, b, _)| *a == token && tokens.peek().is_some_and(|next| next == b));
        if let Some((_, _, one)) = pair {
            tokens.next();
            words.push((*one).to_owned());
        } else {
            words.push(token);
        }
    }
    words.iter_mut().for_each(|word| {
        if let Some((_, full)) = ALIASES.iter().find(|(short, _)| short == word) {
            *word = (*full).to_owned();
        }
    });
    words.retain(|word| word.len() >= SHORTEST && !STOP.split_whitespace().any(|stop| stop == word));
    words
}

/// What a word that looks like a plural would be the plural of.
fn singular(word: &str) -> Option<&str> {
    let one = word.strip_suffix('s').filter(|one| one.len() >= SHORTEST)?;
    (!["s", "u", "i"].iter().any(|end| one.ends_with(end))).then_some(one)
}

/// A name's words in lower case: split at signs, digits and case, those of the field in the singular, and behind one of those.
fn tokens(name: &str, field: &[&str]) -> Vec<String> {
    let mut tokens: Vec<String> = vec![String::new()];
    let mut letters = name.chars().peekable();
    let mut last = ' ';
    while let Some(letter) = letters.next() {
        // `LowTom`, and `HHOpen` before the O.
        let hump = letter.is_uppercase()
            && (last.is_lowercase() || last.is_uppercase() && letters.peek().is_some_and(|next| next.is_lowercase()));
        if hump || !letter.is_alphabetic() {
            tokens.push(String::new());
        }
        if let Some(token) = tokens.last_mut().filter(|_| letter.is_alphabetic()) {
            token.extend(letter.to_lowercase());
        }
        last = letter;
    }
    tokens.retain(|token| !token.is_empty());
    let known = |one: &&str| field.contains(one) || STOP.split_whitespace().any(|stop| stop == *one);
    let singular = |token: String| singular(&token).filter(known).map(str::to_owned).unwrap_or(token);
    // `bassslap` and `technosynth`.
    let divided = tokens.into_iter().map(singular).flat_map(|token| {
        let fits = |known: &&&str| {
            known.len() > 3 && token.len() >= known.len() + SHORTEST && !field.contains(&token.as_str())
        };
        let starts =
            field.iter().filter(fits).filter(|known| token.starts_with(**known)).max_by_key(|known| known.len());
        let ends = field.iter().filter(fits).filter(|known| token.ends_with(**known)).max_by_key(|known| known.len());
        let cut = starts.map(|known| known.len()).or(ends.map(|known| token.len() - known.len()));
        match cut.and_then(|cut| token.split_at_checked(cut)) {
            Some((first, second)) => vec![first.to_owned(), second.to_owned()],
            None => vec![token],
        }
    });
    divided.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(path: &str) -> Vec<String> {
        words_of(Path::new(path), &FIELD.split_whitespace().collect::<Vec<_>>())
    }

    fn names(paths: &[String], descriptors: &[[f32; COUNT]], of: &[usize], k: usize) -> Vec<String> {
        let paths: Vec<&Path> = paths.iter().map(Path::new).collect();
        Sounds::read(&paths, descriptors).names(of, k)
    }

    #[test]
    fn names_are_split_at_case_and_signs_and_abbreviations_are_written_out() {
        assert_eq!(words("Drum Hits/HHOpen_LowTom-03ab.wav"), ["drum", "hi-hat", "hit", "open", "tom"]);
        assert_eq!(words("1/ä.wav"), Vec::<String>::new());
        assert_eq!(words("Größe/Übung.wav"), ["größe", "übung"]);
        assert_eq!(words("x/bassdrum_acoustic01.ogg"), ["acoustic", "kick"]);
        assert_eq!(words("x/Bass Drum 1.ogg"), ["kick"]);
        assert_eq!(words("x/bassslap02.ogg"), ["bass", "slap"]);
        assert_eq!(words("x/technosynth2.wav"), ["synth", "techno"]);
        assert_eq!(words("x/handclap 2.wav"), ["clap"]);
        assert_eq!(words("x/space_strings03.ogg"), ["space", "strings"]);
        assert_eq!(words("x/鼓 2.ogg"), ["鼓"]);
        assert_eq!(words("usr/share/desc/sounds/sample 12.wav"), Vec::<String>::new());
    }

    #[test]
    fn every_word_of_the_field_is_written_as_the_splitting_leaves_it() {
        let field: Vec<&str> = FIELD.split_whitespace().collect();
        let plain = field.iter().filter(|word| word.chars().all(char::is_alphabetic));
        for word in plain.filter(|word| word.len() >= SHORTEST) {
            assert_eq!(words(&format!("x/{word}.wav")), [*word]);
        }
        assert!(ALIASES.iter().all(|(_, full)| field.contains(full) || *full == "open"));
    }

    #[test]
    fn a_group_is_named_by_what_is_frequent_in_it_and_rare_elsewhere() {
        let paths: Vec<String> = (0..60)
            .map(|i| match i % 3 {
                0 => format!("pack/acme kick {i}.wav"),
                1 => format!("pack/acme breathy_vocalChop {i}.wav"),
                _ => format!("pack/acme {i}.wav"),
            })
            .collect();
        let of: Vec<usize> = (0..60).map(|i| i % 3).collect();
        assert_eq!(names(&paths, &[], &of, 4), ["kick", "vocal, breathy", "various", ""]);
    }

    #[test]
    fn the_name_of_a_kit_names_no_group_but_a_word_of_the_field_may_name_a_folder() {
        let kits = ["Venus", "Mercury Machine", "Kicks"];
        let paths: Vec<String> = (0..90).map(|i| format!("{}/{} {i}.wav", kits[i / 30], i % 30)).collect();
        // The first kit is a group of its own.
        let of: Vec<usize> = (0..90).map(|i| i / 30).collect();
        assert_eq!(names(&paths, &[], &of, 3), ["various", "various", "kick"]);
    }

    #[test]
    fn groups_without_words_are_named_by_their_sound_and_those_of_one_name_are_told_apart() {
        let paths: Vec<String> =
            (0..80).map(|i| if i < 40 { format!("{i}.wav") } else { format!("kick {i}.wav") }).collect();
        let descriptors: Vec<[f32; COUNT]> = (0..80)
            .map(|i| {
                let mut values = [0.0; COUNT];
                let [length, brightness] = [[-1.0, 1.5], [2.0, -1.0], [0.1, 0.5], [0.1, -1.0]][i / 20];
                (values[35], values[0]) = (length, brightness);
                values
            })
            .collect();
        let of: Vec<usize> = (0..80).map(|i| i / 20).collect();
        assert_eq!(names(&paths, &descriptors, &of, 4), ["short bright", "long dark", "bright kick", "dark kick"]);
    }

    #[test]
    fn the_name_of_a_maker_before_many_sounds_of_one_folder_names_no_group() {
        let made = ["acme_phone", "acme_robot", "acme_kick", "acme_snare", "kick", "snare"];
        let paths: Vec<String> = (0..60).map(|i| format!("samples/{}{i}.wav", made[i / 10])).collect();
        let of: Vec<usize> = (0..60).map(|i| if i < 20 { 0 } else { 1 + i / 10 % 2 }).collect();
        let names = names(&paths, &[], &of, 3);
        assert!(names.iter().all(|name| !name.contains("acme")), "{names:?}");
        assert_eq!(names[1..], ["kick", "snare"]);
        // A word that describes stands behind what it describes.
        let described = ["kick_acoustic", "snare_acoustic", "tom_acoustic", "kick", "snare", "tom", "clap", "ride"];
        let paths: Vec<String> = (0..80).map(|i| format!("samples/{}{i}.wav", described[i / 10])).collect();
        let of: Vec<usize> = (0..80).map(|i| i / 10).collect();
        assert_eq!(self::names(&paths, &[], &of, 8)[..2], ["kick, acoustic", "snare, acoustic"]);
    }

    #[test]
    fn a_plural_without_its_singular_stays_one() {
        let paths: Vec<String> =
            (0..40).map(|i| format!("{}/x.wav", ["a/clothes", "b/clothes", "mammals", "mammal"][i / 10])).collect();
        let of: Vec<usize> = (0..40).map(|i| i / 20).collect();
        let names = names(&paths, &[], &of, 2);
        assert_eq!(names, ["clothes", "mammal"]);
    }

    #[test]
    fn groups_that_sound_alike_and_are_called_alike_are_told_apart_by_their_next_best_word() {
        // Half of the tabla is one stroke, and half of each pair of tones is the other way round.
        let paths: Vec<String> = (0..80)
            .map(|i| match i / 20 {
                0 => format!("a/tabla {} {i}.wav", if i % 2 == 0 { "ghe" } else { "x" }),
                1 => format!("b/tabla {} {i}.wav", if i % 2 == 0 { "na" } else { "tun" }),
                2 => format!("a/{} {i}.wav", if i % 20 < 11 { "sine" } else { "saw" }),
                _ => format!("b/{} {i}.wav", if i % 20 < 11 { "saw" } else { "sine" }),
            })
            .collect();
        let of: Vec<usize> = (0..80).map(|i| i / 20).collect();
        let names = names(&paths, &[], &of, 4);
        assert_eq!(names[..2], ["tabla, ghe", "tabla, tun"], "{names:?}");
        // The same words in another order are the same name, unless there is nothing else to say.
        let descriptors: Vec<[f32; COUNT]> = (0..80).map(|i| [if i < 60 { 1.0 } else { -1.0 }; COUNT]).collect();
        let names = self::names(&paths, &descriptors, &of, 4);
        assert!(
            names[2].ends_with("sine, saw") && names[3].ends_with("saw, sine") && names[2] != "sine, saw",
            "{names:?}"
        );
    }

    #[test]
    fn no_name_says_a_number() {
        let paths: Vec<String> = (0..40).map(|i| format!("usr/share/{i}/sound {i}.wav")).collect();
        let of: Vec<usize> = (0..40).map(|i| i % 5).collect();
        let names = names(&paths, &vec![[f32::NAN; COUNT]; 40], &of, 5);
        assert!(names.iter().flat_map(|name| name.chars()).all(|letter| !letter.is_ascii_digit()), "{names:?}");
    }
}
