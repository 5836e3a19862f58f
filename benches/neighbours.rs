//! How many dimensions the tree needs and how many candidates it should propose, on real sounds.
//!
//! `cargo bench --profile dev --bench neighbours -- FOLDER…` indexes the folders with the built-in model and prints, for every
//! sound as a query and for three weights of the head, the share of its true ten nearest (by the joined vectors) that are
//! among the `m` nearest by the first `d` main components, with the basis that the model ships for its usual weight and with one
//! fitted to these very sounds; then the time of the tree's answer, of the exact scan, and of another weight.
//!
//! On the 3,167 sounds of lmms-common, hydrogen-data, sonic-pi-samples, minetest, scorched3d, simutrans, micropolis and
//! gcin-voice (Debian packages; four cores, 2026-11-23):
//!
//! ```text
//! 0.7, shipped basis    m = 20    m = 50    m = 100   m = 200   m = 400
//!       8 dimensions    0.5506    0.7791    0.9065    0.9740    0.9947
//!      16 dimensions    0.7645    0.9383    0.9881    0.9988    0.9999
//!      24 dimensions    0.8726    0.9843    0.9988    0.9999    1.0000
//!      32 dimensions    0.9291    0.9960    0.9998    1.0000    1.0000
//!
//! 0.7, fitted basis     m = 20    m = 50    m = 100   m = 200   m = 400
//!       8 dimensions    0.6423    0.8763    0.9677    0.9949    0.9997
//!      16 dimensions    0.8519    0.9823    0.9979    0.9999    1.0000
//!      24 dimensions    0.9300    0.9964    0.9997    1.0000    1.0000
//!      32 dimensions    0.9685    0.9991    1.0000    1.0000    1.0000
//!      64 dimensions    0.9984    1.0000    1.0000    1.0000    1.0000
//!
//! 0, fitted basis       m = 20    m = 50    m = 100   m = 200   m = 400
//!       8 dimensions    0.6043    0.8452    0.9510    0.9902    0.9985
//!      16 dimensions    0.8099    0.9644    0.9941    0.9994    1.0000
//!      24 dimensions    0.8877    0.9881    0.9986    0.9999    1.0000
//!      32 dimensions    0.9293    0.9947    0.9997    1.0000    1.0000
//!      64 dimensions    0.9854    0.9999    1.0000    1.0000    1.0000
//!
//! 100000 sounds: space built in 0.59 s
//!   another weight      0.37 s
//!   tree and re-ranking 0.83 ms
//!   exact scan          10.19 ms
//!     with group weights 13.47 ms
//!   recall@10           1.000
//! ```
//!
//! At two hundred candidates the fitted basis gains nothing, so the shipped one is used at the usual weight: it keeps the map
//! still while sounds come and go. Thirty-two dimensions and two hundred candidates leave room below 0.99 for libraries
//! thirty times this size, for which the candidates needed grow slowly.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod folders;
mod scale;

use std::collections::HashSet;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bevy::prelude::*;
use half::f16;
use model::Model;
use model::head::Statistics;
use ndarray::{Array2, s};
use similarity::pca;
use similarity::space::{CANDIDATES, DIMS, Heard, Space};
use similarity::weights::Weights;
use soundkin::library::{Descriptors, Embedding};
use soundkin::watch::AddFolder;
use soundkin::{Assembly, headless, is_idle, run_until};

const DIMENSIONS: [usize; 5] = [8, 16, 24, DIMS, 64];
const PROPOSED: [usize; 5] = [20, 50, 100, CANDIDATES, 400];

type Sound = (Embedding, Descriptors);

fn main() -> anyhow::Result<()> {
    let folders = folders::named();
    if folders.is_empty() {
        println!("name one or more folders of sounds: cargo bench --bench neighbours -- FOLDER…");
        return Ok(());
    }
    let model = Arc::new(Model::built_in()?);
    let sounds = sounds(&model, folders)?;
    println!("{} sounds", sounds.len());
    let statistics = Arc::new(model.statistics.clone());
    let usual = statistics.usual_weight();
    for weight in [usual, 0.3, 0.0] {
        let joined = joined(&sounds, &statistics, weight);
        let truth = nearest(&joined, 10);
        if let Some(head) = statistics.head.as_ref().filter(|head| (head.weight - weight).abs() < f32::EPSILON) {
            let shipped = Array2::from_shape_fn((head.basis.len(), joined.ncols()), |(i, j)| head.basis[i][j]);
            table(&format!("{weight}, shipped basis"), &joined, &shipped, &truth);
        }
        table(&format!("{weight}, fitted basis"), &joined, &pca::fit(joined.view(), 64), &truth);
    }
    time(&sounds, &statistics, usual);
    Ok(())
}

fn sounds(model: &Arc<Model>, folders: Vec<PathBuf>) -> anyhow::Result<Vec<Sound>> {
    let mut app = headless(Assembly::new(None, model.clone()));
    for path in folders {
        app.world_mut().write_message(AddFolder { path: path.canonicalize()?, follow: false });
    }
    app.update();
    run_until(&mut app, None, is_idle);
    let world = app.world_mut();
    let mut samples = world.query::<(&Embedding, &Descriptors)>();
    Ok(samples.iter(world).map(|(embedding, descriptors)| (embedding.clone(), descriptors.clone())).collect())
}

/// Head and raw part of each sound, each times the root of its weight.
fn joined(sounds: &[Sound], statistics: &Statistics, weight: f32) -> Array2<f32> {
    let rows = sounds.iter().map(|(embedding, descriptors)| {
        let pooled: Vec<f32> = embedding.vector.iter().map(|v| v.to_f32()).collect();
        let raw = statistics.raw(&pooled, Some(&descriptors.0));
        let head = embedding.head.iter().map(|v| v.to_f32() * weight.sqrt());
        head.chain(raw.iter().map(|v| v * (1.0 - weight).sqrt())).collect::<Vec<f32>>()
    });
    let rows: Vec<Vec<f32>> = rows.collect();
    Array2::from_shape_fn((rows.len(), rows.first().map_or(0, Vec::len)), |(i, j)| rows[i][j])
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

fn table(name: &str, joined: &Array2<f32>, basis: &Array2<f32>, truth: &[Vec<usize>]) {
    print!("\n{name:<20}");
    PROPOSED.iter().for_each(|m| print!("  m = {m:<4}"));
    println!();
    for d in DIMENSIONS.into_iter().filter(|d| *d <= basis.nrows()) {
        let reduced = joined.dot(&basis.slice(s![..d, ..]).t());
        print!("{d:>7} dimensions  ");
        for m in PROPOSED {
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
fn time(sounds: &[Sound], statistics: &Arc<Statistics>, weight: f32) {
    const SIZE: usize = 100_000;
    let size = scale::or_few(SIZE, 2000);
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state as f32 / u32::MAX as f32 - 0.5) * 0.01
    };
    let mut vary = |v: &[f16]| v.iter().map(|v| f16::from_f32(v.to_f32() + noise())).collect::<Vec<f16>>();
    let like = |i: usize| &sounds[i % sounds.len()];
    let grown: Vec<[Vec<f16>; 2]> =
        (0..size).map(|i| [&like(i).0.vector, &like(i).0.head].map(|of| vary(of))).collect();
    let grown = grown.iter().zip(sounds.iter().cycle());
    let grown: Vec<Heard> =
        grown.map(|([pooled, head], (_, d))| Heard { pooled, descriptors: Some(&d.0), head }).collect();
    let started = Instant::now();
    let usual = Weights::usual(weight);
    let plain = Weights { smooth: 0.0, ..usual };
    let space = Space::build(&grown, statistics, &plain);
    println!("\n{size} sounds: space built in {:.2} s", started.elapsed().as_secs_f64());
    let started = Instant::now();
    black_box(space.reweighted(&Weights { head: 0.3, ..plain }));
    println!("  another weight      {:.2} s", started.elapsed().as_secs_f64());
    let started = Instant::now();
    let space = space.reweighted(&usual);
    println!("  with neighbourhoods {:.2} s", started.elapsed().as_secs_f64());
    let row = |i: usize| i * 1987 % size;
    let queries: Vec<_> = (0..50).map(|i| space.surround(space.query_vector(grown[row(i)]), Some(row(i)))).collect();
    let grouped = Weights { groups: [0.2; 5], ..plain };
    for (name, weights) in [("tree and re-ranking", plain), ("  smoothed", usual)] {
        let started = Instant::now();
        queries.iter().for_each(|q| drop(black_box(space.quick(q, &weights, 20, &|_| true))));
        println!("  {name:<19} {:.2} ms", started.elapsed().as_secs_f64() * 20.0);
    }
    for (name, weights) in [("exact scan", plain), ("  with group weights", grouped), ("  smoothed", usual)] {
        let started = Instant::now();
        queries.iter().for_each(|q| drop(black_box(space.exact(q, &weights, 20, &|_| true))));
        println!("  {name:<19} {:.2} ms", started.elapsed().as_secs_f64() * 20.0);
    }
    for (name, weights) in [("recall@10", plain), ("  smoothed", usual)] {
        let share: usize = queries
            .iter()
            .map(|q| {
                let exact = space.exact(q, &weights, 10, &|_| true).neighbours;
                let quick = space.quick(q, &weights, 10, &|_| true).neighbours;
                exact.iter().filter(|n| quick.contains(n)).count()
            })
            .sum();
        println!("  {name:<19} {:.4}", share as f64 / 500.0);
    }
}
