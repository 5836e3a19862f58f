//! The one integration binary: whole paths through the public interface and the real program.

mod cli;
mod formats;
mod golden;
mod imports;
mod killed;
mod pipeline;
mod support;
#[cfg(all(feature = "desktop", target_os = "linux"))]
mod window;
