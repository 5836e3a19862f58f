//! Any bytes as a WAV file: tidied, they are as long as they say, and the same after a seek.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    file::fuzzing::tidied(bytes);
});
