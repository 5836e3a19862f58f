//! How much a bench does: `cargo bench` measures; `cargo test --bench '*'` only tries with little whether it still runs.

/// A number for measuring, or a small one for trying.
pub fn or_few(measured: usize, tried: usize) -> usize {
    // Which of the two it is, cargo says.
    if std::env::args().any(|argument| argument == "--bench") { measured } else { tried }
}
