//! `soundkin export FILE… --to FOLDER`

use dsp::Span;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::common::{Common, file_at, put_path, put_path_as, region};
use crate::export::{Copied, ExportError, copy_to};

#[derive(Args, Debug)]
pub(super) struct Export {
    /// Sound files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Folder to copy into; created if it does not exist, and no file in it is ever overwritten
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    /// Copy only this part, in seconds, as a WAV file
    #[arg(long, value_name = "FROM..TO", value_parser = region)]
    region: Option<Span>,
}

/// A file that is where it was wanted: from where, to where, and whether it is new there.
struct Exported {
    from: PathBuf,
    to: Arc<Path>,
    new: bool,
}

impl Export {
    pub(super) fn run(self, common: &Common) -> Result<()> {
        let folder = std::path::absolute(&self.to)?;
        if folder.exists() && !folder.is_dir() {
            bail!("not a folder; choose another for --to: {}", folder.display());
        }
        let mut exported: Vec<Exported> = Vec::new();
        let mut failed: Vec<(PathBuf, String)> = Vec::new();
        for file in &self.files {
            let from = std::path::absolute(file)?;
            if let Err(error) = file_at(file) {
                failed.push((from, error.why.to_string()));
                continue;
            }
            match copy_to(&from, self.region, &folder) {
                Ok(Copied::To(to)) => exported.push(Exported { from, to, new: true }),
                Ok(Copied::There(to)) => exported.push(Exported { from, to, new: false }),
                Err(error @ ExportError::Write(_)) => failed.push((folder.clone(), error.to_string())),
                Err(error) => failed.push((from, error.to_string())),
            }
        }
        if let ([], [(path, reason)]) = (exported.as_slice(), failed.as_slice()) {
            bail!("{reason}: {}", path.display());
        }
        for one in exported.iter().filter(|one| !one.new) {
            common.say(&format!("already there: {}", one.to.display()));
        }
        for (path, reason) in &failed {
            common.say(&format!("{reason}: {}", path.display()));
        }
        let value = json!({
            "to": folder.to_string_lossy(),
            "exported": exported.iter().map(|one| {
                let mut object = json!({"new": one.new});
                put_path_as("to", &mut object, &one.to);
                put_path(&mut object, &one.from);
                object
            }).collect::<Vec<Value>>(),
            "failed": failed.iter().map(|(path, reason)| {
                let mut object = json!({"stage": "export", "reason": reason});
                put_path(&mut object, path);
                object
            }).collect::<Vec<Value>>(),
        });
        common.print(&value, |out| exported.iter().try_for_each(|one| writeln!(out, "{}", one.to.display())))?;
        if exported.is_empty() {
            bail!("none of the files could be exported");
        }
        Ok(())
    }
}
