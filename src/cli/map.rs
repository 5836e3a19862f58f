//! `soundkin map`

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use bevy::prelude::*;
use clap::Args;
use serde_json::{Value, json};
use similarity::layout::Layout;

use super::{Common, print, put_path};
use crate::analyse::ActiveModel;
use crate::atomic_file;
use crate::library::{Features, Sample};
use crate::map::picture::{Dot, write_png};
use crate::neighbours::{Need, Projection, SpaceIndex};

#[derive(Args, Debug)]
pub(super) struct Map {
    /// File to write: .png draws the map, .csv and .json list positions [default: JSON to stdout]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Map {
    pub(super) fn run(self, common: &Common) -> Result<()> {
        let mut app = common.prepared_app(lay_out)?;
        let Some(out) = self.out else {
            let value = positions(app.world_mut());
            return print(|out| writeln!(out, "{value}"));
        };
        let points = write(app.world_mut(), &out)?;
        let written = std::path::absolute(&out)?;
        let value = json!({"file": written.to_string_lossy(), "points": points});
        common.print(&value, |out| writeln!(out, "{points} sounds: {}", written.display()))
    }
}

/// Writes the map in the format that the file's ending names; returns the number of points.
pub(super) fn write(world: &mut World, out: &Path) -> Result<usize> {
    let ending = out.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    if !matches!(ending.as_str(), "png" | "csv" | "json") {
        bail!("unknown map format; choose a file name ending in .png, .csv or .json: {}", out.display());
    }
    let value = positions(world);
    let written = atomic_file::replace::<anyhow::Error>(out, |file| {
        let mut file = BufWriter::new(file);
        match ending.as_str() {
            "png" => write_png(&dots(world), &mut file)?,
            "csv" => write_csv(&value, &mut file)?,
            _ => writeln!(file, "{value}")?,
        }
        Ok(file.flush()?)
    });
    if let Err(error) = written {
        bail!("cannot write file ({error}); check the folder and the free disk space: {}", out.display());
    }
    Ok(value["points"].as_array().map_or(0, Vec::len))
}

/// Requests a layout of the map; must be called before the app runs.
pub(super) fn lay_out(world: &mut World) {
    world.resource_mut::<Projection>().need = Need::Mapping;
}

fn layout(world: &World) -> Option<(&[Entity], &Layout)> {
    let index = world.get_resource::<SpaceIndex>()?;
    Some((index.entities.as_slice(), index.layout.as_deref()?))
}

/// The sounds on the map: position and group.
fn members(world: &World) -> impl Iterator<Item = (Entity, [f32; 2], usize)> {
    layout(world).into_iter().flat_map(|(entities, layout)| {
        let places = layout.cloud.iter().copied().zip(layout.clusters.of.iter().copied());
        entities.iter().copied().zip(places).map(|(entity, (position, group))| (entity, position, group))
    })
}

fn positions(world: &mut World) -> Value {
    let mut points: Vec<(&Path, [f32; 2], usize)> = members(world)
        .filter_map(|(entity, position, group)| Some((world.get::<Sample>(entity)?.path.as_ref(), position, group)))
        .collect();
    points.sort_by(|a, b| a.0.cmp(b.0));
    let points: Vec<Value> = points
        .into_iter()
        .map(|(path, [x, y], group)| {
            let mut object = json!({"x": x, "y": y, "cluster": group});
            put_path(&mut object, path);
            object
        })
        .collect();
    let model = &world.resource::<ActiveModel>().0.manifest.id;
    let (method, clusters) = layout(world).map_or(("pca", &[][..]), |(_, layout)| (layout.method, &layout.labels));
    json!({"model": model, "method": method, "seed": 0, "clusters": clusters, "points": points})
}

fn dots(world: &World) -> Vec<Dot> {
    let brightness = |entity| world.get::<Features>(entity).map_or(0.0, |features| features.brightness_hz);
    members(world).map(|(entity, position, _)| Dot { position, brightness_hz: brightness(entity) }).collect()
}

fn write_csv(value: &Value, out: &mut impl Write) -> Result<()> {
    writeln!(out, "path,x,y,cluster")?;
    for point in value["points"].as_array().into_iter().flatten() {
        let path = point["path"].as_str().unwrap_or_default().replace('"', "\"\"");
        writeln!(out, "\"{path}\",{},{},{}", point["x"], point["y"], point["cluster"])?;
    }
    Ok(())
}
