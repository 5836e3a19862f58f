//! `soundkin map`

use std::cmp::Reverse;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use bevy::prelude::*;
use clap::Args;
use serde_json::{Value, json};
use similarity::cluster::decode;
use similarity::layout::{Group, Layout};

use super::common::{Common, print, put_path};
use crate::analyse::ActiveModel;
use crate::atomic_file;
use crate::library::{Features, Sample};
use crate::map::picture::{Dot, write_png};
use crate::neighbours::{ActiveWeights, Demand, Projection, SpaceIndex};

#[derive(Args, Debug)]
pub(super) struct Map {
    /// File to write: .png draws the map, .csv and .json list positions [default: JSON to stdout]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Map {
    pub(super) fn run(self, common: &Common) -> Result<()> {
        let mut app = common.prepared_app(|world| {
            lay_out(world);
            // Neighbourhoods would be found for nobody: the map follows from the sounds by themselves.
            world.resource_mut::<ActiveWeights>().smooth = 0.0;
        })?;
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
    world.resource_mut::<Projection>().demand = Demand::Mapping;
}

fn layout(world: &World) -> Option<(&[Entity], &Layout)> {
    let index = world.get_resource::<SpaceIndex>()?;
    Some((index.entities.as_slice(), index.layout.as_deref()?))
}

/// The sounds on the map: position, group and the part of it.
fn members(world: &World) -> impl Iterator<Item = (Entity, [f32; 2], [usize; 2])> {
    layout(world).into_iter().flat_map(|(entities, layout)| {
        let parts = layout.clusters.parts.iter().map(|part| usize::from(*part));
        let groups = layout.clusters.of.iter().zip(parts).map(|(group, part)| [*group, part]);
        let places = layout.cloud.iter().copied().zip(groups);
        entities.iter().copied().zip(places).map(|(entity, (position, groups))| (entity, position, groups))
    })
}

/// The parts of the groups with their names, the largest first.
fn groups(layout: &Layout) -> Vec<Value> {
    let mut parts: Vec<(usize, &Group)> = layout.parts.iter().enumerate().filter(|(_, part)| part.size > 0).collect();
    parts.sort_by_key(|(id, part)| (Reverse(part.size), *id));
    let cluster = |id: usize| u8::try_from(id).ok().and_then(decode).map(|(group, _)| group);
    let value =
        |(id, part): (usize, &Group)| json!({"id": id, "name": part.name, "size": part.size, "cluster": cluster(id)});
    parts.into_iter().map(value).collect()
}

fn positions(world: &mut World) -> Value {
    let mut points: Vec<(&Path, [f32; 2], [usize; 2])> = members(world)
        .filter_map(|(entity, position, groups)| Some((world.get::<Sample>(entity)?.path.as_ref(), position, groups)))
        .collect();
    points.sort_by(|a, b| a.0.cmp(b.0));
    let points: Vec<Value> = points
        .into_iter()
        .map(|(path, [x, y], [cluster, group])| {
            let mut object = json!({"x": x, "y": y, "cluster": cluster, "group": group});
            put_path(&mut object, path);
            object
        })
        .collect();
    let model = &world.resource::<ActiveModel>().0.manifest.id;
    let layout = layout(world).map(|(_, layout)| layout);
    let clusters: Vec<&str> =
        layout.iter().flat_map(|layout| &layout.groups).map(|group| group.name.as_str()).collect();
    let groups = layout.map(groups).unwrap_or_default();
    let method = layout.map_or("pca", |layout| layout.method);
    json!({"model": model, "method": method, "seed": 0, "clusters": clusters, "groups": groups, "points": points})
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
