//! Sounds as points: which are near, why, where they stand on the map, and which are one recording.
//!
//! Knows neither Bevy nor the app, so that it is compiled once, at full optimisation, whatever else changes; what a caller
//! passes to its loops is called through a pointer, because a generic function would be compiled with the caller.

pub mod cluster;
pub mod density;
pub mod fingerprint;
pub mod grid;
mod joined;
pub mod layout;
pub mod names;
pub mod pca;
mod random;
mod ranking;
pub mod smoothing;
pub mod space;
pub mod umap;
pub mod weights;
