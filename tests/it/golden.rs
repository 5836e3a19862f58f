//! Parity with the references: Essentia and `PyTorch` for aisfx, transformers and `PyTorch` for CLAP, numpy for the
//! descriptors.

use std::path::Path;

use dsp::descriptors::{ABOUT, Describer, Values};
use dsp::resample::Filter;
use dsp::{Hz, Pcm, Seconds};
use model::Model;
use model::frontend::FrontEnd;
use model::head::Statistics;
use model::session::{EmbedError, Embedder};
use ndarray::{Array1, Array2, ArrayD, Ix1, Ix2};
use soundkin::analyse::runtime;

use crate::npz::Npz;

/// Essentia's log-mels are from before the division by the manifest's `norm.std`.
const AISFX_STD: f32 = 9.457_798;

fn golden(name: &str) -> Npz {
    Npz::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name))
}

fn model(sidecar: &str) -> Model {
    Model::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join(sidecar)).unwrap()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn largest_difference(a: &Array2<f32>, b: &Array2<f32>) -> f32 {
    assert_eq!(a.dim(), b.dim());
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

struct Case {
    name: String,
    pcm: Pcm,
    log_mel: Array2<f32>,
    /// The output, and then the side outputs.
    outputs: [Vec<f32>; 2],
}

fn aisfx_cases() -> Vec<Case> {
    let text = include_str!("../golden/aisfx.json");
    let meta: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap();
    let arrays = golden("aisfx.npz");
    meta.iter()
        .map(|(name, about)| {
            let pcm16: ArrayD<i16> = arrays.get(&format!("{name}__pcm16")).unwrap();
            let log_mel: Array2<f32> = arrays.get(&format!("{name}__log_mel")).unwrap();
            let output = |of: &str| arrays.get::<f32, Ix1>(&format!("{name}__{of}_product")).unwrap().to_vec();
            let mono = if pcm16.ndim() == 1 {
                pcm16.into_dimensionality::<Ix1>().unwrap().mapv(|s| f32::from(s) / 32768.0).to_vec()
            } else {
                let frames = pcm16.into_dimensionality::<Ix2>().unwrap().mapv(|s| f32::from(s) / 32768.0);
                frames.outer_iter().map(|frame| frame.mean().unwrap()).collect()
            };
            let rate = Hz(u32::try_from(about["sample_rate"].as_u64().unwrap()).unwrap());
            Case {
                name: name.clone(),
                pcm: Pcm { rate, start: Seconds(0.0), mono },
                log_mel,
                outputs: ["emb", "banded"].map(output),
            }
        })
        .collect()
}

#[test]
fn aisfx_log_mels_agree_with_essentia_at_its_own_rate() {
    let manifest = model("models/aisfx-f16.json").manifest;
    let mut front_end = FrontEnd::new(&manifest);
    let cases = aisfx_cases();
    let own_rate = cases.iter().filter(|case| case.pcm.rate == Hz(44_100));
    let mut checked = 0;
    for case in own_rate {
        let ours = front_end.log_mel(&case.pcm.mono).mapv(|x| x * AISFX_STD);
        let difference = largest_difference(&ours, &case.log_mel);
        assert!(difference < 1e-3, "{}: {difference:e}", case.name);
        checked += 1;
    }
    assert!(checked >= 15, "{checked}");
}

/// Cosines to the reference of each output for each case that is not silent, with the sample rate.
fn aisfx_cosines(sidecar: &str) -> Vec<(String, Hz, f64)> {
    let mut embedder = Embedder::new(&model(sidecar), runtime().unwrap()).unwrap();
    let heard = aisfx_cases().into_iter().filter(|case| case.pcm.mono.iter().any(|s| s.abs() > 1e-4));
    let cosines = heard.flat_map(|case| {
        let embedded = embedder.embed(&case.pcm).unwrap();
        assert_eq!(embedded.sides.len(), case.outputs.len() - 1);
        let ours = std::iter::once(&embedded.pooled).chain(&embedded.sides);
        let cosine = |(ours, known): (&Vec<f32>, &Vec<f32>)| (case.name.clone(), case.pcm.rate, cosine(ours, known));
        ours.zip(&case.outputs).map(cosine).collect::<Vec<_>>()
    });
    cosines.collect()
}

#[test]
fn aisfx_f16_vectors_agree_with_the_reference() {
    let cosines = aisfx_cosines("models/aisfx-f16.json");
    for (name, rate, cosine) in &cosines {
        let bar = if *rate == Hz(44_100) { 0.9999 } else { 0.995 };
        assert!(*cosine >= bar, "{name} at {rate}: {cosine:.6}");
    }
    let resampled: Vec<f64> = cosines.iter().filter(|(_, rate, _)| *rate != Hz(44_100)).map(|(.., c)| *c).collect();
    assert!(resampled.len() >= 8);
    let mean = resampled.iter().sum::<f64>() / resampled.len() as f64;
    assert!(mean >= 0.999, "resampled: mean {mean:.6} of {resampled:?}");
}

/// The network is given `rows` of noise, then the same repeated to a window by hand.
#[test]
fn a_network_that_repeats_short_sounds_gives_what_it_gives_for_repeated_ones() {
    for sidecar in ["models/aisfx-int8.json", "models/aisfx-f16.json"] {
        let model = model(sidecar);
        let frames = model.manifest.window.frames;
        assert!(model.manifest.window.network_repeats);
        let mut embedder = Embedder::new(&model, runtime().unwrap()).unwrap();
        for rows in 1..=frames {
            let noise = |row: usize, band: usize| ((row * 96 + band) as f32 * 12.9898).sin().abs();
            let short = Array2::from_shape_fn((rows, 96), |(row, band)| noise(row, band));
            let repeated = Array2::from_shape_fn((frames, 96), |(row, band)| short[(row % rows, band)]);
            let (short, repeated) = (embedder.run(short.view()).unwrap(), embedder.run(repeated.view()).unwrap());
            assert!(short == repeated, "{sidecar}: {rows} rows");
            assert!(short.iter().all(|output| output.iter().any(|v| *v > 0.1)));
        }
    }
}

#[test]
fn an_output_that_is_not_there_or_has_another_length_is_an_error() {
    let whole = model("models/aisfx-int8.json");
    let window = Array2::from_elem((whole.manifest.window.frames, 96), 0.5);
    let run = |change: &dyn Fn(&mut model::manifest::Manifest)| {
        let mut model = whole.clone();
        change(&mut model.manifest);
        Embedder::new(&model, runtime().unwrap()).unwrap().run(window.view())
    };
    let lengths: Vec<usize> = run(&|_| ()).unwrap().iter().map(Vec::len).collect();
    assert_eq!(lengths, [512, 2048]);
    let absent = run(&|manifest| manifest.side_outputs[0].name = "nothing".into());
    assert!(matches!(absent, Err(EmbedError::Shape { found: 0, expected: 2048 })), "{absent:?}");
    let shorter = run(&|manifest| manifest.side_outputs[0].dim = 2047);
    assert!(matches!(shorter, Err(EmbedError::Shape { found: 2048, expected: 2047 })), "{shorter:?}");
}

#[test]
fn the_quantised_default_stays_close_to_the_reference() {
    // The bar is what quantising costs on the golden sounds (0.9976 at least, 0.9994 on average), with little to spare.
    let cosines = aisfx_cosines("models/aisfx-int8.json");
    for (name, rate, cosine) in &cosines {
        assert!(*cosine >= 0.995, "{name} at {rate}: {cosine:.6}");
    }
    let mean = cosines.iter().map(|(.., c)| c).sum::<f64>() / cosines.len() as f64;
    assert!(mean >= 0.999, "{mean:.6}");
}

#[test]
fn clap_front_end_and_vectors_agree_with_the_reference() {
    let model = model("tests/golden/clap_small_random.json");
    let mut embedder = Embedder::new(&model, runtime().unwrap()).unwrap();
    let arrays = golden("clap.npz");
    let names: Vec<String> =
        arrays.names().filter_map(|name| name.strip_suffix("__audio").map(str::to_owned)).collect();
    assert!(names.len() >= 9, "{names:?}");
    for name in names {
        let audio: Array1<f32> = arrays.get(&format!("{name}__audio")).unwrap();
        let log_mel: Array2<f32> = arrays.get(&format!("{name}__log_mel")).unwrap();
        let embedding: Array1<f32> = arrays.get(&format!("{name}__embedding")).unwrap();
        let pcm = Pcm { rate: Hz(48_000), start: Seconds(0.0), mono: audio.to_vec() };
        let inputs = embedder.inputs(&pcm).unwrap();
        assert_eq!(inputs.len(), 1, "{name}");
        let difference = largest_difference(&inputs[0], &log_mel);
        assert!(difference < 1e-3, "{name}: {difference:e} dB");
        let ours = embedder.run(inputs[0].view()).unwrap();
        let cosine = cosine(&ours[0], embedding.as_slice().unwrap());
        assert!(cosine >= 0.9999, "{name}: {cosine:.6}");
    }
}

/// The sounds of the reference descriptors at 44.1 kHz, with what the reference says of each.
fn described_cases() -> Vec<(String, Vec<f32>, Vec<f32>)> {
    let arrays = golden("head.npz");
    let cases = aisfx_cases().into_iter().filter_map(|case| {
        let known: Array1<f32> = arrays.get(&format!("{}__descriptors", case.name))?;
        let sound = match case.pcm.rate {
            Hz(44_100) => case.pcm.mono,
            _ => arrays.get::<f32, Ix1>(&format!("{}__mono44k", case.name)).unwrap().to_vec(),
        };
        Some((case.name, sound, known.to_vec()))
    });
    cases.collect()
}

#[test]
fn descriptors_agree_with_the_reference() {
    let mut describer = Describer::new(Filter::AnyHighQuality);
    let cases = described_cases();
    assert_eq!(cases.len(), 18);
    for (name, sound, known) in &cases {
        for ((ours, known), about) in describer.measure(sound).iter().zip(known).zip(&ABOUT) {
            // Every value but for the last digit that single precision holds.
            assert!((ours - known).abs() < 1e-6, "{name}, {}: {ours} is not {known}", about.name);
        }
    }
}

#[test]
fn the_head_agrees_with_its_reference_on_vectors_and_descriptors_of_the_reference() {
    let statistics = model("models/aisfx-f16.json").statistics;
    let arrays = golden("head.npz");
    for case in aisfx_cases() {
        let Some(known) = arrays.get::<f32, Ix1>(&format!("{}__joined", case.name)) else { continue };
        let described: Array1<f32> = arrays.get(&format!("{}__descriptors", case.name)).unwrap();
        let described: Values = described.to_vec().try_into().unwrap();
        let ours = joined(&statistics, &case.outputs[0], &described, &case.outputs[1..]);
        let difference = ours.iter().zip(&known).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(ours.len() == known.len() && difference < 1e-6, "{}: {difference:e}", case.name);
    }
}

#[test]
fn from_samples_to_joined_vector_the_whole_path_agrees_with_the_reference() {
    // What quantising and resampling cost, as above, and little more: the head is as sensitive as the network.
    for (sidecar, own_rate, resampled) in
        [("models/aisfx-f16.json", 0.9999, 0.99), ("models/aisfx-int8.json", 0.98, 0.98)]
    {
        let model = model(sidecar);
        let mut embedder = Embedder::new(&model, runtime().unwrap()).unwrap();
        let arrays = golden("head.npz");
        let mut checked = 0;
        for case in aisfx_cases() {
            let Some(known) = arrays.get::<f32, Ix1>(&format!("{}__joined", case.name)) else { continue };
            let embedded = embedder.embed(&case.pcm).unwrap();
            let ours = joined(&model.statistics, &embedded.pooled, &embedded.descriptors, &embedded.sides);
            let cosine = cosine(&ours, known.as_slice().unwrap());
            let bar = if case.pcm.rate == Hz(44_100) { own_rate } else { resampled };
            println!("{sidecar} {} {cosine:.6}", case.name);
            assert!(cosine >= bar, "{sidecar}, {} at {}: {cosine:.6}", case.name, case.pcm.rate);
            checked += 1;
        }
        assert_eq!(checked, 18);
    }
}

/// Head and raw part, each times the root of its usual weight.
fn joined(statistics: &Statistics, pooled: &[f32], descriptors: &Values, sides: &[Vec<f32>]) -> Vec<f32> {
    let weight = statistics.usual_weight();
    let head = statistics.head(pooled, Some(descriptors), sides).unwrap();
    let raw = statistics.raw(pooled, Some(descriptors));
    head.iter().map(|v| v * weight.sqrt()).chain(raw.iter().map(|v| v * (1.0 - weight).sqrt())).collect()
}
