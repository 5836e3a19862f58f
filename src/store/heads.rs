//! Heads, computed anew from what is kept when a model has another head than before: vector, descriptors and side
//! outputs, without the audio. It is done in steps between other work, and told and stored as a whole, so that sounds with
//! the new head and sounds without it are compared for no longer than it takes to read them.

use std::sync::Arc;

use half::f16;
use model::Model;
use model::side::SideOutputs;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows::{self, descriptors};
use crate::library::{ContentHash, head};

/// Contents read in a step.
const STEP: usize = 256;

/// Content with the head that was made of it.
pub(super) type Renewed = (ContentHash, Arc<[f16]>);

/// What has been computed so far.
#[derive(Default)]
pub(super) struct Renewal {
    last: Vec<u8>,
    pub(super) heads: Vec<Renewed>,
    /// Content whose side outputs are not there, so that it has to be heard again.
    pub(super) lost: Vec<ContentHash>,
}

impl Renewal {
    /// Goes on for a step; tells whether there is more to do.
    pub(super) fn step(&mut self, connection: &Connection, model: &Model, number: i64) -> rusqlite::Result<bool> {
        let mut statement = connection.prepare_cached(
            "SELECT e.hash, e.vector, c.descriptors, o.bytes
             FROM embedding e JOIN content c ON c.hash = e.hash
                  LEFT JOIN side_output o ON o.hash = e.hash AND o.model = e.model
             WHERE e.model = ?1 AND e.hash > ?2
                   AND NOT EXISTS (SELECT 1 FROM head h WHERE h.hash = e.hash AND h.model = ?1 AND h.file = ?3)
             ORDER BY e.hash LIMIT ?4",
        )?;
        let mut rows = statement.query(params![number, self.last, model.head_id, STEP.cast_signed()])?;
        let mut met = 0;
        while let Some(row) = rows.next()? {
            met += 1;
            self.last = row.get(0)?;
            let Ok(hash) = self.last.as_slice().try_into().map(ContentHash) else { continue };
            match made(row, model)? {
                Made::Head(head) => self.heads.push((hash, head)),
                Made::Lost => self.lost.push(hash),
                Made::Undescribed => {}
            }
        }
        Ok(met == STEP)
    }

    /// Stores what was computed.
    pub(super) fn save(&self, connection: &mut Connection, model: &Model, number: i64) -> rusqlite::Result<()> {
        let transaction = connection.transaction()?;
        for (hash, head) in &self.heads {
            rows::save_head(&transaction, *hash, number, model.head_id.as_deref(), head)?;
        }
        transaction.commit()
    }
}

/// Makes and stores the head of content that has its descriptors only now.
pub(super) fn of_content(
    connection: &Connection,
    model: &Model,
    number: i64,
    hash: ContentHash,
) -> rusqlite::Result<Option<Renewed>> {
    let mut statement = connection.prepare_cached(
        "SELECT e.hash, e.vector, c.descriptors, o.bytes
         FROM embedding e JOIN content c ON c.hash = e.hash
              LEFT JOIN side_output o ON o.hash = e.hash AND o.model = e.model
         WHERE e.model = ?1 AND e.hash = ?2",
    )?;
    let made = statement.query_row(params![number, hash.0.as_slice()], |row| made(row, model)).optional()?;
    let Some(Made::Head(head)) = made else { return Ok(None) };
    rows::save_head(connection, hash, number, model.head_id.as_deref(), &head)?;
    Ok(Some((hash, head)))
}

enum Made {
    Head(Arc<[f16]>),
    /// It has no descriptors yet.
    Undescribed,
    /// What was kept is not enough.
    Lost,
}

fn made(row: &Row, model: &Model) -> rusqlite::Result<Made> {
    let vector: Vec<f16> = rows::bytes_to_halves(&row.get::<_, Vec<u8>>(1)?).collect();
    let described = row.get::<_, Option<Vec<u8>>>(2)?.and_then(|bytes| descriptors(&bytes));
    let Some(described) = described else { return Ok(Made::Undescribed) };
    let sides = row.get::<_, Option<Vec<u8>>>(3)?.unwrap_or_default();
    let sides = SideOutputs::read(&sides, &model.manifest.side_dims()).unwrap_or_default();
    let head = head(model, &vector, Some(&described.0), &sides);
    Ok(if head.is_empty() { Made::Lost } else { Made::Head(head) })
}
