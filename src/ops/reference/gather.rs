//! Rows of the u8 data set, picked by number and scaled to f32.

use super::Expected;
use crate::ops::gather::GatherParams;
use crate::ops::params::Step;

/// `x[i, c, p]` = byte(`rows[i]`, p * channels + c) * scale; zero behind the valid rows.
pub fn gather(p: &GatherParams, step: &Step, data: &[u32], rows: &[u32]) -> Expected {
    let bytes: &[u8] = bytemuck::cast_slice(data);
    let mut values = Vec::with_capacity((p.rows * p.pixels * p.channels) as usize);
    for (i, &row) in rows.iter().take(p.rows as usize).enumerate() {
        for c in 0..p.channels {
            for pixel in 0..p.pixels {
                let at =
                    row as usize * p.row_words as usize * 4 + (pixel * p.channels + c) as usize;
                let scaled = bytes[at] as f32 * p.scale;
                values.push(if i < step.valid_rows as usize {
                    scaled as f64
                } else {
                    0.0
                });
            }
        }
    }
    Expected::exact(values)
}
