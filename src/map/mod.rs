//! The similarity map.

pub mod colour;
pub mod picture;
