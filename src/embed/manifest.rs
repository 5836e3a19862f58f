//! The model contract, schema 1: a JSON file beside each ONNX file says what the network wants to hear and what it
//! gives. Everything the front end does is driven by it; no code knows a model by name.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::head::Head;
use crate::decode::descriptors;
use crate::decode::resample::Filter;

/// The only schema there is so far.
const SCHEMA: u32 = 1;

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
    /// Rate in Hz.
    pub sample_rate: u32,
    /// Only `mean` is known.
    pub channels: Downmix,
    /// Divide by the largest absolute sample.
    pub peak_normalize: bool,
    /// Clip to plus and minus this, before normalising.
    pub clip: Option<f32>,
    /// Analysed length in seconds.
    pub max_seconds: f64,
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

/// A learned stage after pooling; [`head`](super::head) says what it computes and how its file is laid out.
#[derive(Clone, Debug, Deserialize)]
pub struct HeadStage {
    /// File name, beside the sidecar.
    pub file: String,
    /// Expected SHA-256 of the file, in hexadecimal.
    pub sha256: Option<String>,
    /// Terms of the file.
    pub license: License,
    /// What it takes.
    pub inputs: HeadInputs,
    /// What it gives.
    pub outputs: HeadOutputs,
    /// Share of the descriptors in the raw part, 0..1.
    pub descriptor_share: f32,
    /// Standardised descriptors are limited to plus and minus this.
    pub descriptor_limit: f32,
    /// Number of main directions in the file.
    pub basis: usize,
    /// Weight of the head unless the user says otherwise, 0..=1.
    pub weight: f32,
}

/// Lengths of what a [`HeadStage`] takes.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct HeadInputs {
    /// The pooled vector.
    pub pooled: usize,
    /// The descriptors, all of [`ABOUT`](crate::decode::descriptors::ABOUT) in order.
    pub descriptors: usize,
}

/// Lengths of what a [`HeadStage`] gives.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct HeadOutputs {
    /// The head.
    pub head: usize,
    /// The raw part: pooled vector and descriptors.
    pub raw: usize,
}

/// The statistics named by [`Post`] and [`HeadStage`], parsed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Mean vector, `[dim]`; empty when none is shipped.
    pub centre: Vec<f32>,
    /// Orthonormal rows, each `[dim]`, best first.
    pub basis: Vec<Vec<f32>>,
    /// The learned head, if the model has one.
    pub head: Option<Head>,
}

/// A model ready to be loaded: manifest, network bytes and statistics.
#[derive(Clone, Debug)]
pub struct Model {
    /// What the sidecar says.
    pub manifest: Manifest,
    /// The ONNX file.
    pub network: Bytes,
    /// Shipped centre, basis and head.
    pub statistics: Statistics,
    /// Identity of the vectors it makes: id, file hash and contract hash; vectors of different keys never mix. The head is
    /// no part of it: it is applied to vectors when they are compared.
    pub key: String,
    /// SHA-256 of the ONNX file, in hexadecimal.
    pub sha256: String,
    /// Where it was read from; `None` for the built-in model.
    pub path: Option<PathBuf>,
}

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file is not there or not readable.
    #[error("model file cannot be read ({source}); put it there or choose another model with --model: {path}")]
    Read {
        /// What the system said.
        source: std::io::Error,
        /// The file.
        path: PathBuf,
    },
    /// The sidecar makes no sense.
    #[error("model manifest is not usable ({why}); compare it with the ones in the models folder: {path}")]
    Manifest {
        /// What is wrong.
        why: String,
        /// The sidecar.
        path: PathBuf,
    },
    /// The ONNX file is another one than the sidecar says.
    #[error("model file has SHA-256 {found}, its manifest says {expected}; get both again: {path}")]
    Checksum {
        /// As computed.
        found: String,
        /// As stated.
        expected: String,
        /// The ONNX file.
        path: PathBuf,
    },
    /// Nobody knows this id.
    #[error("no model is called \"{id}\"; installed are {installed}")]
    Unknown {
        /// As asked for.
        id: String,
        /// What there is.
        installed: String,
    },
}

impl Model {
    /// The model compiled into the program.
    ///
    /// # Errors
    /// Never in a build whose tests passed.
    pub fn built_in() -> Result<Self, ModelError> {
        let path = Path::new("built-in model");
        let sidecar = include_str!("../../models/aisfx-int8.json");
        let network: &[u8] = include_bytes!("../../models/aisfx-int8.onnx");
        let beside = Beside {
            post: Some(include_bytes!("../../models/aisfx_post.f32").into()),
            head: Some(include_bytes!("../../models/aisfx-head.f32").into()),
        };
        Self::assemble(sidecar, network.into(), &beside, path, None)
    }

    /// Loads a model by its sidecar.
    ///
    /// # Errors
    /// A file is missing, unreadable or does not fit the others.
    pub fn load(sidecar: &Path) -> Result<Self, ModelError> {
        let read = |path: PathBuf| std::fs::read(&path).map_err(|source| ModelError::Read { source, path });
        let text = String::from_utf8_lossy(&read(sidecar.to_owned())?).into_owned();
        let manifest = parse(&text, sidecar)?;
        let network_path = sidecar.with_file_name(&manifest.file);
        let network = read(network_path.clone())?;
        let beside = |file: Option<&String>| file.map(|file| read(sidecar.with_file_name(file))).transpose();
        let beside = Beside {
            post: beside(manifest.output.post.as_ref().map(|post| &post.file))?.map(Into::into),
            head: beside(manifest.head.as_ref().map(|head| &head.file))?.map(Into::into),
        };
        Self::assemble(&text, network.into(), &beside, sidecar, Some(network_path))
    }

    fn assemble(
        text: &str,
        network: Bytes,
        beside: &Beside,
        sidecar: &Path,
        path: Option<PathBuf>,
    ) -> Result<Self, ModelError> {
        let manifest = parse(text, sidecar)?;
        let sha256 = hex(&Sha256::digest(&network));
        if let Some(expected) = manifest.sha256.clone().filter(|expected| *expected != sha256) {
            let path = path.unwrap_or_else(|| sidecar.to_owned());
            return Err(ModelError::Checksum { found: sha256, expected, path });
        }
        let unusable = |why: &str| ModelError::Manifest { why: why.to_owned(), path: sidecar.to_owned() };
        let mut statistics = match (&manifest.output.post, &beside.post) {
            (Some(post), Some(bytes)) => statistics(post, manifest.output.dim, bytes).map_err(|why| unusable(&why))?,
            _ => Statistics::default(),
        };
        if let (Some(stage), Some(bytes)) = (&manifest.head, &beside.head) {
            let found = hex(&Sha256::digest(bytes));
            if let Some(expected) = stage.sha256.clone().filter(|expected| *expected != found) {
                let path = sidecar.with_file_name(&stage.file);
                return Err(ModelError::Checksum { found, expected, path });
            }
            statistics.head = Some(Head::parse(stage, bytes).map_err(|why| unusable(&why))?);
        }
        let key = format!("{}:{}:{}", manifest.id, &sha256[..16], &contract_hash(text)[..16]);
        Ok(Self { manifest, network, statistics, key, sha256, path })
    }
}

/// The files beside the network that a manifest names.
#[derive(Default)]
struct Beside {
    post: Option<Bytes>,
    head: Option<Bytes>,
}

type Bytes = std::borrow::Cow<'static, [u8]>;

/// A model that was found, or the reason it cannot be used.
pub type Installed = Result<Model, ModelError>;

/// Lists the built-in model and those in `folders`; of models with one id the first counts.
pub fn installed(folders: &[PathBuf]) -> Vec<Installed> {
    let mut models = vec![Model::built_in()];
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        let mut sidecars: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
        sidecars.retain(|path| path.extension().is_some_and(|e| e == "json"));
        sidecars.sort();
        for sidecar in sidecars {
            let model = Model::load(&sidecar);
            let known = |m: &Installed| matches!((m, &model), (Ok(m), Ok(n)) if m.manifest.id == n.manifest.id);
            if !models.iter().any(known) {
                models.push(model);
            }
        }
    }
    models
}

/// Finds a model by its id; `None` asks for the built-in one.
///
/// # Errors
/// There is no such model, or it cannot be used.
pub fn find(id: Option<&str>, folders: &[PathBuf]) -> Result<Model, ModelError> {
    let Some(id) = id else { return Model::built_in() };
    if let Ok(model) = Model::built_in()
        && model.manifest.id == id
    {
        return Ok(model);
    }
    let mut names = Vec::new();
    for model in installed(folders) {
        match model {
            Ok(model) if model.manifest.id == id => return Ok(model),
            Ok(model) => names.push(model.manifest.id),
            // A broken model matters only if it may be the one that was asked for.
            Err(error) if error.to_string().contains(id) => return Err(error),
            Err(_) => {}
        }
    }
    Err(ModelError::Unknown { id: id.to_owned(), installed: names.join(", ") })
}

fn parse(text: &str, path: &Path) -> Result<Manifest, ModelError> {
    let unusable = |why: String| ModelError::Manifest { why, path: path.to_owned() };
    let manifest: Manifest = serde_json::from_str(text).map_err(|e| unusable(e.to_string()))?;
    check(&manifest).map_err(|why| unusable(why.to_owned()))?;
    Ok(manifest)
}

/// Checks what the types cannot say, so that nothing needs to be checked again.
fn check(m: &Manifest) -> Result<(), &'static str> {
    let require = |ok: bool, why: &'static str| if ok { Ok(()) } else { Err(why) };
    require(m.schema == SCHEMA, "its schema is not 1")?;
    require((1000..=384_000).contains(&m.audio.sample_rate), "sample_rate is out of range")?;
    require(m.audio.max_seconds > 0.0 && m.audio.max_seconds <= 60.0, "max_seconds must be in 0..60")?;
    require((1..=8192).contains(&m.output.dim), "dim is out of range")?;
    require(m.window.samples != Some(0) && m.window.hop_samples != Some(0), "samples and hop_samples must not be 0")?;
    if let Some(head) = &m.head {
        let (inputs, outputs) = (head.inputs, head.outputs);
        require(inputs.pooled == m.output.dim, "head.inputs.pooled is not output.dim")?;
        require(inputs.descriptors == descriptors::COUNT, "head.inputs.descriptors is not 47")?;
        require(outputs.raw == inputs.pooled + inputs.descriptors, "head.outputs.raw is not the sum of its inputs")?;
        require((1..=4096).contains(&outputs.head) && head.basis <= 4096, "head is out of range")?;
        require((0.0..1.0).contains(&head.descriptor_share), "head.descriptor_share must be in 0..1")?;
        require(head.descriptor_limit > 0.0, "head.descriptor_limit must be positive")?;
        require((0.0..=1.0).contains(&head.weight), "head.weight must be in 0..=1")?;
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
            require(stft.win_length <= stft.n_fft && stft.n_fft <= 1 << 16, "n_fft must hold win_length")?;
            require((1..=1024).contains(&mel.bands) && mel.fmin < mel.fmax, "mel bands are out of range")?;
            require(m.norm.is_some_and(|n| n.std != 0.0), "norm.std must not be 0")?;
            require(m.window.frames > 0 && m.window.hop_frames > 0, "window.frames and hop_frames must not be 0")?;
            require(m.window.min_frames <= m.window.frames, "min_frames exceeds frames")?;
            let repeated = m.window.short == Short::RepeatFrames && m.window.samples.is_none();
            require(repeated || !m.window.network_repeats, "network_repeats needs short = repeat_frames")
        }
    }
}

/// Hashes everything that shapes a vector; white space, titles, licences and statistics do not.
fn contract_hash(text: &str) -> String {
    let mut whole: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let shaping = ["input", "audio", "stft", "mel", "log", "norm", "window", "output"];
    let mut parts: Vec<serde_json::Value> = shaping.iter().map(|part| whole[*part].take()).collect();
    if let Some(output) = parts.last_mut().and_then(serde_json::Value::as_object_mut) {
        output.remove("post");
    }
    hex(&Sha256::digest(serde_json::Value::from(parts).to_string()))
}

fn statistics(post: &Post, dim: usize, bytes: &[u8]) -> Result<Statistics, String> {
    let expected = post.rows * dim * 4;
    if bytes.len() != expected {
        return Err(format!("{} has {} bytes, not {expected}", post.file, bytes.len()));
    }
    let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let rows: Vec<Vec<f32>> = values.chunks_exact(dim).map(<[f32]>::to_vec).collect();
    let centre = rows.get(post.centre_row).cloned().ok_or("centre_row is not in the file")?;
    let [first, last] = post.pca_rows;
    let basis = rows.get(first..=last).ok_or("pca_rows are not in the file")?.to_vec();
    Ok(Statistics { centre, basis, head: None })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, b| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{b:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_model_fits_its_manifest() {
        let model = Model::built_in().unwrap();
        assert!(model.manifest.sha256.is_some());
        assert_eq!(model.statistics.centre.len(), model.manifest.output.dim);
        assert_eq!(model.statistics.basis.len(), 64);
    }

    #[test]
    fn a_changed_contract_changes_the_key_and_title_and_head_do_not() {
        let text = include_str!("../../models/aisfx-int8.json");
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        let network: &'static [u8] = include_bytes!("../../models/aisfx-int8.onnx");
        let key = |value: &serde_json::Value| {
            Model::assemble(&value.to_string(), network.into(), &Beside::default(), Path::new("x"), None).unwrap().key
        };
        let mut changed = value.clone();
        changed["window"]["hop_frames"] = 50.into();
        assert_ne!(key(&value), key(&changed));
        let mut retitled = value.clone();
        retitled["title"] = "another".into();
        retitled["head"] = serde_json::Value::Null;
        assert_eq!(key(&value), key(&retitled));
    }

    #[test]
    fn a_manifest_that_makes_no_sense_says_why() {
        let text = include_str!("../../models/aisfx-int8.json");
        for (pointer, bad, why) in [
            ("/stft/hop", 0.into(), "hop"),
            ("/schema", 7.into(), "schema"),
            ("/log/base", "two".into(), "base"),
            ("/window/short", "stretch".into(), "stretch"),
            ("/window/short", "native".into(), "network_repeats"),
            ("/head/inputs/pooled", 100.into(), "head.inputs.pooled"),
            ("/head/weight", 1.5.into(), "head.weight"),
        ] {
            let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
            *value.pointer_mut(pointer).unwrap() = bad;
            let error = parse(&value.to_string(), Path::new("m.json")).unwrap_err().to_string();
            assert!(error.contains(why) && error.ends_with("m.json"), "{error}");
        }
    }
}
