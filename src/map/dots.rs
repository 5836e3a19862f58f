//! The dots as Bevy draws them: one mesh, one draw, into a picture that lies under the panels.
//!
//! Every dot is a square of four vertices that carry where it comes from and where it goes; the shader moves, enlarges
//! and rounds it. A new layout or new colours upload the mesh once; an animation, panning and zooming change a few
//! numbers a frame. The picture is drawn anew only when any of this has changed: a key in the list, a selection or a playhead
//! costs the copying of a picture, however many dots there are. Where dots lie over each other each is thinner, so that
//! dense places are seen to be dense; over many of them lie lines of equal density, which fade as one comes near.

use bevy::asset::{AssetEventSystems, RenderAssetUsages, load_internal_asset, uuid_handle};
use bevy::camera::visibility::{NoFrustumCulling, RenderLayers, VisibilitySystems};
use bevy::camera::{CameraOutputMode, CameraUpdateSystems, RenderTarget, Viewport};
use bevy::image::ImageSampler;
use bevy::mesh::{Indices, MeshVertexAttribute, MeshVertexBufferLayoutRef, VertexAttributeValues};
use bevy::prelude::*;
use bevy::reflect::TypePath;
use bevy::render::render_resource::{
    AsBindGroup, PrimitiveTopology, RenderPipelineDescriptor, SpecializedMeshPipelineError, TextureFormat, VertexFormat,
};
use bevy::shader::ShaderRef;
use bevy::sprite_render::{AlphaMode2d, Material2d, Material2dKey, Material2dPlugin};
use bevy::window::{PrimaryWindow, RequestRedraw};
use bevy_egui::EguiPostUpdateSet;
use half::f16;
use similarity::density::Line;

use super::shown::{Dots, Map, follow};
use super::view::Area;
use crate::palette::Palette;
use crate::schedule::MapSystems;

const SHADER: Handle<Shader> = uuid_handle!("5f1c2f6e-6c0b-4d0e-9a57-8a2c1f0b7d31");
// Any numbers that no other attribute has.
const START: MeshVertexAttribute = MeshVertexAttribute::new("Dot_Start", 0x50D0_0001, VertexFormat::Float32x2);
const END: MeshVertexAttribute = MeshVertexAttribute::new("Dot_End", 0x50D0_0002, VertexFormat::Float32x2);
const COLOUR: MeshVertexAttribute = MeshVertexAttribute::new("Dot_Colour", 0x50D0_0003, VertexFormat::Unorm8x4);
const SHAPE: MeshVertexAttribute = MeshVertexAttribute::new("Dot_Shape", 0x50D0_0004, VertexFormat::Float16x4);
/// What only the camera of the picture sees, and what only the camera that draws the picture into the window sees.
const DOTS: usize = 1;
const PICTURE: usize = 2;
/// Opacity of dots that do not lie over each other.
const OPACITY: f32 = 0.88;
/// Radius of dots that are filtered out, as a share of the others'.
const FAINT: f32 = 0.7;
/// Half the width of a contour in points, its opacity while all of the map is shown, and the zoom at which it has faded.
const CONTOUR: f32 = 0.55;
const SEEN: f32 = 0.5;
const FADED: f32 = 5.0;
/// Share of the map's section that dots take: between them is room.
const TAKEN: f32 = 0.35;
/// Corners of a square as two triangles.
const TRIANGLES: [u32; 6] = [0, 1, 2, 2, 1, 3];

/// Draws the picture into the window.
#[derive(Component)]
struct MapCamera;

/// Draws the dots into the picture; active only when they have changed.
#[derive(Component)]
struct DotsCamera;

#[derive(Component)]
struct MapDots;

/// The lines of equal density over the dots, drawn with them.
#[derive(Component)]
struct MapContours;

#[derive(Component)]
struct MapPicture;

/// Where and how the dots are drawn now.
#[derive(Asset, TypePath, AsBindGroup, Clone, Debug, Default, PartialEq)]
struct DotsMaterial {
    /// Map position in the middle of the viewport; clip units to a map unit.
    #[uniform(0)]
    view: Vec4,
    /// Clip units to a point; share of the way; points to a pixel.
    #[uniform(0)]
    screen: Vec4,
    /// Radius of a dot in points; opacity of one that is shown, and of one that is filtered out.
    #[uniform(0)]
    ink: Vec4,
}

impl Material2d for DotsMaterial {
    fn vertex_shader() -> ShaderRef {
        SHADER.into()
    }

    fn fragment_shader() -> ShaderRef {
        SHADER.into()
    }

    fn alpha_mode(&self) -> AlphaMode2d {
        AlphaMode2d::Blend
    }

    fn specialize(
        descriptor: &mut RenderPipelineDescriptor,
        layout: &MeshVertexBufferLayoutRef,
        _: Material2dKey<Self>,
    ) -> Result<(), SpecializedMeshPipelineError> {
        let attributes = [START, END, COLOUR, SHAPE];
        let places: Vec<_> = (0..).zip(attributes).map(|(i, a)| a.at_shader_location(i)).collect();
        descriptor.vertex.buffers = vec![layout.0.get_layout(&places)?];
        Ok(())
    }
}

/// Draws what [`Map`] says.
pub(super) struct DotsPlugin;

impl Plugin for DotsPlugin {
    fn build(&self, app: &mut App) {
        load_internal_asset!(app, SHADER, "../../assets/shaders/dots.wgsl", Shader::from_wgsl);
        // After the panels have said where the map is, before anything looks at what changed: no frame lags behind.
        let when = MapSystems
            .after(EguiPostUpdateSet::EndPass)
            .before(AssetEventSystems)
            .before(CameraUpdateSystems)
            .before(VisibilitySystems::VisibilityPropagate);
        app.add_plugins(Material2dPlugin::<DotsMaterial>::default())
            .configure_sets(PostUpdate, when)
            .add_systems(Startup, open)
            .add_systems(PostUpdate, (upload, show).chain().in_set(MapSystems).after(follow));
    }
}

fn open(
    mut commands: Commands,
    meshes: Res<Assets<Mesh>>,
    mut materials: ResMut<Assets<DotsMaterial>>,
    mut images: ResMut<Assets<Image>>,
) {
    let image = images.add(blank(UVec2::ONE));
    commands.spawn((
        DotsCamera,
        Camera2d,
        Camera { order: -2, is_active: false, ..default() },
        RenderTarget::Image(image.clone().into()),
        // The dots have soft edges of their own.
        Msaa::Off,
        RenderLayers::layer(DOTS),
    ));
    commands.spawn((
        MapDots,
        Mesh2d(meshes.reserve_handle()),
        MeshMaterial2d(materials.add(DotsMaterial::default())),
        NoFrustumCulling,
        RenderLayers::layer(DOTS),
    ));
    commands.spawn((
        MapContours,
        Mesh2d(meshes.reserve_handle()),
        MeshMaterial2d(materials.add(DotsMaterial::default())),
        Transform::from_xyz(0.0, 0.0, 1.0),
        NoFrustumCulling,
        Visibility::Hidden,
        RenderLayers::layer(DOTS),
    ));
    commands.spawn((
        MapCamera,
        Camera2d,
        // Below the panels' camera, which draws into the same texture without clearing it and then shows it. This one
        // is always active, because it clears.
        Camera { order: -1, output_mode: CameraOutputMode::Skip, ..default() },
        Msaa::Off,
        RenderLayers::layer(PICTURE),
    ));
    commands.spawn((
        MapPicture,
        Sprite { image, ..default() },
        NoFrustumCulling,
        Visibility::Hidden,
        RenderLayers::layer(PICTURE),
    ));
}

/// A picture of so many pixels to draw into.
fn blank(size: UVec2) -> Image {
    let mut image = Image::new_target_texture(size.x, size.y, TextureFormat::Rgba8UnormSrgb, None);
    // Each of its pixels is one of the screen.
    image.sampler = ImageSampler::nearest();
    image
}

/// Uploads the dots when any of them has a new place or colour.
fn upload(
    map: Res<Map>,
    palette: Res<Palette>,
    mesh: Single<&Mesh2d, With<MapDots>>,
    contours: Single<(&Mesh2d, &mut Visibility), With<MapContours>>,
    mut meshes: ResMut<Assets<Mesh>>,
    mut redraw: MessageWriter<RequestRedraw>,
    mut uploaded: Local<u64>,
) -> Result {
    if std::mem::replace(&mut *uploaded, map.revision()) != map.revision() {
        if !map.is_empty() {
            meshes.insert(&mesh.0, build(map.dots()))?;
        }
        let (mesh, mut visibility) = contours.into_inner();
        let lines = map.contours();
        if !lines.is_empty() {
            meshes.insert(&mesh.0, traced(lines, palette.line))?;
        }
        visibility.set_if_neq(if lines.is_empty() { Visibility::Hidden } else { Visibility::Visible });
        // The panels may show the legend only now.
        redraw.write(RequestRedraw);
    }
    if map.is_moving() {
        redraw.write(RequestRedraw);
    }
    Ok(())
}

/// Puts the picture over the map's section, and draws the dots into it if they, the view or their look have changed.
fn show(
    map: Res<Map>,
    palette: Res<Palette>,
    window: Option<Single<&Window, With<PrimaryWindow>>>,
    mut shown_by: Single<&mut Camera, (With<MapCamera>, Without<DotsCamera>)>,
    drawn_by: Single<(&mut Camera, &mut RenderTarget), (With<DotsCamera>, Without<MapCamera>)>,
    picture: Single<(&mut Sprite, &mut Visibility), With<MapPicture>>,
    dots: Single<&MeshMaterial2d<DotsMaterial>, With<MapDots>>,
    contours: Single<&MeshMaterial2d<DotsMaterial>, With<MapContours>>,
    mut materials: ResMut<Assets<DotsMaterial>>,
    mut images: ResMut<Assets<Image>>,
    mut redraw: MessageWriter<RequestRedraw>,
    mut drawn: Local<Option<(u64, UVec2)>>,
) {
    let (mut camera, mut target) = drawn_by.into_inner();
    let (mut sprite, mut visibility) = picture.into_inner();
    let window = window.map_or([0, 0], |window| window.physical_size().to_array());
    let pixels = map.area.and_then(|area| area.pixels(window)).filter(|_| !map.is_empty());
    visibility.set_if_neq(if pixels.is_some() { Visibility::Visible } else { Visibility::Hidden });
    let viewport = pixels.map(|[position, size]| Viewport {
        physical_position: position.into(),
        physical_size: size.into(),
        ..default()
    });
    let rectangle = |viewport: &Option<Viewport>| viewport.as_ref().map(|v| (v.physical_position, v.physical_size));
    if rectangle(&shown_by.viewport) != rectangle(&viewport) {
        shown_by.viewport = viewport;
    }
    let shown = pixels.and_then(|pixels| Some((UVec2::from(pixels[1]), uniform(&map, &palette, pixels)?)));
    let Some((size, next)) = shown else {
        camera.is_active = false;
        return;
    };
    let mut changed = drawn.replace((map.revision(), size)) != Some((map.revision(), size));
    if sprite.custom_size != map.area.map(|area| size.as_vec2() / area.pixels_per_point) {
        sprite.custom_size = map.area.map(|area| size.as_vec2() / area.pixels_per_point);
    }
    if camera.viewport.as_ref().is_none_or(|viewport| viewport.physical_size != size) {
        let image = images.add(blank(size));
        *target = RenderTarget::Image(image.clone().into());
        // Without it the camera would only notice one frame later that the picture has another size.
        camera.viewport = Some(Viewport { physical_size: size, ..default() });
        sprite.image = image;
        redraw.write(RequestRedraw);
    }
    let lines = DotsMaterial { ink: contour(map.zoom(), &map), ..next.clone() };
    for (handle, next) in [(&dots.0, next), (&contours.0, lines)] {
        // Looking at a material mutably uploads it.
        if materials.get(handle).is_some_and(|shown| *shown != next)
            && let Some(mut shown) = materials.get_mut(handle)
        {
            *shown = next;
            changed = true;
        }
    }
    if camera.is_active != changed {
        camera.is_active = changed;
    }
}

/// The numbers for a viewport of whole pixels, which may be less than the map's area.
fn uniform(map: &Map, palette: &Palette, [position, size]: [[u32; 2]; 2]) -> Option<DotsMaterial> {
    let area = map.area?;
    let [position, size] = [position, size].map(|pixels| pixels.map(|p| p as f32 / area.pixels_per_point));
    let middle = [0, 1].map(|axis| position[axis] + size[axis] / 2.0);
    let centre = map.view.to_map(middle, &area);
    let clip = size.map(|points| 2.0 / points);
    Some(DotsMaterial {
        view: Vec4::new(centre[0], centre[1], map.view.scale * clip[0], map.view.scale * clip[1]),
        screen: Vec4::new(clip[0], clip[1], map.share(), 1.0 / area.pixels_per_point),
        ink: ink(map.dots.shown.iter().filter(|shown| **shown).count(), map.len(), map.zoom(), &area, palette),
    })
}

/// Radius in points and opacities, by the numbers of shown and of all dots that are to be expected in the section: more are
/// smaller, so that groups stay visible as such, and thinner the more they lie over each other.
fn ink(shown: usize, all: usize, zoom: f32, area: &Area, palette: &Palette) -> Vec4 {
    let expected = [shown, all].map(|n| n as f32 / zoom.max(1.0).powi(2));
    let radius = (4.0 * (500.0 / expected[0].max(1.0)).powf(1.0 / 6.0)).clamp(1.5, 4.0);
    let [width, height] = area.size();
    let layers = |n: f32| n * std::f32::consts::PI * radius.powi(2) / (TAKEN * width * height).max(1.0);
    let [thinnest, faint] = palette.thin;
    let opacity = (OPACITY / (1.0 + layers(expected[0]) / 2.0)).max(thinnest);
    Vec4::new(radius, opacity, faint / (1.0 + layers(expected[1]) / 8.0), 0.0)
}

/// Half the width and the opacity of contours: faint while only some dots are shown, gone where single dots are seen, and
/// while dots are on their way.
fn contour(zoom: f32, map: &Map) -> Vec4 {
    let near = 1.0 - (zoom.max(1.0).ln() / FADED.ln()).min(1.0);
    let some = if map.dots.shown.iter().all(|shown| *shown) { 1.0 } else { 0.5 };
    let there = if map.is_moving() { map.share().powi(4) } else { 1.0 };
    Vec4::new(CONTOUR, SEEN * near * some * there, 0.0, 0.0)
}

/// Two vertices at each point of a line, one at either side; the shader cuts them to the line's width as it rounds dots.
fn traced(lines: &[Line], [r, g, b]: [u8; 3]) -> Mesh {
    let mut place = Vec::new();
    let mut shape: Vec<[f16; 4]> = Vec::new();
    let mut indices: Vec<u32> = Vec::new();
    for line in lines {
        let n = line.len();
        for (i, at) in line.iter().enumerate() {
            // A closed line goes on behind its ends.
            let [before, after] =
                [if i == 0 { n.saturating_sub(2) } else { i - 1 }, if i + 1 == n { 1.min(i) } else { i + 1 }];
            let along = Vec2::from(line[after]) - Vec2::from(line[before]);
            let aside = along.perp().normalize_or_zero().to_array();
            if i > 0 {
                let first = u32::try_from(place.len()).unwrap_or(0);
                indices.extend([first - 2, first - 1, first, first, first - 1, first + 1]);
            }
            place.extend([*at; 2]);
            shape.extend([1.0, -1.0].map(|side| [aside[0] * side, aside[1] * side, 1.0, 1.0].map(f16::from_f32)));
        }
    }
    let colour = vec![[r, g, b, u8::MAX]; place.len()];
    Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::RENDER_WORLD)
        .with_inserted_attribute(START, place.clone())
        .with_inserted_attribute(END, place)
        .with_inserted_attribute(COLOUR, VertexAttributeValues::Unorm8x4(colour))
        .with_inserted_attribute(SHAPE, VertexAttributeValues::Float16x4(shape))
        .with_inserted_indices(Indices::U32(indices))
}

/// Four vertices a dot; those that are filtered out come first, under the others.
fn build(dots: &Dots) -> Mesh {
    let n = dots.len();
    let (shown, faint): (Vec<usize>, Vec<usize>) = (0..n).partition(|row| dots.shown[*row]);
    let mut start = Vec::with_capacity(4 * n);
    let mut end = Vec::with_capacity(4 * n);
    let mut colour = Vec::with_capacity(4 * n);
    let mut shape: Vec<[f16; 4]> = Vec::with_capacity(4 * n);
    let mut indices: Vec<u32> = Vec::with_capacity(6 * n);
    let sizes = [1.0, FAINT].map(|size| [f16::ZERO, f16::from_f32(size)]);
    let corners = [[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]].map(|corner| corner.map(f16::from_f32));
    for row in faint.into_iter().chain(shown) {
        let look = usize::from(!dots.shown[row]);
        let [r, g, b] = dots.colours[row];
        let [zero, full] = sizes[look];
        let first = if dots.new[row] { zero } else { full };
        start.extend([dots.from[row]; 4]);
        end.extend([dots.to[row]; 4]);
        colour.extend([[r, g, b, if look == 0 { u8::MAX } else { 0 }]; 4]);
        shape.extend(corners.map(|[x, y]| [x, y, first, full]));
    }
    for dot in 0..u32::try_from(n).unwrap_or(0) {
        indices.extend(TRIANGLES.map(|corner| 4 * dot + corner));
    }
    Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::RENDER_WORLD)
        .with_inserted_attribute(START, start)
        .with_inserted_attribute(END, end)
        .with_inserted_attribute(COLOUR, VertexAttributeValues::Unorm8x4(colour))
        .with_inserted_attribute(SHAPE, VertexAttributeValues::Float16x4(shape))
        .with_inserted_indices(Indices::U32(indices))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::map::view::View;

    fn dots(n: usize) -> Dots {
        let position = |i: usize| [(i as f32).sin(), (i as f32 * 1.3).cos()];
        Dots {
            from: (0..n).map(position).collect(),
            to: (0..n).map(|i| position(i + 1)).collect(),
            new: (0..n).map(|i| i % 7 == 0).collect(),
            colours: vec![[1, 2, 3]; n],
            shown: (0..n).map(|i| i % 3 != 0).collect(),
            ..Dots::default()
        }
    }

    #[test]
    fn every_dot_is_a_square_and_those_filtered_out_lie_below() {
        let mesh = build(&dots(30));
        assert_eq!((mesh.count_vertices(), mesh.indices().unwrap().len()), (120, 180));
        let Some(VertexAttributeValues::Unorm8x4(colours)) = mesh.attribute(COLOUR) else { panic!("no colours") };
        assert!(colours[..40].iter().all(|c| *c == [1, 2, 3, 0]));
        assert!(colours[40..].iter().all(|c| *c == [1, 2, 3, 255]));
    }

    #[test]
    fn a_contour_is_a_band_of_even_width_that_closes_and_fades_as_one_comes_near() {
        let line: Line = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]].to_vec();
        let mesh = traced(&[line.clone(), line], [1, 2, 3]);
        assert_eq!((mesh.count_vertices(), mesh.indices().unwrap().len()), (20, 48));
        let Some(VertexAttributeValues::Float16x4(shape)) = mesh.attribute(SHAPE) else { panic!("no shape") };
        assert_eq!(shape[0], shape[8], "the last point has the first one's sides");
        assert!(shape.iter().all(|s| (s[0].to_f32().hypot(s[1].to_f32()) - 1.0).abs() < 1e-2));
        let mut map = Map { dots: dots(30), ..Map::default() };
        map.dots.shown = vec![true; 30];
        let [far, nearer, near] = [1.0, 2.0, 9.0].map(|zoom| contour(zoom, &map).y);
        assert!(far > nearer && nearer > 0.1 && near == 0.0, "{far} {nearer} {near}");
        map.dots.shown[3] = false;
        assert!(contour(1.0, &map).y < far);
    }

    #[test]
    fn four_times_as_many_dots_take_little_more_than_four_times_as_long() {
        let best = |n: usize| {
            let dots = dots(n);
            let took = (0..7).map(|_| {
                let started = Instant::now();
                assert_eq!(build(&dots).count_vertices(), n * 4);
                started.elapsed().as_secs_f64() * 1e3
            });
            took.fold(f64::INFINITY, f64::min)
        };
        // Both are larger than the caches and get fresh pages from the system.
        let (small, large) = (best(100_000), best(400_000));
        assert!(large < small * 10.0, "mesh of 100000 dots built in {small:.1} ms, of 400000 in {large:.1} ms");
    }

    #[test]
    fn many_dots_are_small_and_thin_until_one_comes_near() {
        let area = Area { min: [0.0, 0.0], max: [700.0, 600.0], pixels_per_point: 1.0 };
        for palette in [Palette::DARK, Palette::LIGHT] {
            let [few, many, near] =
                [(300, 1.0), (30_000, 1.0), (30_000, 10.0)].map(|(n, zoom)| ink(n, n, zoom, &area, &palette));
            assert!(few.x >= 4.0 && few.y > 0.75, "{few}");
            assert!(many.x < 2.5 && many.y < 0.65 && many.y >= palette.thin[0], "{many}");
            assert!((near - few).abs().max_element() < 1e-3, "{near}");
            assert!(few.z < 0.2 && many.z < 0.5 * many.y);
        }
    }

    #[test]
    fn what_the_shader_draws_is_where_the_map_says_it_is() {
        let area = Area { min: [101.0, 52.0], max: [500.0, 350.0], pixels_per_point: 1.5 };
        let view = View { centre: [0.3, -0.1], scale: 180.0 };
        let map = Map { view, area: Some(area), ..Map::default() };
        for window in [[2000, 1000], [600, 400]] {
            let pixels = area.pixels(window).unwrap();
            let uniform = uniform(&map, &Palette::DARK, pixels).unwrap();
            let clip = (Vec2::new(0.5, 0.25) - uniform.view.xy()) * uniform.view.zw();
            let [x, y] = view.to_screen([0.5, 0.25], &area).map(|points| points * 1.5);
            let [[left, top], [width, height]] = pixels.map(|pixels| pixels.map(|p| p as f32));
            let drawn = [left + f32::midpoint(clip.x, 1.0) * width, top + f32::midpoint(1.0, -clip.y) * height];
            assert!((drawn[0] - x).abs() < 0.01 && (drawn[1] - y).abs() < 0.01, "{drawn:?} {x} {y}");
        }
    }
}
