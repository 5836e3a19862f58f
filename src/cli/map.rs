//! `soundkin map`

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bevy::prelude::*;
use clap::Args;
use serde_json::{Value, json};

use super::{Common, put_path};
use crate::decode::Features;
use crate::embed::ActiveModel;
use crate::map::picture::{Dot, write_png};
use crate::project::SpaceIndex;
use crate::sample::Sample;

/// How positions are found: the first two main components of the space.
const METHOD: &str = "pca";

#[derive(Args, Debug)]
pub(super) struct Map {
    /// File to write: .png draws the map, .csv and .json list positions [default: JSON to stdout]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Map {
    pub(super) fn run(self, common: &Common) -> Result<()> {
        let mut app = common.restored_app()?;
        let Some(out) = self.out else {
            println!("{}", positions(app.world_mut()));
            return Ok(());
        };
        let points = write(app.world_mut(), &out)?;
        let written = std::path::absolute(&out)?;
        let value = json!({"file": written.to_string_lossy(), "points": points});
        common.print(&value, || println!("{points} sounds: {}", written.display()));
        Ok(())
    }
}

/// Writes the map in the format that the file's ending names; returns the number of points.
pub(super) fn write(world: &mut World, out: &Path) -> Result<usize> {
    let ending = out.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    if !matches!(ending.as_str(), "png" | "csv" | "json") {
        bail!("map can be written as .png, .csv or .json; choose one of these endings: {}", out.display());
    }
    let file =
        File::create(out).with_context(|| format!("file cannot be written; check the folder: {}", out.display()));
    // One line for the user: what was to be done, then what the system said.
    let mut file = BufWriter::new(file.map_err(|error| anyhow::anyhow!("{error:#}"))?);
    let value = positions(world);
    match ending.as_str() {
        "png" => write_png(&dots(world), &mut file)?,
        "csv" => write_csv(&value, &mut file)?,
        _ => writeln!(file, "{value}")?,
    }
    file.flush()?;
    Ok(value["points"].as_array().map_or(0, Vec::len))
}

fn members(world: &World) -> impl Iterator<Item = (Entity, [f32; 2])> {
    let index = world.get_resource::<SpaceIndex>();
    index.into_iter().flat_map(|index| index.entities.iter().copied().zip(index.space.positions().iter().copied()))
}

fn positions(world: &mut World) -> Value {
    let mut points: Vec<(&Path, [f32; 2])> = members(world)
        .filter_map(|(entity, position)| Some((world.get::<Sample>(entity)?.path.as_ref(), position)))
        .collect();
    points.sort_by(|a, b| a.0.cmp(b.0));
    let points: Vec<Value> = points
        .into_iter()
        .map(|(path, [x, y])| {
            let mut object = json!({"x": x, "y": y, "cluster": Value::Null});
            put_path(&mut object, path);
            object
        })
        .collect();
    let model = &world.resource::<ActiveModel>().0.manifest.id;
    json!({"model": model, "method": METHOD, "seed": 0, "points": points})
}

fn dots(world: &World) -> Vec<Dot> {
    let brightness = |entity| world.get::<Features>(entity).map_or(0.0, |features| features.brightness_hz);
    members(world).map(|(entity, position)| Dot { position, brightness_hz: brightness(entity) }).collect()
}

fn write_csv(value: &Value, out: &mut impl Write) -> Result<()> {
    writeln!(out, "path,x,y,cluster")?;
    for point in value["points"].as_array().into_iter().flatten() {
        let path = point["path"].as_str().unwrap_or_default().replace('"', "\"\"");
        writeln!(out, "\"{path}\",{},{},", point["x"], point["y"])?;
    }
    Ok(())
}
