//! ONNX Runtime: one session for each worker, one thread inside, one window at a time.
//!
//! Measured before it was built this way: batches and threads inside a session gain nothing over more workers, and
//! the time of a session is nearly all of the time of the app.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use dsp::descriptors::{self, Describer, Values};
use dsp::resample::Resampler;
use dsp::vector::normalise;
use dsp::{Hz, Pcm, SILENCE, Span};
use ndarray::{Array2, ArrayView2, Axis};
use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;

use crate::Model;
use crate::frontend::FrontEnd;
use crate::manifest::{Layout, Manifest, Pool};

/// Environment variable that names ONNX Runtime's shared library (shared with other programs that use it).
pub const RUNTIME_VARIABLE: &str = "ORT_DYLIB_PATH";

/// Why a sound has no vector.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The shared library is nowhere.
    #[error(
        "ONNX Runtime is not installed, so sounds cannot be compared; run `make` in the source folder or set {}",
        RUNTIME_VARIABLE
    )]
    NoRuntime,
    /// The shared library does not load.
    #[error("ONNX Runtime does not load ({why}); install version 1.24 or newer: {path}")]
    Runtime {
        /// What the system said.
        why: String,
        /// The library.
        path: PathBuf,
    },
    /// The network does not load or run.
    #[error("model failed ({0}); choose another with --model")]
    Session(#[from] ort::Error),
    /// An output of the network does not have the length that the manifest says, or is not there.
    #[error("model returned {found} numbers, but its manifest says {expected}; download both again")]
    Shape {
        /// As computed.
        found: usize,
        /// As stated.
        expected: usize,
    },
    /// The network's output contains infinity or NaN.
    #[error("model returned infinite or undefined numbers; convert the file to WAV or choose another model")]
    Undefined,
    /// Nothing to hear.
    #[error("sound is silent (peak below -80 dBFS) and cannot be compared")]
    Silent,
    /// A ratio of rates that cannot be converted.
    #[error("unsupported sample rate of {0}; convert the file to 44100 Hz")]
    Rate(Hz),
    /// The worker failed on this sound.
    #[error("analysis failed ({0}); convert the file to WAV")]
    Panicked(String),
}

/// What one sound is compared by.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// Pooled over windows and, if the manifest says so, of unit length: `[dim]`.
    pub pooled: Vec<f32>,
    /// The side outputs, each pooled by its own rule.
    pub sides: Vec<Vec<f32>>,
    /// The windows it was pooled from.
    pub windows: Vec<WindowVector>,
    /// Descriptors of the same audio, which need no network.
    pub descriptors: Values,
}

/// The vector of one window.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowVector {
    /// The part of the file that it is.
    pub span: Span,
    /// As the network gave it: `[dim]`.
    pub vector: Vec<f32>,
}

/// Turns sounds into vectors with one model.
pub struct Embedder {
    session: Session,
    front_end: FrontEnd,
    resampler: Resampler,
    describer: Describer,
    manifest: Manifest,
    session_time: Duration,
}

/// Version of ONNX Runtime and where it was loaded from.
#[derive(Clone, Debug)]
pub struct Runtime {
    environment: Environment,
    /// The shared library.
    pub path: PathBuf,
}

/// Loads ONNX Runtime once for the whole process; `library` is asked once where it is.
///
/// # Errors
/// It is not there or does not load.
pub fn runtime(library: impl FnOnce() -> Option<PathBuf>) -> Result<&'static Runtime, EmbedError> {
    static RUNTIME: OnceLock<Result<Runtime, (String, Option<PathBuf>)>> = OnceLock::new();
    let loaded = RUNTIME.get_or_init(|| {
        let path = library().ok_or((String::new(), None))?;
        let failed = |why: String| (why, Some(path.clone()));
        let builder = ort::init_from(&path).map_err(|e| failed(e.to_string()))?;
        let environment = builder.with_telemetry(false).build().map_err(|e| failed(e.to_string()))?;
        Ok(Runtime { environment, path })
    });
    loaded.as_ref().map_err(|(why, path)| match path {
        Some(path) => EmbedError::Runtime { why: why.clone(), path: path.clone() },
        None => EmbedError::NoRuntime,
    })
}

/// Returns the version of the loaded library, such as `1.32.0`: its file's name says it, or else its build's text.
pub fn runtime_version(runtime: &Runtime) -> String {
    let path = runtime.path.canonicalize().unwrap_or_else(|_| runtime.path.clone());
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let number = name.split_once(".so.").map(|(_, number)| number.to_owned());
    number.unwrap_or_else(|| ort::info().to_owned())
}

impl Embedder {
    /// Loads the model into a session of its own.
    ///
    /// # Errors
    /// The model does not load.
    pub fn new(model: &Model, runtime: &Runtime) -> Result<Self, EmbedError> {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that runs networks")]
        let builder = Session::builder(&runtime.environment)?;
        let session = builder
            .with_optimization_level(GraphOptimizationLevel::Level3)
            .map_err(ort::Error::from)?
            .with_intra_threads(1)
            .map_err(ort::Error::from)?
            .with_inter_threads(1)
            .map_err(ort::Error::from)?
            .commit_from_memory(&model.network)?;
        let audio = &model.manifest.audio;
        Ok(Self {
            session,
            front_end: FrontEnd::new(&model.manifest),
            resampler: Resampler::new(audio.sample_rate, audio.resampler),
            describer: Describer::new(audio.resampler),
            manifest: model.manifest.clone(),
            session_time: Duration::ZERO,
        })
    }

    /// Embeds a sound.
    ///
    /// # Errors
    /// It is silent, its rate cannot be converted, or the network fails.
    pub fn embed(&mut self, pcm: &Pcm) -> Result<Embedded, EmbedError> {
        if pcm.mono.iter().all(|s| s.abs() < SILENCE) {
            return Err(EmbedError::Silent);
        }
        let sound = self.resampler.convert(&pcm.mono, pcm.rate).ok_or(EmbedError::Rate(pcm.rate))?;
        // Most models need the same sample rate as the descriptors, so that one conversion serves both, and some need
        // the same spectra.
        let (described, heard) = if self.front_end.shares_spectra() {
            let mut bands = Vec::new();
            let each = |power: &[f32]| self.front_end.add_bands(power, &mut bands);
            let described = self.describer.measure_each(&sound, each);
            (Some(described), self.front_end.prepare_bands(bands, sound.len()))
        } else {
            let described = match self.manifest.audio.sample_rate {
                descriptors::RATE => Some(self.describer.measure(&sound)),
                _ => self.describer.describe(pcm),
            };
            (described, self.front_end.prepare(&mut sound.into_owned()))
        };
        let descriptors = described.ok_or(EmbedError::Rate(pcm.rate))?;
        let (mut windows, mut sides) = (Vec::new(), Vec::new());
        let side_pools: Vec<Pool> = self.manifest.side_outputs.iter().map(|side| side.pool).collect();
        for seen in heard {
            let mut outputs = self.run(seen.input.view())?;
            let further = outputs.split_off(1);
            if windows.is_empty() {
                sides = further;
            } else {
                let pooled = sides.iter_mut().zip(&further).zip(&side_pools);
                pooled.for_each(|((pooled, vector), pool)| pool_in(pooled, vector, *pool));
            }
            let Span { start, end } = seen.span;
            let span = Span::new(pcm.start.0 + start, pcm.start.0 + end);
            windows.extend(outputs.into_iter().map(|vector| WindowVector { span, vector }));
        }
        sides.iter_mut().zip(&side_pools).for_each(|(pooled, pool)| end_pooling(pooled, windows.len(), *pool));
        let pooled = pool(&windows, &self.manifest);
        Ok(Embedded { pooled, sides, windows, descriptors })
    }

    /// Runs the network on one window, `[frames, bands]` or `[1, samples]`; gives its output and then the side outputs.
    ///
    /// # Errors
    /// The network fails or does not fit its manifest.
    pub fn run(&mut self, input: ArrayView2<f32>) -> Result<Vec<Vec<f32>>, EmbedError> {
        let input: ndarray::ArrayViewD<f32> = match self.manifest.input.layout {
            Layout::Ns => input.into_dyn(),
            Layout::Ntf => input.insert_axis(Axis(0)).into_dyn(),
            Layout::Nctf => input.insert_axis(Axis(0)).insert_axis(Axis(0)).into_dyn(),
        };
        let started = Instant::now();
        let tensor = TensorRef::from_array_view(input)?;
        let outputs = self.session.run(ort::inputs![self.manifest.input.name.as_str() => tensor])?;
        self.session_time += started.elapsed();
        let main = (&self.manifest.output.name, self.manifest.output.dim);
        let sides = self.manifest.side_outputs.iter().map(|side| (&side.name, side.dim));
        let read = |(name, expected): (&String, usize)| {
            let Some(output) = outputs.get(name.as_str()) else {
                return Err(EmbedError::Shape { found: 0, expected });
            };
            let (_, values) = output.try_extract_tensor::<f32>()?;
            if values.len() != expected {
                return Err(EmbedError::Shape { found: values.len(), expected });
            }
            if values.iter().any(|v| !v.is_finite()) {
                return Err(EmbedError::Undefined);
            }
            Ok(values.to_vec())
        };
        std::iter::once(main).chain(sides).map(read).collect()
    }

    /// Cuts a sound at the model's rate into the network's inputs, each `[frames, bands]` or `[1, samples]`.
    pub fn inputs(&mut self, pcm: &Pcm) -> Option<Vec<Array2<f32>>> {
        let mut sound = self.resampler.convert(&pcm.mono, pcm.rate)?.into_owned();
        Some(self.front_end.prepare(&mut sound).into_iter().map(|seen| seen.input).collect())
    }

    /// Takes the time spent inside ONNX Runtime since the last call.
    pub fn take_session_time(&mut self) -> Duration {
        std::mem::take(&mut self.session_time)
    }
}

/// Pools window vectors into one, of unit length if the manifest says so.
fn pool(windows: &[WindowVector], manifest: &Manifest) -> Vec<f32> {
    let mut pooled = windows.first().map(|w| w.vector.clone()).unwrap_or_default();
    let pool = manifest.output.pool;
    windows.iter().skip(1).for_each(|window| pool_in(&mut pooled, &window.vector, pool));
    end_pooling(&mut pooled, windows.len(), pool);
    if manifest.output.l2 {
        normalise(&mut pooled);
    }
    pooled
}

/// Adds the vector of a window to that of the windows before it.
fn pool_in(pooled: &mut [f32], vector: &[f32], pool: Pool) {
    let both = pooled.iter_mut().zip(vector);
    match pool {
        Pool::First => {}
        Pool::Max => both.for_each(|(p, v)| *p = p.max(*v)),
        Pool::Mean => both.for_each(|(p, v)| *p += v),
    }
}

/// Makes a mean of what is a sum so far.
fn end_pooling(pooled: &mut [f32], windows: usize, pool: Pool) {
    if pool == Pool::Mean {
        pooled.iter_mut().for_each(|p| *p /= windows.max(1) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_pooled_by_the_rule_that_the_manifest_says() {
        for (rule, expected) in [(Pool::First, [1.0, 4.0]), (Pool::Max, [3.0, 4.0]), (Pool::Mean, [2.0, 2.0])] {
            let mut pooled = vec![1.0, 4.0];
            pool_in(&mut pooled, &[3.0, 0.0], rule);
            end_pooling(&mut pooled, 2, rule);
            assert_eq!(pooled, expected, "{rule:?}");
        }
    }
}
