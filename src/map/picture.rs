//! The map as a picture, for machines without a display and for documents.

use std::io::Write;

use super::colour::BRIGHTNESS;
use crate::palette::Palette;

/// Width and height in pixels.
const SIZE: [usize; 2] = [1440, 1080];
/// Free space around the points in pixels.
const MARGIN: f32 = 48.0;
/// Radius of a dot in pixels.
const RADIUS: f32 = 3.2;
/// One sound on the map.
#[derive(Clone, Copy, Debug)]
pub struct Dot {
    /// Where, in any unit.
    pub position: [f32; 2],
    /// Spectral centroid in Hz, which gives the colour.
    pub brightness_hz: f32,
}

/// Draws round, anti-aliased dots, scaled to fill the picture, as an 8-bit RGB PNG.
///
/// # Errors
/// The picture could not be written.
pub fn write_png(dots: &[Dot], out: impl Write) -> Result<(), png::EncodingError> {
    let [width, height] = SIZE;
    let palette = Palette::DARK;
    let mut pixels: Vec<u8> = palette.ground.iter().copied().cycle().take(width * height * 3).collect();
    let place = fit(dots);
    for dot in dots {
        let colour = palette.ramp(BRIGHTNESS.share(dot.brightness_hz));
        paint(&mut pixels, place(dot.position), colour.map(f32::from));
    }
    #[expect(clippy::cast_possible_truncation, reason = "two small constants")]
    let mut encoder = png::Encoder::new(out, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&pixels)
}

/// Maps positions into the picture with one scale for both axes, y upwards.
fn fit(dots: &[Dot]) -> impl Fn([f32; 2]) -> [f32; 2] {
    let bounds = |axis: usize| {
        let values = dots.iter().map(|d| d.position[axis]).filter(|v| v.is_finite());
        values.fold([f32::MAX, f32::MIN], |[low, high], v| [low.min(v), high.max(v)])
    };
    let ([x0, x1], [y0, y1]) = (bounds(0), bounds(1));
    let room = |size: usize| size as f32 - 2.0 * MARGIN;
    let scale = (room(SIZE[0]) / (x1 - x0).max(1e-6)).min(room(SIZE[1]) / (y1 - y0).max(1e-6));
    let middle = [f32::midpoint(x0, x1), f32::midpoint(y0, y1)];
    move |[x, y]| {
        let centre = SIZE.map(|size| size as f32 / 2.0);
        [centre[0] + (x - middle[0]) * scale, centre[1] - (y - middle[1]) * scale]
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the picture first")]
fn paint(pixels: &mut [u8], [x, y]: [f32; 2], colour: [f32; 3]) {
    let range = |centre: f32, size: usize| {
        let clamp = |v: f32| v.clamp(0.0, size as f32 - 1.0) as usize;
        clamp(centre - RADIUS - 1.0)..=clamp(centre + RADIUS + 1.0)
    };
    for row in range(y, SIZE[1]) {
        for column in range(x, SIZE[0]) {
            let distance = (column as f32 - x).hypot(row as f32 - y);
            let cover = (RADIUS + 0.5 - distance).clamp(0.0, 1.0) * 0.85;
            let at = (row * SIZE[0] + column) * 3;
            for (pixel, ink) in pixels[at..at + 3].iter_mut().zip(colour) {
                *pixel = (f32::from(*pixel) + (ink - f32::from(*pixel)) * cover) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dot_is_drawn_inside_the_picture() {
        let dots: Vec<Dot> = (0..50)
            .map(|i| Dot { position: [i as f32 * 0.1, (i as f32).sin()], brightness_hz: 100.0 * i as f32 })
            .collect();
        let mut file = Vec::new();
        write_png(&dots, &mut file).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let lit = pixels.chunks_exact(3).filter(|p| *p != Palette::DARK.ground).count();
        assert!(lit > 50 * 20 && lit < 50 * 60, "{lit}");
        let place = fit(&dots);
        assert!(dots.iter().map(|d| place(d.position)).all(|[x, y]| {
            (MARGIN - 1.0..=SIZE[0] as f32 - MARGIN + 1.0).contains(&x)
                && (MARGIN - 1.0..=SIZE[1] as f32 - MARGIN + 1.0).contains(&y)
        }));
    }

    #[test]
    fn one_dot_and_none_at_all_are_pictures_too() {
        write_png(&[], Vec::new()).unwrap();
        write_png(&[Dot { position: [3.0, 3.0], brightness_hz: 0.0 }], Vec::new()).unwrap();
    }
}
