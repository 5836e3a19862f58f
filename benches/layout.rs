//! How many true neighbours are neighbours on the map, and how long it takes to lay out.
//!
//! `cargo bench --profile dev --bench layout -- FOLDER…` indexes the folders with the built-in model and prints, over all
//! sounds, the mean share of the ten nearest (by the full vectors) that are among the ten nearest on the map, for the
//! first two main components and for the layout; then the time for as many sounds as large libraries have, made of these
//! with some noise, and how far a second layout that starts from the first, for another weight, moves them, in map units.
//!
//! On the demo library and on the 503 sounds of lmms-common, hydrogen-data and sonic-pi-samples (Debian packages; one
//! thread of a shared four-core machine, 2026-11-23):
//!
//! ```text
//!                         demo    packages
//! two main components     0.545      0.195
//! cloud                   0.792      0.601
//! grid                    0.529      0.410
//! cloud, grown in 8 parts 0.791      0.609
//!
//!             laid out   again   moved by
//!     503        0.1 s
//!   5,000        1.1 s   0.7 s     0.015
//!  20,000        3.5 s   2.7 s     0.008
//! 100,000        8.2 s   7.6 s     0.008
//! ```

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod folders;
mod scale;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bevy::prelude::*;
use half::f16;
use model::Model;
use model::head::Statistics;
use scale::or_few;
use similarity::layout::{Before, Layout, LayoutKey, SavedPositions};
use similarity::space::{Heard, Space};
use similarity::weights::Weights;
use soundkin::library::{Descriptors, Embedding, Sample};
use soundkin::watch::AddFolder;
use soundkin::{Assembly, headless, is_idle, run_until};

/// Parts in which a library comes.
const STEPS: usize = 8;

fn main() -> anyhow::Result<()> {
    let folders = folders::named();
    if folders.is_empty() {
        println!("name one or more folders of sounds: cargo bench --bench layout -- FOLDER…");
        return Ok(());
    }
    let model = Arc::new(Model::built_in()?);
    let mut app = headless(Assembly::new(None, model.clone()));
    for path in folders {
        app.world_mut().write_message(AddFolder { path: path.canonicalize()?, follow: false });
    }
    app.update();
    run_until(&mut app, None, is_idle);
    let world = app.world_mut();
    let mut samples = world.query::<(&Sample, &Embedding, &Descriptors)>();
    let mut sounds: Vec<(&Sample, &Embedding, &Descriptors)> = samples.iter(world).collect();
    sounds.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    let heard: Vec<Heard> =
        sounds.iter().map(|(_, e, d)| Heard { pooled: &e.vector, descriptors: Some(&d.0), head: &e.head }).collect();
    let paths: Vec<&Path> = sounds.iter().map(|sound| sound.0.path.as_ref()).collect();
    let statistics = Arc::new(model.statistics.clone());
    let weights = Weights { smooth: 0.0, ..Weights::usual(statistics.usual_weight()) };
    let space = Space::build(&heard, &statistics, &weights);
    let (layout, took) = timed(&space, &paths);
    println!("{} sounds, laid out in {took:.2} s", space.len());
    let names: Vec<&str> = layout.groups.iter().map(|group| group.name.as_str()).collect();
    println!("  groups: {}", names.join(" · "));
    println!("  true neighbours kept by two main components {:.3}", kept(&space, space.positions()));
    println!("  true neighbours kept by the cloud           {:.3}", kept(&space, &layout.cloud));
    println!("  true neighbours kept by the grid            {:.3}", kept(&space, &layout.grid));
    println!("  kept by a cloud that grew in {STEPS} steps       {:.3}", grown(&heard, &paths, &statistics, &weights));
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state as f32 / u32::MAX as f32 - 0.5) * 0.03
    };
    for n in [5000, 20_000, 100_000].map(|n| or_few(n, n / 100)) {
        let mut vary =
            |i: usize| heard[i % heard.len()].pooled.iter().map(|v| f16::from_f32(v.to_f32() + noise())).collect();
        let grown: Vec<Vec<f16>> = (0..n).map(&mut vary).collect();
        let grown = grown.iter().zip(heard.iter().cycle());
        let grown: Vec<Heard> = grown.map(|(pooled, like)| Heard { pooled, ..*like }).collect();
        let paths: Vec<&Path> = (0..n).map(|i| paths[i % paths.len()]).collect();
        let space = Space::build(&grown, &statistics, &weights);
        let (layout, took) = timed(&space, &paths);
        let started = Instant::now();
        drop(space.reweighted(&Weights::usual(statistics.usual_weight())));
        let found = started.elapsed().as_secs_f64();
        println!("{n} sounds, laid out in {took:.2} s, neighbourhoods found in {found:.2} s");
        let started = Instant::now();
        // Under another weight, so that the places do not just hold.
        let all: Vec<usize> = (0..n).collect();
        let before = layout.spots(&keys(&all, 0.0), &SavedPositions::default()).before(&keys(&all, 1.0));
        let again = Layout::build(&space, &paths, &before, &|| false).unwrap_or_default();
        let moved = layout.cloud.iter().zip(&again.cloud).map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1]));
        println!("  again in {:.2} s, moved by {:.4}", started.elapsed().as_secs_f64(), moved.sum::<f32>() / n as f32);
    }
    Ok(())
}

/// What a map keeps that was laid out whenever another part of the sounds had come, in an order that has nothing to do
/// with them.
fn grown(heard: &[Heard], paths: &[&Path], statistics: &Arc<Statistics>, weights: &Weights) -> f64 {
    let mut order: Vec<usize> = (0..heard.len()).collect();
    order.sort_by_key(|row| (row * 7919 + 13) % heard.len().max(1));
    let (mut last, mut spots) = (None, SavedPositions::default());
    for step in 1..=STEPS {
        let part = &order[..heard.len() * step / STEPS];
        let space = Space::build(&part.iter().map(|row| heard[*row]).collect::<Vec<_>>(), statistics, weights);
        let paths: Vec<&Path> = part.iter().map(|row| paths[*row]).collect();
        let keys = keys(part, weights.key());
        let layout = Layout::build(&space, &paths, &spots.before(&keys), &|| false).unwrap_or_default();
        spots = layout.spots(&keys, &spots);
        last = Some((layout, space));
    }
    last.map_or(0.0, |(layout, space): (Layout, Space)| kept(&space, &layout.cloud))
}

fn keys(sounds: &[usize], weight: f32) -> Vec<Option<LayoutKey>> {
    let hash = |sound: &usize| *blake3::hash(&sound.to_le_bytes()).as_bytes();
    sounds.iter().map(|sound| Some(LayoutKey { hash: hash(sound), described: true, weight })).collect()
}

fn timed(space: &Space, paths: &[&Path]) -> (Layout, f64) {
    let started = Instant::now();
    let layout = Layout::build(space, paths, &Before::default(), &|| false).unwrap_or_default();
    (layout, started.elapsed().as_secs_f64())
}

/// Mean over at most a thousand sounds.
fn kept(space: &Space, positions: &[[f32; 2]]) -> f64 {
    let n = positions.len();
    let queries: Vec<usize> = (0..n).step_by(n.div_ceil(1000)).collect();
    let all: Vec<usize> = (0..n).collect();
    let truth = space.nearest(&queries, &all, 10, &|| false);
    let mut hits = 0;
    for (query, truth) in queries.iter().zip(truth.rows.chunks(truth.k)) {
        let squared = |i: usize| (0..2).map(|axis| (positions[i][axis] - positions[*query][axis]).powi(2)).sum::<f32>();
        let mut order: Vec<usize> = (0..n).filter(|i| i != query).collect();
        order.select_nth_unstable_by(truth.len() - 1, |a, b| squared(*a).total_cmp(&squared(*b)));
        hits += truth.iter().filter(|row| order[..truth.len()].contains(&(**row as usize))).count();
    }
    hits as f64 / truth.rows.len() as f64
}
