//! How many dimensions the tree needs and how many candidates it should propose, on real embeddings.
//!
//! `cargo bench --profile dev --bench neighbours -- FOLDER…` indexes the folders with the built-in model and prints, for every
//! sound as a query, the share of its true ten nearest (by the full vectors) that are among the `m` nearest by the
//! first `d` main components, with the basis that the model ships and with one fitted to these very sounds; then the
//! time of the tree's answer and of the exact scan.
//!
//! On the 3,167 sounds of lmms-common, hydrogen-data, sonic-pi-samples, minetest, scorched3d, simutrans, micropolis and
//! gcin-voice (Debian packages; two cores, 2026-11-23):
//!
//! ```text
//! shipped basis     m = 20    m = 50    m = 100   m = 200   m = 400
//!   8 dimensions    0.5200    0.7482    0.8850    0.9622    0.9901
//!  16 dimensions    0.7016    0.9000    0.9749    0.9962    0.9995
//!  24 dimensions    0.7996    0.9551    0.9925    0.9992    0.9999
//!  32 dimensions    0.8532    0.9769    0.9968    0.9994    1.0000
//!  64 dimensions    0.9569    0.9984    0.9998    1.0000    1.0000
//!
//! fitted basis      m = 20    m = 50    m = 100   m = 200   m = 400
//!   8 dimensions    0.5926    0.8381    0.9484    0.9893    0.9984
//!  16 dimensions    0.7936    0.9594    0.9924    0.9988    1.0000
//!  24 dimensions    0.8757    0.9847    0.9973    0.9997    1.0000
//!  32 dimensions    0.9229    0.9939    0.9990    0.9999    1.0000
//!  64 dimensions    0.9852    0.9997    1.0000    1.0000    1.0000
//!
//! 100000 sounds: space built in 0.34 s
//!   tree and re-ranking 1.30 ms
//!   exact scan          13.49 ms
//! ```
//!
//! At two hundred candidates the fitted basis gains half a thousandth, so the shipped one is used: it keeps the map
//! still while sounds come and go. Thirty-two dimensions and two hundred candidates leave room below 0.99 for
//! libraries thirty times this size, for which the candidates needed grow slowly.

use std::collections::HashSet;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bevy::prelude::*;
use half::f16;
use ndarray::{Array2, s};
use soundkin::embed::Embedding;
use soundkin::embed::manifest::{Model, Statistics};
use soundkin::project::pca;
use soundkin::project::space::Space;
use soundkin::watch::AddFolder;
use soundkin::{Assembly, headless, is_idle, run_until};

const DIMENSIONS: [usize; 5] = [8, 16, 24, 32, 64];
const CANDIDATES: [usize; 5] = [20, 50, 100, 200, 400];

fn main() -> anyhow::Result<()> {
    let folders: Vec<PathBuf> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).map(PathBuf::from).collect();
    if folders.is_empty() {
        println!("name folders of sounds: cargo bench --bench neighbours -- FOLDER…");
        return Ok(());
    }
    let model = Arc::new(Model::built_in()?);
    let vectors = embeddings(&model, folders)?;
    let rows: Vec<&[f16]> = vectors.iter().map(AsRef::as_ref).collect();
    let space = Space::build(&rows, &model.statistics);
    let dim = model.manifest.output.dim;
    let centred: Vec<Vec<f32>> = rows.iter().map(|row| space.place(row)).collect();
    let centred = Array2::from_shape_fn((rows.len(), dim), |(i, j)| centred[i][j]);
    println!("{} sounds", rows.len());
    let truth = nearest(&centred, 10);
    let shipped = Array2::from_shape_fn((64, dim), |(i, j)| model.statistics.basis[i][j]);
    table("shipped basis", &centred, &shipped, &truth);
    table("fitted basis", &centred, &pca::fit(centred.view(), 64), &truth);
    time(&rows, &model.statistics);
    Ok(())
}

fn embeddings(model: &Arc<Model>, folders: Vec<PathBuf>) -> anyhow::Result<Vec<Arc<[f16]>>> {
    let mut app = headless(Assembly::new(None, model.clone()));
    for path in folders {
        app.world_mut().write_message(AddFolder { path: path.canonicalize()?, follow: false });
    }
    app.update();
    run_until(&mut app, None, is_idle);
    let world = app.world_mut();
    Ok(world.query::<&Embedding>().iter(world).map(|e| e.vector.clone()).collect())
}

/// The `k` nearest other rows of each row by scalar product.
fn nearest(points: &Array2<f32>, k: usize) -> Vec<Vec<usize>> {
    let products = points.dot(&points.t());
    let rank = |(query, row): (usize, ndarray::ArrayView1<f32>)| {
        let mut order: Vec<usize> = (0..row.len()).filter(|i| *i != query).collect();
        let k = k.min(order.len());
        order.select_nth_unstable_by(k.saturating_sub(1), |a, b| row[*b].total_cmp(&row[*a]));
        order.truncate(k);
        order
    };
    products.outer_iter().enumerate().map(rank).collect()
}

fn table(name: &str, centred: &Array2<f32>, basis: &Array2<f32>, truth: &[Vec<usize>]) {
    print!("\n{name:<16}");
    CANDIDATES.iter().for_each(|m| print!("  m = {m:<4}"));
    println!();
    for d in DIMENSIONS {
        let reduced = centred.dot(&basis.slice(s![..d, ..]).t());
        print!("{d:>3} dimensions  ");
        for m in CANDIDATES {
            let proposed = nearest_by_distance(&reduced, m);
            let hits: usize =
                truth.iter().zip(&proposed).map(|(t, p)| t.iter().filter(|i| p.contains(*i)).count()).sum();
            let asked: usize = truth.iter().map(Vec::len).sum();
            print!("  {:.4}  ", hits as f64 / asked as f64);
        }
        println!();
    }
}

fn nearest_by_distance(points: &Array2<f32>, m: usize) -> Vec<HashSet<usize>> {
    let squares: Vec<f32> = points.outer_iter().map(|p| p.dot(&p)).collect();
    let products = points.dot(&points.t());
    let rank = |(query, row): (usize, ndarray::ArrayView1<f32>)| {
        let distance = |i: usize| squares[i] - 2.0 * row[i];
        let mut order: Vec<usize> = (0..row.len()).filter(|i| *i != query).collect();
        let m = m.min(order.len());
        order.select_nth_unstable_by(m.saturating_sub(1), |a, b| distance(*a).total_cmp(&distance(*b)));
        order.truncate(m);
        order.into_iter().collect()
    };
    products.outer_iter().enumerate().map(rank).collect()
}

/// Times the tree and the scan on these sounds, repeated with a little noise up to 100,000.
fn time(rows: &[&[f16]], statistics: &Statistics) {
    const SIZE: usize = 100_000;
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state as f32 / u32::MAX as f32 - 0.5) * 0.01
    };
    let grown: Vec<Vec<f16>> =
        (0..SIZE).map(|i| rows[i % rows.len()].iter().map(|v| f16::from_f32(v.to_f32() + noise())).collect()).collect();
    let views: Vec<&[f16]> = grown.iter().map(Vec::as_slice).collect();
    let started = Instant::now();
    let space = Space::build(&views, statistics);
    println!("\n{SIZE} sounds: space built in {:.2} s", started.elapsed().as_secs_f64());
    let queries: Vec<Vec<f32>> = (0..50).map(|i| space.place(views[i * 1987])).collect();
    let started = Instant::now();
    queries.iter().for_each(|q| drop(black_box(space.quick(q, 20, |_| true))));
    println!("  tree and re-ranking {:.2} ms", started.elapsed().as_secs_f64() * 20.0);
    let started = Instant::now();
    queries.iter().for_each(|q| drop(black_box(space.exact(q, 20, |_| true))));
    println!("  exact scan          {:.2} ms", started.elapsed().as_secs_f64() * 20.0);
    let share: usize = queries
        .iter()
        .map(|q| {
            let exact = space.exact(q, 10, |_| true).neighbours;
            let quick = space.quick(q, 10, |_| true).neighbours;
            exact.iter().filter(|n| quick.contains(n)).count()
        })
        .sum();
    println!("  recall@10           {:.3}", share as f64 / 500.0);
}
