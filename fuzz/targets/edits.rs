//! Any bytes as an MP4 file, or as what iTunes writes: an edit that is found makes sense.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    file::fuzzing::edits(bytes);
});
