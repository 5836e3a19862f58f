//! The one integration binary: whole paths through the public interface and the real program.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![expect(clippy::cast_possible_truncation, reason = "small positive numbers in tests")]

#[cfg(feature = "desktop")]
mod beginning;
#[cfg(feature = "desktop")]
mod build;
mod cli;
#[cfg(feature = "desktop")]
mod columns;
mod examples;
mod formats;
mod former;
mod golden;
#[cfg(feature = "desktop")]
mod growing;
mod imports;
#[cfg(feature = "desktop")]
mod keyboard;
mod killed;
#[cfg(feature = "desktop")]
mod large_map;
#[cfg(target_os = "linux")]
mod loopback;
mod npz;
#[cfg(feature = "desktop")]
mod panels;
mod pipeline;
mod questions;
#[cfg(target_os = "linux")]
mod record;
#[cfg(feature = "desktop")]
mod snapshots;
mod support;
#[cfg(feature = "desktop")]
mod surprises;
#[cfg(feature = "desktop")]
mod wave;
#[cfg(all(feature = "desktop", target_os = "linux"))]
mod window;
