//! `soundkin embed FILE…`

use std::path::PathBuf;

use anyhow::{Result, bail};
use bevy::prelude::*;
use clap::Args;
use serde_json::{Value, json};

use super::common::{Common, failed_json, put_path, sample_or_transient};
use crate::analyse::{ActiveModel, Analysis};
use crate::library::{Descriptors, Embedding, Failed, Sample, Stage};
use crate::{Assembly, headless};

#[derive(Args, Debug)]
pub(super) struct Embed {
    /// Sound files
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

impl Embed {
    pub(super) fn run(self, common: &Common) -> Result<()> {
        let mut app = headless(Assembly::new(None, common.find_model()?));
        let mut asked = Vec::new();
        let mut failures: Vec<(PathBuf, Stage, String)> = Vec::new();
        for file in &self.files {
            match sample_or_transient(app.world_mut(), file) {
                Ok(entity) => asked.push(entity),
                Err(error) => {
                    let path = std::path::absolute(file).unwrap_or_else(|_| file.clone());
                    failures.push((path, Stage::Decode, error.why.to_string()));
                }
            }
        }
        common.wait(&mut app)?;
        let world = app.world();
        let mut embeddings = Vec::new();
        for entity in asked {
            let Some(sample) = world.get::<Sample>(entity) else { continue };
            match (world.get::<Embedding>(entity), world.get::<Failed>(entity)) {
                (Some(embedding), _) => {
                    let descriptors = world.get::<Descriptors>(entity).cloned();
                    embeddings.push((sample.path.clone(), embedding.clone(), descriptors));
                }
                (None, Some(failed)) => failures.push((sample.path.to_path_buf(), failed.stage, failed.to_string())),
                (None, None) => {}
            }
        }
        if embeddings.is_empty() {
            if let Some(reason) = &world.resource::<Analysis>().blocked {
                bail!(reason.clone());
            }
            if let [(path, _, reason)] = failures.as_slice() {
                bail!("{reason}: {}", path.display());
            }
        }
        for (path, _, reason) in &failures {
            common.say(&format!("{reason}: {}", path.display()));
        }
        let model = &world.resource::<ActiveModel>().0;
        let manifest = &model.manifest;
        let windows = |embedding: &Embedding| embedding.windows.as_ref().map_or(1, |w| w.spans.len());
        let value = json!({
            "model": manifest.id,
            "dim": manifest.output.dim,
            "embeddings": embeddings.iter().map(|(path, embedding, descriptors)| {
                let vector: Vec<f32> = embedding.vector.iter().map(|v| v.to_f32()).collect();
                let mut object = json!({"vector": vector, "windows": windows(embedding)});
                object["descriptors"] = json!(descriptors.as_ref().map(|d| d.0.as_slice()));
                if model.statistics.head.is_some() {
                    object["head"] = json!(embedding.head.iter().map(|v| v.to_f32()).collect::<Vec<f32>>());
                    object["raw"] = json!(model.statistics.raw(&vector, descriptors.as_ref().map(|d| &*d.0)));
                }
                put_path(&mut object, path);
                object
            }).collect::<Vec<Value>>(),
            "failed": failures.iter().map(|(path, stage, reason)| failed_json(path, *stage, reason)).collect::<Vec<Value>>(),
        });
        common.print(&value, |out| {
            for (path, embedding, _) in &embeddings {
                let head: Vec<String> = embedding.vector.iter().take(4).map(|v| format!("{:.3}", v.to_f32())).collect();
                writeln!(out, "{} … ({} windows)  {}", head.join(" "), windows(embedding), path.display())?;
            }
            Ok(())
        })?;
        if embeddings.is_empty() {
            bail!("none of the files could be embedded");
        }
        Ok(())
    }
}
