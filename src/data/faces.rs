//! Generated sample faces: seven expressions drawn on 48×48 grey portraits,
//! what `fer-gpu train` learns from when no data is given.
//!
//! A face is an `Expression`, which its class decides, on a `Look` in a `Pose`
//! and a `Scene`, which it does not. Only integers and the arithmetic that
//! IEEE 754 rounds exactly (`+ - * /` and square roots) reach a pixel, so a
//! face has the same bytes on every machine.

mod canvas;
mod expression;
mod look;
mod portrait;
mod random;

use canvas::{Canvas, Pose};
use expression::Expression;
use look::{Look, Scene};
use random::Random;
use rayon::prelude::*;

/// The classes under FER-2013's numbers.
pub const CLASS_NAMES: [&str; 7] = [
    "angry", "disgust", "fear", "happy", "sad", "surprise", "neutral",
];

/// Pixels along each side of a face.
pub const SIZE: usize = 48;

/// Which independent random stream: training and validation faces never share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Train,
    Validation,
}

/// Draws `count` faces: grey levels, row-major `(count, SIZE, SIZE)`, and
/// labels, indices into [`CLASS_NAMES`].
///
/// Face `i` depends on `(stream, seed, i)` alone, and its class is `i % 7`.
pub fn draw(stream: Stream, seed: u64, count: usize) -> (Vec<u8>, Vec<u32>) {
    let mut pixels = vec![0; count * SIZE * SIZE];
    pixels
        .par_chunks_exact_mut(SIZE * SIZE)
        .enumerate()
        .for_each(|(index, pixels)| draw_face(stream, seed, index, pixels));
    (
        pixels,
        (0..count).map(|index| label(index) as u32).collect(),
    )
}

fn label(index: usize) -> usize {
    index % CLASS_NAMES.len()
}

fn draw_face(stream: Stream, seed: u64, index: usize, pixels: &mut [u8]) {
    let random = &mut Random::keyed([stream as u64, seed, index as u64]);
    let look = Look::draw(random);
    let scene = Scene::draw(random);
    let mut canvas = Canvas::new(Pose::draw(random));
    let face = Expression::of(label(index), random);

    scene.paint_backdrop(&mut canvas);
    portrait::paint(&mut canvas, &face, &look);
    scene.light(&mut canvas);
    scene.photograph(&canvas, random, pixels);
}
