//! The model contract, schema 2: a JSON file beside each ONNX file says what the network wants to hear and what it
//! gives. Everything the front end does is driven by it; no code knows a model by name. Schema 1, which knew neither
//! side outputs nor heads that are made of groups, can still be read.

use std::collections::HashSet;
use std::path::Path;

use dsp::resample::Filter;
use dsp::{Hz, Seconds, descriptors};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::ModelError;

/// The schemas that can be read.
const SCHEMAS: [u32; 2] = [1, 2];
/// What a head's group is [`of`](Group::of), if not of one of the network's outputs.
pub const DESCRIPTORS: &str = "descriptors";
/// Most numbers of an output.
const WIDEST: usize = 8192;
/// Most side outputs.
const MOST_SIDES: usize = 16;
/// How far the shares of a head may be from 1 together.
const ROUNDING: f32 = 1e-3;
/// Longest sound that a model can ask for, in seconds.
const LONGEST: f64 = 60.0;
/// Most rows of statistics, and most frames of a window.
const MOST_ROWS: usize = 1 << 16;

/// One model's sidecar.
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    /// Version of this format.
    pub schema: u32,
    /// Short name used on the command line.
    pub id: String,
    /// Name for people.
    pub title: String,
    /// The ONNX file, beside the sidecar.
    pub file: String,
    /// Expected SHA-256 of the ONNX file, in hexadecimal.
    pub sha256: Option<String>,
    /// Terms of the weights.
    pub license: License,
    /// The network's input tensor.
    pub input: Input,
    /// What is done to the waveform.
    pub audio: Audio,
    /// Short-time Fourier transform; spectrogram models only.
    pub stft: Option<Stft>,
    /// Mel filter bank; spectrogram models only.
    pub mel: Option<Mel>,
    /// Compression of the bands; spectrogram models only.
    pub log: Option<Log>,
    /// Final scaling; spectrogram models only.
    pub norm: Option<Norm>,
    /// How a sound is cut into what the network sees at once.
    pub window: Window,
    /// The network's output and what becomes of it.
    pub output: Output,
    /// Further outputs, which only a head needs; since schema 2.
    #[serde(default)]
    pub side_outputs: Vec<SideOutput>,
    /// A learned stage after pooling, see [`head`](super::head).
    pub head: Option<HeadStage>,
}

/// Terms of a model's weights.
#[derive(Clone, Debug, Deserialize)]
pub struct License {
    /// SPDX expression.
    pub spdx: String,
    /// Who is to be credited.
    pub attribution: String,
    /// Where it comes from.
    pub url: Option<String>,
}

/// The input tensor.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// Spectrogram or waveform.
    pub kind: InputKind,
    /// Tensor name.
    pub name: String,
    /// Order of its axes.
    pub layout: Layout,
}

/// What a network hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// Log-mel spectrogram.
    LogMel,
    /// Samples.
    Waveform,
}

/// Axes of the input: N batch, C channel (one), T frames, F bands, S samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Layout {
    /// `[1, frames, bands]`
    #[serde(rename = "NTF")]
    Ntf,
    /// `[1, 1, frames, bands]`
    #[serde(rename = "NCTF")]
    Nctf,
    /// `[1, samples]`
    #[serde(rename = "NS")]
    Ns,
}

/// Treatment of the waveform.
#[derive(Clone, Debug, Deserialize)]
pub struct Audio {
    /// Its sample rate.
    pub sample_rate: Hz,
    /// Only `mean` is known.
    pub channels: Downmix,
    /// Divide by the largest absolute sample.
    pub peak_normalize: bool,
    /// Clip to plus and minus this, before normalising.
    pub clip: Option<f32>,
    /// Analysed length.
    pub max_seconds: Seconds,
    /// Resampling filter.
    pub resampler: Filter,
}

/// How channels become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Downmix {
    /// Arithmetic mean.
    Mean,
}

/// Short-time Fourier transform.
#[derive(Clone, Debug, Deserialize)]
pub struct Stft {
    /// Transform length in samples.
    pub n_fft: usize,
    /// Window length in samples.
    pub win_length: usize,
    /// Step in samples.
    pub hop: usize,
    /// Window shape.
    pub window: WindowShape,
    /// Where frames lie.
    pub framing: Framing,
    /// Power or magnitude.
    pub spectrum: SpectrumKind,
}

/// Window shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowShape {
    /// Hann over `n - 1`.
    HannSymmetric,
    /// Hann over `n`.
    HannPeriodic,
}

/// Where frames lie over a sound of N samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// Frame i starts at `i * hop - win_length / 2`, zeros outside, every start below N (Essentia).
    CenteredZeroUntilEnd,
    /// Mirrored by `n_fft / 2` at both ends (librosa, torch).
    CenteredReflect,
    /// Zeros for `n_fft / 2` at both ends.
    CenteredZero,
    /// First frame at 0, whole frames only.
    None,
}

/// Which spectrum goes into the mel bands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpectrumKind {
    /// Squared magnitude.
    Power,
    /// Magnitude.
    Magnitude,
}

/// Mel filter bank.
#[derive(Clone, Debug, Deserialize)]
pub struct Mel {
    /// Number of bands.
    pub bands: usize,
    /// Lower end in Hz.
    pub fmin: f64,
    /// Upper end in Hz.
    pub fmax: f64,
    /// Formula of the scale.
    pub scale: MelScale,
    /// Axis on which the filters are triangles.
    pub triangles: Triangles,
    /// Scaling of each filter.
    pub norm: MelNorm,
    /// Leave out the DC bin.
    #[serde(default)]
    pub zero_dc: bool,
}

/// Mel formulas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MelScale {
    /// `2595 log10(1 + f / 700)`.
    Htk,
    /// Linear below 1 kHz, logarithmic above (Slaney's Auditory Toolbox).
    Slaney,
}

/// Axis of the triangles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Triangles {
    /// Straight in mel.
    Mel,
    /// Straight in Hz.
    Hz,
}

/// Scaling of a mel filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MelNorm {
    /// Weights sum to one.
    UnitSum,
    /// `2 / (f2 - f0)`.
    Slaney,
    /// As they are.
    None,
}

/// `mult * log_base(max(scale * x + offset, floor))`.
#[derive(Clone, Debug, Deserialize)]
pub struct Log {
    /// Factor inside the logarithm.
    pub scale: f64,
    /// Term inside the logarithm.
    pub offset: f64,
    /// Least value inside the logarithm.
    pub floor: Option<f64>,
    /// Base.
    pub base: Base,
    /// Factor outside.
    pub mult: f64,
}

/// Base of a logarithm: 10 or `"e"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "serde_json::Value")]
pub enum Base {
    /// 10.
    Ten,
    /// Euler's number.
    E,
}

impl TryFrom<serde_json::Value> for Base {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        match (value.as_f64(), value.as_str()) {
            (Some(10.0), _) => Ok(Base::Ten),
            (_, Some("e")) => Ok(Base::E),
            _ => Err(format!("logarithm base must be 10 or \"e\", not {value}")),
        }
    }
}

/// `(y - mean) / std`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Norm {
    /// Subtracted.
    pub mean: f64,
    /// Divided by.
    pub std: f64,
}

/// How a sound is cut. Spectrogram models cut frames; those that name `samples` too cut the waveform first.
#[derive(Clone, Debug, Deserialize)]
pub struct Window {
    /// Length in frames.
    #[serde(default)]
    pub frames: usize,
    /// Step in frames.
    #[serde(default)]
    pub hop_frames: usize,
    /// Fewest frames the network may see.
    #[serde(default)]
    pub min_frames: usize,
    /// Length in samples.
    pub samples: Option<usize>,
    /// Step in samples.
    pub hop_samples: Option<usize>,
    /// Fewest samples the network may see.
    #[serde(default)]
    pub min_samples: usize,
    /// What is done with a sound shorter than one window.
    pub short: Short,
    /// With `repeat_frames`: the network itself repeats an input of fewer than `frames` rows, and computes rows that
    /// are equal once, so that it is given those rows alone. It gives the same vector, bit by bit, either way.
    #[serde(default)]
    pub network_repeats: bool,
    /// What is done with a rest shorter than one window.
    pub tail: Tail,
    /// Value of padding frames, after normalisation.
    #[serde(default)]
    pub pad_value: f32,
}

/// A sound shorter than one window is …
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Short {
    /// … repeated frame by frame to exactly one window.
    RepeatFrames,
    /// … repeated whole as often as it fits, then followed by zeros (CLAP's `repeatpad`).
    RepeatAudioFloor,
    /// … seen as it is, padded only to the network's least length.
    Native,
    /// … followed by the padding value.
    PadValue,
}

/// A rest shorter than one window is …
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tail {
    /// … left out.
    Drop,
    /// … covered by a window that ends with the sound.
    AlignEnd,
}

/// The network's output.
#[derive(Clone, Debug, Deserialize)]
pub struct Output {
    /// Tensor name.
    pub name: String,
    /// Length of a vector.
    pub dim: usize,
    /// How windows become one vector.
    pub pool: Pool,
    /// Whether the pooled vector is scaled to unit length.
    pub l2: bool,
    /// Only `cosine` is known.
    pub metric: Metric,
    /// Shipped statistics of real sounds.
    pub post: Option<Post>,
}

/// Elementwise over windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// Mean.
    Mean,
    /// Largest.
    Max,
    /// First window only.
    First,
}

/// How vectors are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Cosine of the angle, after centring.
    Cosine,
}

/// A file of little-endian f32 rows as long as a vector.
#[derive(Clone, Debug, Deserialize)]
pub struct Post {
    /// File name, beside the sidecar.
    pub file: String,
    /// Number of rows.
    pub rows: usize,
    /// Row of the mean that is subtracted before comparing.
    pub centre_row: usize,
    /// First and last row of a PCA basis, best first.
    pub pca_rows: [usize; 2],
}

/// A further output of the network, pooled over a sound's windows and not scaled.
#[derive(Clone, Debug, Deserialize)]
pub struct SideOutput {
    /// Tensor name.
    pub name: String,
    /// Length of a vector.
    pub dim: usize,
    /// How windows become one vector.
    pub pool: Pool,
}

/// A learned stage after pooling; [`head`](super::head) says what it computes and how its file is laid out.
#[derive(Clone, Debug, Deserialize)]
pub struct HeadStage {
    /// File name, beside the sidecar.
    pub file: String,
    /// Expected SHA-256 of the file, in hexadecimal.
    pub sha256: Option<String>,
    /// Terms of the file.
    pub license: License,
    /// What it takes, in this order.
    pub groups: Vec<Group>,
    /// The raw part: some of the groups, of the output first, with shares of their own.
    pub raw: Vec<Share>,
    /// Length of what it gives.
    pub dim: usize,
    /// Number of main directions in the file.
    pub basis: usize,
    /// Weight of the head unless the user says otherwise, 0..=1.
    pub weight: f32,
}

/// Numbers that a head takes from one place.
#[derive(Clone, Debug, Deserialize)]
pub struct Group {
    /// The name of an output, or [`DESCRIPTORS`].
    pub of: String,
    /// How many.
    pub dim: usize,
    /// How they are scaled before they count.
    #[serde(flatten)]
    pub scale: Scale,
    /// Share in what the head takes, above 0; all together are 1.
    pub share: f32,
}

/// How a group is scaled, by numbers in the head's file.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(tag = "scale", rename_all = "snake_case")]
pub enum Scale {
    /// Unit length, less the mean, and unit length again.
    Centre,
    /// Less the mean and over the standard deviation, limited to plus and minus `limit`, and unit length.
    Standard {
        /// In standard deviations.
        limit: f32,
    },
}

/// A group in the raw part.
#[derive(Clone, Debug, Deserialize)]
pub struct Share {
    /// The group.
    pub of: String,
    /// Its share, above 0; all together are 1.
    pub share: f32,
}

impl Manifest {
    /// Lengths of the side outputs.
    pub fn side_dims(&self) -> Vec<usize> {
        self.side_outputs.iter().map(|side| side.dim).collect()
    }

    /// Length of what is called so.
    fn dim_of(&self, name: &str) -> Option<usize> {
        let side = || self.side_outputs.iter().find(|side| side.name == name).map(|side| side.dim);
        match name {
            DESCRIPTORS => Some(descriptors::COUNT),
            _ if name == self.output.name => Some(self.output.dim),
            _ => side(),
        }
    }
}

/// Reads a sidecar.
///
/// # Errors
/// It is not JSON, lacks something or contradicts itself.
pub fn parse(text: &str, path: &Path) -> Result<Manifest, ModelError> {
    let unusable = |why: String| ModelError::Manifest { why, path: path.to_owned() };
    let version: Version = serde_json::from_str(text).map_err(|e| unusable(e.to_string()))?;
    check_version(&version).map_err(|why| unusable(why.to_owned()))?;
    let manifest: Manifest = serde_json::from_str(text).map_err(|e| unusable(e.to_string()))?;
    check(&manifest).map_err(|why| unusable(why.to_owned()))?;
    Ok(manifest)
}

/// What tells the schemas apart.
#[derive(Deserialize)]
struct Version {
    schema: u32,
    head: Option<IgnoredAny>,
    side_outputs: Option<IgnoredAny>,
}

fn require(ok: bool, why: &'static str) -> Result<(), &'static str> {
    if ok { Ok(()) } else { Err(why) }
}

fn check_version(version: &Version) -> Result<(), &'static str> {
    require(SCHEMAS.contains(&version.schema), "schema is neither 1 nor 2")?;
    require(version.schema > 1 || version.side_outputs.is_none(), "side_outputs need schema 2; set it")?;
    require(version.schema > 1 || version.head.is_none(), "a head needs groups and schema 2; state them or remove head")
}

/// Checks what the types cannot say, so that nothing needs to be checked again.
fn check(m: &Manifest) -> Result<(), &'static str> {
    require((1000..=384_000).contains(&m.audio.sample_rate.0), "sample_rate is out of range")?;
    require(
        m.audio.max_seconds.0 > 0.0 && m.audio.max_seconds.0 <= LONGEST,
        "max_seconds must be above 0, at most 60",
    )?;
    require(m.audio.clip.is_none_or(|clip| clip > 0.0), "clip must be above 0")?;
    if let Filter::KaiserSinc { half_width, cutoff, .. } = m.audio.resampler {
        require((1.0..=1024.0).contains(&half_width), "resampler.half_width must be in 1..=1024")?;
        require(cutoff > 0.0 && cutoff <= 1.0, "resampler.cutoff must be above 0, at most 1")?;
    }
    require((1..=WIDEST).contains(&m.output.dim), "dim is out of range")?;
    require(m.side_outputs.len() <= MOST_SIDES, "there are too many side_outputs")?;
    let mut names = HashSet::from([DESCRIPTORS, m.output.name.as_str()]);
    for side in &m.side_outputs {
        require((1..=WIDEST).contains(&side.dim), "side_outputs.dim is out of range")?;
        require(names.insert(&side.name), "side_outputs.name is taken")?;
    }
    require(m.output.post.as_ref().is_none_or(|post| post.rows <= MOST_ROWS), "post.rows is out of range")?;
    require(m.window.samples != Some(0) && m.window.hop_samples != Some(0), "samples and hop_samples must not be 0")?;
    let is_short = |samples: usize| samples as f64 <= LONGEST * f64::from(m.audio.sample_rate);
    require(m.window.samples.is_none_or(is_short) && is_short(m.window.min_samples), "a window is longer than 60 s")?;
    if let Some(head) = &m.head {
        check_head(head, m)?;
    }
    match m.input.kind {
        InputKind::Waveform => {
            require(m.input.layout == Layout::Ns, "a waveform has layout NS")?;
            require(m.window.samples.is_some(), "a waveform model needs window.samples")
        }
        InputKind::LogMel => {
            require(m.input.layout != Layout::Ns, "a spectrogram has layout NTF or NCTF")?;
            let (Some(stft), Some(mel)) = (&m.stft, &m.mel) else {
                return Err("a log_mel model needs stft, mel, log and norm");
            };
            require(m.log.is_some() && m.norm.is_some(), "a log_mel model needs stft, mel, log and norm")?;
            require(stft.hop > 0 && stft.win_length > 0, "hop and win_length must not be 0")?;
            require(stft.win_length <= stft.n_fft && stft.n_fft <= 1 << 16, "n_fft must be at least win_length")?;
            require((1..=1024).contains(&mel.bands) && mel.fmin < mel.fmax, "mel bands are out of range")?;
            require(m.norm.is_some_and(|n| n.std != 0.0), "norm.std must not be 0")?;
            require(m.window.frames > 0 && m.window.hop_frames > 0, "window.frames and hop_frames must not be 0")?;
            require(m.window.frames <= MOST_ROWS, "window.frames is out of range")?;
            require(m.window.min_frames <= m.window.frames, "min_frames exceeds frames")?;
            let repeated = m.window.short == Short::RepeatFrames && m.window.samples.is_none();
            require(repeated || !m.window.network_repeats, "network_repeats needs short = repeat_frames")
        }
    }
}

fn check_head(head: &HeadStage, m: &Manifest) -> Result<(), &'static str> {
    let sums_to_one = |shares: &mut dyn Iterator<Item = f32>| {
        let (mut sum, mut positive) = (0.0, true);
        shares.for_each(|share| (sum, positive) = (sum + share, positive && share > 0.0));
        positive && (sum - 1.0_f32).abs() <= ROUNDING
    };
    require(m.output.name != DESCRIPTORS, "output.name is taken by the descriptors")?;
    let mut names = HashSet::new();
    for group in &head.groups {
        require(names.insert(group.of.as_str()), "head.groups names something twice")?;
        require(m.dim_of(&group.of).is_some(), "head.groups.of names no output; name one or descriptors")?;
        require(m.dim_of(&group.of) == Some(group.dim), "head.groups.dim is not that of what it is of")?;
        let limited = matches!(group.scale, Scale::Standard { limit } if limit > 0.0 && limit.is_finite());
        require(limited || group.scale == Scale::Centre, "head.groups.limit must be positive")?;
        // A window, which has no descriptors, is compared by this group alone.
        require(group.of != m.output.name || group.scale == Scale::Centre, "the output's scale must be centre")?;
    }
    require(sums_to_one(&mut head.groups.iter().map(|g| g.share)), "head.groups.share must be positive and sum to 1")?;
    require(head.raw.first().is_some_and(|share| share.of == m.output.name), "head.raw must begin with the output")?;
    for share in &head.raw {
        // Each is taken once.
        require(names.remove(share.of.as_str()), "head.raw must name groups, each once")?;
        let kept = share.of == m.output.name || share.of == DESCRIPTORS;
        require(kept, "head.raw must not name side outputs, which are not kept for comparing")?;
    }
    require(
        sums_to_one(&mut head.raw.iter().map(|share| share.share)),
        "head.raw.share must be positive and sum to 1",
    )?;
    require((1..=4096).contains(&head.dim) && head.basis <= 4096, "head is out of range")?;
    require((0.0..=1.0).contains(&head.weight), "head.weight must be in 0..=1")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::frontend::FrontEnd;

    #[test]
    fn a_manifest_that_makes_no_sense_says_why() {
        let text = include_str!("../../models/aisfx-int8.json");
        for (pointer, bad, why) in [
            ("/stft/hop", 0.into(), "hop"),
            ("/schema", 7.into(), "schema"),
            ("/log/base", "two".into(), "base"),
            ("/window/short", "stretch".into(), "stretch"),
            ("/window/short", "native".into(), "network_repeats"),
            ("/head/groups/0/dim", 100.into(), "head.groups.dim"),
            ("/head/groups/0/of", "nothing".into(), "head.groups.of"),
            ("/head/groups/0/of", DESCRIPTORS.into(), "head.groups.dim"),
            ("/head/groups/1/of", "embedding".into(), "twice"),
            ("/head/groups/0/share", 0.9.into(), "head.groups.share"),
            ("/head/groups/0/share", (-1.0).into(), "head.groups.share"),
            ("/head/groups/1/limit", 0.into(), "head.groups.limit"),
            ("/head/groups/0/scale", "log".into(), "log"),
            ("/head/raw/0/of", DESCRIPTORS.into(), "head.raw"),
            ("/head/raw/1/of", "embedding".into(), "head.raw"),
            ("/head/raw/1/share", 0.5.into(), "head.raw.share"),
            ("/head/dim", 0.into(), "head"),
            ("/head/weight", 1.5.into(), "head.weight"),
            ("/output/post/rows", 1_000_000_000_000_000_000_u64.into(), "post.rows"),
            ("/window/frames", 1_000_000_000_000_000_000_u64.into(), "window.frames"),
            ("/window/min_samples", 1_000_000_000_000_000_000_u64.into(), "60 s"),
            ("/audio/clip", (-1.0).into(), "clip"),
            ("/audio/resampler/half_width", 1e9.into(), "half_width"),
            ("/audio/resampler/cutoff", 0.into(), "cutoff"),
        ] {
            let mut value: Value = serde_json::from_str(text).unwrap();
            match value.pointer_mut(pointer) {
                Some(place) => *place = bad,
                None => value["window"]["min_samples"] = bad,
            }
            let error = parse(&value.to_string(), Path::new("m.json")).unwrap_err().to_string();
            assert!(error.contains(why) && error.ends_with("m.json"), "{error}");
        }
    }

    #[test]
    fn side_outputs_have_names_of_their_own_and_are_no_part_of_what_is_compared() {
        let whole: Value = serde_json::from_str(include_str!("../../models/aisfx-int8.json")).unwrap();
        let with = |sides: Value, change: &dyn Fn(&mut Value)| {
            let mut value = whole.clone();
            value["side_outputs"] = sides;
            change(&mut value);
            parse(&value.to_string(), Path::new("m.json")).map_err(|error| error.to_string())
        };
        let side = |name: &str, dim: usize| json!({"name": name, "dim": dim, "pool": "max"});
        let group = json!({"of": "far", "dim": 7, "scale": "centre", "share": 0.5});
        let take_in = |value: &mut Value| {
            value["head"]["groups"] = json!([value["head"]["groups"][0], group]);
            value["head"]["groups"][0]["share"] = 0.5.into();
            value["head"]["raw"] = json!([{"of": "embedding", "share": 1.0}]);
        };
        let manifest = with(json!([side("far", 7)]), &take_in).unwrap();
        assert_eq!(manifest.side_dims(), [7]);
        for (sides, why) in [
            (json!([side("far", 0)]), "side_outputs.dim"),
            (json!([side("far", 7), side("far", 7)]), "taken"),
            (json!([side("embedding", 7)]), "taken"),
            (json!([side(DESCRIPTORS, 7)]), "taken"),
            (json!(vec![side("far", 7); 17]), "too many"),
            (json!([side("near", 7)]), "head.groups.of"),
            (json!([side("far", 8)]), "head.groups.dim"),
        ] {
            let error = with(sides, &take_in).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let compared = |value: &mut Value| {
            take_in(value);
            value["head"]["raw"] = json!([{"of": "embedding", "share": 0.5}, {"of": "far", "share": 0.5}]);
        };
        assert!(with(json!([side("far", 7)]), &compared).unwrap_err().contains("side outputs"));
    }

    #[test]
    fn schema_1_is_read_as_long_as_it_has_no_head() {
        let mut value: Value = serde_json::from_str(include_str!("../../models/aisfx-int8.json")).unwrap();
        value["schema"] = 1.into();
        value["side_outputs"] = Value::Null;
        let refused = parse(&value.to_string(), Path::new("m.json")).unwrap_err().to_string();
        assert!(refused.contains("a head needs groups and schema 2; state them or remove head"), "{refused}");
        value["head"] = Value::Null;
        value.as_object_mut().unwrap().remove("side_outputs");
        assert_eq!(parse(&value.to_string(), Path::new("m.json")).unwrap().schema, 1);
        value["side_outputs"] = json!([]);
        assert!(parse(&value.to_string(), Path::new("m.json")).unwrap_err().to_string().contains("schema 2"));
    }

    /// Every value of a document that holds no others.
    fn leaves(value: &mut Value) -> Vec<&mut Value> {
        match value {
            Value::Array(values) => values.iter_mut().flat_map(leaves).collect(),
            Value::Object(values) => values.values_mut().flat_map(leaves).collect(),
            leaf => vec![leaf],
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-2_i64..5000).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            (-1.5_f64..2.0).prop_map(Value::from),
            prop::sample::select(vec!["mean", "max", "native", "pad_value", "centered_reflect", "none", "magnitude"])
                .prop_map(Value::from),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn whatever_one_value_is_the_manifest_is_refused_or_works(
            place in any::<prop::sample::Index>(),
            new in any_value(),
            samples in 1_usize..3000,
        ) {
            let mut value: Value = serde_json::from_str(include_str!("../../models/aisfx-int8.json")).unwrap();
            let mut all = leaves(&mut value);
            let at = place.index(all.len());
            *all[at] = new;
            if let Ok(manifest) = parse(&value.to_string(), Path::new("m.json")) {
                let mut sound: Vec<f32> = (0..samples).map(|n| (n as f32 * 0.05).sin()).collect();
                prop_assert!(!FrontEnd::new(&manifest).prepare(&mut sound).is_empty());
            }
        }

        #[test]
        fn whatever_the_text_is_there_is_an_answer(text in ".{0,200}", cut in any::<prop::sample::Index>()) {
            let _ = parse(&text, Path::new("m.json"));
            let whole = include_str!("../../models/aisfx-int8.json").trim_end();
            let end = (0..=cut.index(whole.len())).rev().find(|end| whole.is_char_boundary(*end)).unwrap_or(0);
            prop_assert!(parse(&whole[..end], Path::new("m.json")).is_err());
        }
    }
}
