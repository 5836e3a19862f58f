//! Any text as a model's sidecar: what is accepted describes a front end that can be made and hears a short sound.
#![no_main]

use std::path::Path;

use model::frontend::FrontEnd;
use model::manifest::parse;

/// Larger tables are accepted but take longer than a fuzzer waits.
const LARGEST: usize = 4096;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(manifest) = parse(text, Path::new("fuzzed.json")) else { return };
    let transform = manifest.stft.as_ref().map_or(0, |stft| stft.n_fft);
    let [frames, samples] = [manifest.window.frames, manifest.window.samples.unwrap_or(0)];
    if transform.max(frames).max(samples).max(manifest.window.min_samples) <= LARGEST {
        let mut sound: Vec<f32> = (0..500_u16).map(|n| (f32::from(n) * 0.05).sin()).collect();
        assert!(!FrontEnd::new(&manifest).prepare(&mut sound).is_empty());
    }
});
