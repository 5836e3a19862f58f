//! `soundkin models`

use anyhow::Result;
use model::registry::{self, Installed};
use serde_json::{Value, json};

use super::common::Common;
use crate::paths;

pub(super) fn run(common: &Common) -> Result<()> {
    let in_use = common.find_model()?;
    let models = registry::installed(&paths::model_folders());
    let describe = |installed: &Installed| match &installed.model {
        Ok(model) => json!({
            "id": model.manifest.id,
            "title": model.manifest.title,
            "license": model.manifest.license.spdx,
            "attribution": model.manifest.license.attribution,
            "url": model.manifest.license.url,
            "sha256": model.sha256,
            "dim": model.manifest.output.dim,
            "head": model.manifest.head.as_ref().map(|head| json!({
                "file": head.file,
                "license": head.license.spdx,
                "attribution": head.license.attribution,
                "dim": head.dim,
                "weight": head.weight,
            })),
            "bytes": model.network.len(),
            "path": model.path.as_ref().map(|p| p.to_string_lossy()),
            "in_use": model.key == in_use.key,
        }),
        Err(error) => json!({"error": error.to_string()}),
    };
    let value = json!({"models": models.iter().map(describe).collect::<Vec<Value>>()});
    common.print(&value, |out| {
        for model in &models {
            match &model.model {
                Ok(model) => {
                    let mark = if model.key == in_use.key { '*' } else { ' ' };
                    let place = model.path.as_ref().map_or("built in".to_owned(), |p| p.display().to_string());
                    let m = &model.manifest;
                    writeln!(out, "{mark} {:<12} {} · {} · {place}", m.id, m.title, m.license.spdx)?;
                    writeln!(out, "  {:<12} sha256 {}", "", model.sha256)?;
                    writeln!(out, "  {:<12} {}", "", m.license.attribution)?;
                    if let Some(head) = &m.head {
                        writeln!(
                            out,
                            "  {:<12} head {} · {} · weight {}",
                            "", head.file, head.license.spdx, head.weight
                        )?;
                    }
                }
                Err(error) => writeln!(out, "! {error}")?,
            }
        }
        Ok(())
    })
}
