// Round dots of a constant size on the screen, on their way from one place on the map to another.

struct Dots {
    // Map position in the middle of the viewport; clip units to a map unit.
    view: vec4<f32>,
    // Clip units to a point; share of the way from `start` to `end`; points to a pixel.
    screen: vec4<f32>,
    // Radius of a dot in points; opacity of one that is shown, and of one that is filtered out.
    ink: vec4<f32>,
}

@group(#{MATERIAL_BIND_GROUP}) @binding(0) var<uniform> dots: Dots;

struct Vertex {
    @location(0) start: vec2<f32>,
    @location(1) end: vec2<f32>,
    // sRGB; alpha tells whether it is shown.
    @location(2) colour: vec4<f32>,
    // Corner of the square around the dot; its radius at the start and at the end, in those of a shown dot.
    @location(3) shape: vec4<f32>,
}

struct Corner {
    @builtin(position) position: vec4<f32>,
    // From the dot's middle, in points.
    @location(0) offset: vec2<f32>,
    @location(1) @interpolate(flat) colour: vec4<f32>,
    @location(2) @interpolate(flat) radius: f32,
}

// IEC 61966-2-1
fn linear(srgb: vec3<f32>) -> vec3<f32> {
    return select(pow((srgb + 0.055) / 1.055, vec3(2.4)), srgb / 12.92, srgb <= vec3(0.04045));
}

@vertex
fn vertex(vertex: Vertex) -> Corner {
    let share = dots.screen.z;
    let pixel = dots.screen.w;
    let place = mix(vertex.start, vertex.end, share);
    var corner: Corner;
    corner.radius = mix(vertex.shape.z, vertex.shape.w, share) * dots.ink.x;
    // Half a pixel of soft edge lies outside the radius.
    corner.offset = vertex.shape.xy * (corner.radius + pixel);
    corner.position = vec4((place - dots.view.xy) * dots.view.zw + corner.offset * dots.screen.xy, 0.0, 1.0);
    corner.colour = vec4(linear(vertex.colour.rgb), mix(dots.ink.z, dots.ink.y, vertex.colour.a));
    return corner;
}

@fragment
fn fragment(corner: Corner) -> @location(0) vec4<f32> {
    let pixel = dots.screen.w;
    let cover = clamp((corner.radius - length(corner.offset)) / pixel + 0.5, 0.0, 1.0);
    return vec4(corner.colour.rgb, corner.colour.a * cover);
}
