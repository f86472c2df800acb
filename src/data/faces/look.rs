//! What varies from face to face whatever the expression: the person, the
//! pose, the light and the camera. None of it may depend on the class.

use super::SIZE;
use super::canvas::{Canvas, Pose};
use super::random::Random;

/// A person: proportions in face units, tones from 0 (black) to 1 (white).
pub struct Look {
    pub head_width: f32,
    /// From an oval (0) to a box (1).
    pub jaw: f32,
    pub chin: f32,
    /// From the nose to either eye.
    pub eye_gap: f32,
    pub eye_width: f32,
    pub eye_height: f32,
    pub nose_length: f32,
    pub nose_width: f32,
    pub mouth_height: f32,
    pub brow_thickness: f32,
    /// Half as thick as a crease.
    pub line: f32,
    pub skin: f32,
    pub hair_tone: f32,
    pub iris_tone: f32,
    /// Of the lips, as a multiple of the skin's tone.
    pub lip_tone: f32,
    pub shirt: f32,
    pub hair: Hair,
    pub hairline: f32,
    pub parting: f32,
    pub beard: f32,
    pub glasses: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Hair {
    Bald,
    Short,
    Full,
    Long,
}

/// The room and the camera.
pub struct Scene {
    pub backdrop: [f32; 2],
    /// Where the light comes from: right, down, towards the viewer.
    pub light: [f32; 3],
    pub ambient: f32,
    pub blur: f32,
    pub noise: f32,
    pub brightness: f32,
    pub contrast: f32,
    /// Developed as a film negative, light for dark.
    pub negative: bool,
}

impl Look {
    pub fn draw(random: &mut Random) -> Self {
        // Fair hair on dark skin turns a brow's contrast around: a linear model cannot lean on it.
        let fair = random.chance(0.5);
        let skin = if fair {
            random.between(0.25, 0.5)
        } else {
            random.between(0.38, 0.86)
        };
        let hair = [
            Hair::Bald,
            Hair::Short,
            Hair::Short,
            Hair::Full,
            Hair::Long,
            Hair::Long,
        ][(random.unit() * 6.0) as usize];
        let beard = if random.chance(0.2) {
            random.between(0.15, 0.45)
        } else {
            0.0
        };
        Self {
            head_width: random.between(0.74, 0.86),
            jaw: random.between(0.05, 0.45),
            chin: random.between(0.98, 1.10),
            eye_gap: random.between(0.33, 0.39),
            eye_width: random.between(0.21, 0.25),
            eye_height: random.between(-0.17, -0.09),
            nose_length: random.between(0.28, 0.36),
            nose_width: random.between(0.10, 0.15),
            mouth_height: random.between(0.54, 0.61),
            brow_thickness: random.between(0.045, 0.075),
            line: random.between(0.016, 0.025),
            skin,
            // Far from the skin it frames, or a brow would vanish into it.
            hair_tone: if fair {
                random.between(skin * 1.7, 1.0)
            } else {
                random.between(0.04, skin * 0.6)
            },
            iris_tone: random.between(0.05, 0.3),
            lip_tone: random.between(0.55, 1.25),
            shirt: random.between(0.1, 0.9),
            hair,
            hairline: random.between(-0.94, -0.80),
            parting: random.around_zero(0.5),
            beard: if hair == Hair::Long { 0.0 } else { beard },
            glasses: random.chance(0.12),
        }
    }
}

impl Pose {
    pub fn draw(random: &mut Random) -> Self {
        let scale = random.between(20.0, 25.0);
        let stretch = random.between(0.95, 1.05);
        Self {
            shift: [random.around_zero(1.2), random.around_zero(1.0)],
            level: [1.0, random.around_zero(0.14)],
            scale: [scale * stretch, scale],
            turn: [random.around_zero(0.16), random.around_zero(0.08)],
            mirrored: random.chance(0.5),
        }
    }
}

impl Scene {
    pub fn draw(random: &mut Random) -> Self {
        Self {
            backdrop: [random.between(0.05, 0.95), random.between(0.05, 0.95)],
            light: [
                random.around_zero(0.8),
                random.between(-0.8, 0.2),
                random.between(0.7, 1.2),
            ],
            ambient: random.between(0.35, 0.7),
            blur: random.between(0.0, 0.5),
            noise: random.between(1.5, 5.0),
            brightness: random.between(75.0, 115.0),
            contrast: random.between(50.0, 70.0),
            negative: random.chance(0.2),
        }
    }

    pub fn paint_backdrop(&self, canvas: &mut Canvas) {
        let [top, bottom] = self.backdrop;
        for (i, tone) in canvas.tones.iter_mut().enumerate() {
            *tone = top + (bottom - top) * ((i / SIZE) as f32 / SIZE as f32);
        }
    }

    /// Lights everything as if it lay on the head's ellipsoid: one side of a
    /// face is brighter than the other.
    pub fn light(&self, canvas: &mut Canvas) {
        let [lx, ly, lz] = self.light;
        let length = (lx * lx + ly * ly + lz * lz).sqrt();
        for ((tone, x), y) in canvas.tones.iter_mut().zip(&canvas.xs).zip(&canvas.ys) {
            let (nx, ny) = (x * 0.85, y * 0.75);
            let nz = (1.0 - nx * nx - ny * ny).max(0.05).sqrt();
            let facing = ((nx * lx + ny * ly + nz * lz) / length).max(0.0);
            *tone *= self.ambient + (1.0 - self.ambient) * facing;
        }
    }

    /// Develops the canvas into grey levels of this scene's mean and spread:
    /// set exactly, so that neither tells an open mouth from a closed one.
    pub fn photograph(&self, canvas: &Canvas, random: &mut Random, pixels: &mut [u8]) {
        let tones = blurred(&canvas.tones, self.blur);
        let count = tones.len() as f32;
        let mean = tones.iter().sum::<f32>() / count;
        let variance = tones
            .iter()
            .map(|tone| (tone - mean) * (tone - mean))
            .sum::<f32>()
            / count;
        let sign = if self.negative { -1.0 } else { 1.0 };
        let gain = sign * self.contrast / variance.sqrt();
        for (pixel, tone) in pixels.iter_mut().zip(&tones) {
            let level = self.brightness + (tone - mean) * gain + self.noise * random.normal();
            *pixel = (level + 0.5) as u8; // `as` clamps to 0..=255
        }
    }
}

/// Mixes each pixel with its neighbours', along rows and then columns:
/// `amount` 0 keeps it, 1 weighs them 1:2:1.
fn blurred(tones: &[f32], amount: f32) -> Vec<f32> {
    let side = amount * 0.25;
    let along = |tones: &[f32], step: usize, at: fn(usize) -> usize| -> Vec<f32> {
        (0..tones.len())
            .map(|i| {
                let before = if at(i) > 0 { tones[i - step] } else { tones[i] };
                let after = if at(i) < SIZE - 1 {
                    tones[i + step]
                } else {
                    tones[i]
                };
                tones[i] + side * (before + after - 2.0 * tones[i])
            })
            .collect()
    };
    along(&along(tones, 1, |i| i % SIZE), SIZE, |i| i / SIZE)
}
