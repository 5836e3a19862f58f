//! The similarity map.

pub mod picture;
