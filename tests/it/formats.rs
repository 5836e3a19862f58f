//! Every format that is decoded, and bytes that are no sound at all.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dsp::analysis::Decoded;
use dsp::{Frames, Hz, Seconds};
use file::DecodeError;
use file::source::Source;
use file::stream::Decoders;
use model::Model;
use model::session::Embedder;
use soundkin::actor::Stop;
use soundkin::analyse::decode::decode;
use soundkin::analyse::runtime;

use crate::support::{json, soundkin, write_wav};

fn heard(path: &Path) -> Result<Decoded, DecodeError> {
    decode(Source::open(path, &|| false)?, path, Seconds(10.0), &Stop::default(), &Decoders::default())
}

fn samples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audio");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn every_format_gives_the_same_sound() {
    let mut embedder = Embedder::new(&Model::built_in().unwrap(), runtime().unwrap()).unwrap();
    let files = samples();
    let source = heard(files.iter().find(|f| name(f) == "wav_f32le.wav").unwrap()).unwrap();
    let reference = embedder.embed(&source.pcm).unwrap().pooled;
    let mut decoded = 0;
    for file in &files {
        let name = name(file);
        let result = heard(file);
        if name.starts_with("unsupported") {
            assert!(matches!(result, Err(DecodeError::Unknown)), "{name}: {result:?}");
            continue;
        }
        let sound = result.unwrap_or_else(|e| panic!("{name}: {e}"));
        // Encoders that cannot state their padding add up to 60 ms; the chained files are the sound twice.
        let seconds = if name.starts_with("chained") { 0.6 } else { 0.3 };
        let beyond = sound.info.seconds().0 - seconds;
        assert!((-0.03..0.07).contains(&beyond), "{name}: {}", sound.info.seconds());
        assert_eq!(sound.skipped, 0, "{name}");
        if name.ends_with("m4a") {
            // What its edit list says is neither early nor late by a frame.
            assert_eq!(sound.info.frames, source.info.frames, "{name}");
            let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            let (a, b) = (&sound.pcm.mono, &source.pcm.mono);
            let correlation = |b: &[f32]| product(a, b) / (product(a, a) * product(b, b)).sqrt();
            assert!(correlation(b) > 0.99 && correlation(b) > correlation(&b[1..]), "{name}: {}", correlation(b));
        }
        assert!((-8.0..=0.0).contains(&sound.features.peak_db), "{name}: {:?}", sound.features);
        // Sound on one of six channels is a sixth of itself in the mean.
        assert!(sound.thumbnail.iter().any(|[low, high]| *low < -8 && *high > 8), "{name}");
        let vector = embedder.embed(&sound.pcm).unwrap().pooled;
        let cosine: f32 = vector.iter().zip(&reference).map(|(a, b)| a * b).sum();
        // 8-bit and companded noise is heard; everything else is nearly the same sound.
        assert!(cosine > 0.85, "{name}: {cosine}");
        decoded += 1;
    }
    assert!(decoded >= 38, "{decoded}");
}

#[test]
fn a_decoder_kept_for_the_next_file_changes_nothing() {
    let files = samples();
    let find = |wanted: &str| files.iter().find(|f| name(f) == wanted).unwrap();
    let kept = Decoders::default();
    let heard_by_one = |path: &Path| {
        let stop = Stop::default();
        decode(Source::open(path, &|| false).unwrap(), path, Seconds(10.0), &stop, &kept).unwrap()
    };
    let first = heard_by_one(find("vorbis.ogg"));
    for wanted in ["vorbis.ogg", "vorbis.mka", "opus.opus", "vorbis.ogg", "chained.ogg", "vorbis.ogg"] {
        let again = heard_by_one(find(wanted));
        let fresh = heard(find(wanted)).unwrap();
        assert_eq!(again.pcm.mono, fresh.pcm.mono, "{wanted}");
    }
    assert_eq!(first.pcm.mono, heard(find("vorbis.ogg")).unwrap().pcm.mono);
}

#[test]
fn truncated_and_damaged_files_end_soon_and_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = 1_u32;
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    let (mut good, mut bad) = (0, 0);
    for file in samples() {
        let bytes = std::fs::read(&file).unwrap();
        let path = folder.path().join(name(&file));
        for round in 0..40 {
            let mut damaged = bytes.clone();
            if round < 20 {
                damaged.truncate(random(bytes.len()).max(1));
            } else {
                for _ in 0..100 {
                    let at = random(damaged.len());
                    damaged[at] ^= 1 << random(8);
                }
            }
            std::fs::write(&path, &damaged).unwrap();
            let started = Instant::now();
            let result = heard(&path);
            assert!(started.elapsed() < Duration::from_secs(5), "{} round {round} took too long", name(&file));
            match result {
                Ok(sound) => {
                    assert!(sound.pcm.mono.iter().all(|s| s.is_finite()));
                    good += 1;
                }
                Err(error) => {
                    assert!(!matches!(error, DecodeError::Panicked(_)), "{} round {round}: {error}", name(&file));
                    let text = error.to_string();
                    assert!(!text.contains('\n') && !text.is_empty());
                    bad += 1;
                }
            }
        }
    }
    assert!(good > 200 && bad > 200, "{good} good, {bad} bad");
}

#[test]
fn odd_wav_files_are_read_or_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.wav");
    let tone: Vec<f32> = (0..4000).map(|n| (n as f32 * 0.1).sin() * 0.5).collect();

    for rate in [2000, 22_505, 31_136, 44_101, 384_000] {
        write_wav(&path, rate, 1, &tone);
        let sound = heard(&path).unwrap();
        assert_eq!((sound.info.rate, sound.info.frames), (Hz(rate), Frames(4000)));
        let mut embedder = Embedder::new(&Model::built_in().unwrap(), runtime().unwrap()).unwrap();
        assert_eq!(embedder.embed(&sound.pcm).unwrap().pooled.len(), 512, "{rate} Hz");
    }
    write_wav(&path, 48_000, 720, &tone[..200]);
    let error = heard(&path).unwrap_err();
    assert!(matches!(error, DecodeError::Unsupported(_)), "{error}");

    // A recorder that was cut off leaves sizes of 0 or -1.
    for size in [0_u32, u32::MAX] {
        write_wav(&path, 44_100, 1, &tone);
        let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        for at in [4, 40] {
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(&size.to_le_bytes()).unwrap();
        }
        drop(file);
        assert_eq!(heard(&path).unwrap().info.frames, Frames(4000), "size {size}");
    }

    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 44_100,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    for n in 0..4000 {
        writer.write_sample([f32::NAN, f32::INFINITY, 0.25, f32::MAX, -1e20][n % 5]).unwrap();
    }
    writer.finalize().unwrap();
    let sound = heard(&path).unwrap();
    assert!(sound.pcm.mono.iter().all(|s| (0.0..=0.25).contains(s)));
    assert!(sound.features.lufs.is_some_and(f32::is_finite) && sound.features.brightness_hz.is_finite());
}

#[cfg(target_os = "linux")]
#[test]
fn an_hour_of_sound_is_read_in_bounded_memory() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("sounds");
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("hour.wav");
    let tone: Vec<f32> = (0..44_100).map(|n| (n as f32 * 0.05).sin() * 0.5).collect();
    write_wav(&path, 44_100, 2, &tone);
    // One second of tone, then an hour of holes: 635 MB that take no room on the disk.
    let length = 44 + 44_100 * 4 * 3600;
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(length).unwrap();
    for (at, size) in [(4, length - 8), (40, length - 44)] {
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(&u32::try_from(size).unwrap().to_le_bytes()).unwrap();
    }
    drop(file);
    let library = root.path().join("library.db");
    let mut child = soundkin(&library).args(["index", "--jobs", "1"]).arg(&folder).spawn().unwrap();
    let mut peak_kib = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak_kib = peak_kib.max(kib.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(10));
    }
    let listed = json(&library, &["list"]);
    assert!((listed["samples"][0]["seconds"].as_f64().unwrap() - 3600.0).abs() < 0.01);
    // The program itself with its model takes about 100 MiB; a worker may add 64.
    assert!(peak_kib > 0 && peak_kib < 180 << 10, "{peak_kib} KiB");
}
