//! Paints one person with one expression, back to front.

use super::canvas::{Blob, Canvas};
use super::expression::Expression;
use super::look::{Hair, Look};

/// Left and right as the viewer sees them.
const SIDES: [f32; 2] = [-1.0, 1.0];
const WHITE: f32 = 1.0;
const BLACK: f32 = 0.04;

pub fn paint(canvas: &mut Canvas, face: &Expression, look: &Look) {
    let head = Blob::new(0.0, 0.0, look.head_width, 1.0)
        .heights(1.0, look.chin)
        .square(look.jaw);

    shoulders(canvas, look);
    canvas.paint(&[head], look.skin);
    let under_chin = Blob::new(0.0, 1.05, 0.8, 0.3);
    canvas.shade(&[head, under_chin], 8.0, 0.85);
    let beard = Blob::new(0.0, 0.85, look.head_width, 0.6).bend(-0.35);
    canvas.wash(&[beard, head], 5.0, look.beard, look.hair_tone);

    creases(canvas, face, look);
    nose(canvas, face, look);
    for side in SIDES {
        eye(canvas, face, look, side);
    }
    mouth(canvas, face, look);
    hair(canvas, look, head);
    for side in SIDES {
        brow(canvas, face, look, side);
    }
    if face.tear > 0.5 {
        for side in SIDES {
            tear(canvas, look, side);
        }
    }
}

/// Long hair that falls behind, shoulders, neck and ears.
fn shoulders(canvas: &mut Canvas, look: &Look) {
    let width = look.head_width;
    if look.hair == Hair::Long {
        let fall = Blob::new(0.0, -0.1, width + 0.24, 1.2).heights(1.05, 1.5);
        canvas.paint(&[fall.square(0.5)], look.hair_tone);
    }
    let shirt = Blob::new(0.0, 1.9, 1.5, 0.65).square(0.3);
    canvas.paint(&[shirt], look.shirt);
    let neck = Blob::new(0.0, 1.1, 0.38, 0.45).square(0.8);
    canvas.paint(&[neck], look.skin * 0.7);
    for side in SIDES {
        let ear = Blob::new(side * (width + 0.02), 0.0, 0.11, 0.22);
        canvas.paint(&[ear], look.skin * 0.9);
        canvas.shade(&[ear.grown(-0.06)], 1.5, 0.75);
    }
}

/// All of the head above the hairline, and a little more.
fn hair(canvas: &mut Canvas, look: &Look, head: Blob) {
    let volume = match look.hair {
        Hair::Bald => return,
        Hair::Short => 0.06,
        Hair::Full | Hair::Long => 0.14,
    };
    let cap = head.grown(volume).moved(0.0, -0.04);
    let above_hairline = Blob::new(look.parting * 0.5, look.hairline - 1.0, 1.6, 1.0)
        .bend(1.5)
        .slope(look.parting * 0.3)
        .square(0.9);
    canvas.paint(&[cap, above_hairline], look.hair_tone);
    let shine = Blob::new(look.parting, look.hairline - 0.16, 0.4, 0.06).bend(0.1);
    canvas.wash(&[shine, above_hairline], 3.0, 0.35, look.hair_tone + 0.3);
}

/// Lines and pads that muscles raise in the skin.
fn creases(canvas: &mut Canvas, face: &Expression, look: &Look) {
    let eyes = look.eye_height;
    for (y, half_width) in [(-0.64, 0.34), (-0.74, 0.26)] {
        let across_forehead = Blob::new(0.0, y, half_width, look.line).bend(0.02);
        canvas.shade(&[across_forehead], 1.2, 1.0 - 0.4 * face.forehead);
    }
    let fold_x = face.mouth_width * 0.5 + 0.17;
    let fold_y = (look.mouth_height + eyes + look.nose_length) / 2.0 - face.smile * 0.4;
    for side in SIDES {
        let between_brows = Blob::new(side * 0.07, eyes - 0.27, 0.11, look.line);
        canvas.shade(
            &[between_brows.along(side * 0.15, 1.0)],
            1.0,
            1.0 - 0.6 * face.furrow,
        );

        let cheek = Blob::new(side * 0.46, eyes + 0.36, 0.2, 0.13);
        canvas.shade(&[cheek], 4.0, 1.0 + 0.16 * face.cheek);
        let under_eye = Blob::new(side * 0.42, eyes + 0.2, 0.2, look.line).bend(0.05);
        canvas.shade(&[under_eye], 1.2, 1.0 - 0.4 * face.cheek);

        let fold = Blob::new(side * fold_x, fold_y, 0.2, look.line)
            .along(side * 0.5, 1.0)
            .bend(side * 0.04);
        canvas.shade(&[fold], 1.2, 1.0 - 0.55 * face.fold);
    }
}

fn nose(canvas: &mut Canvas, face: &Expression, look: &Look) {
    // A wrinkled nose is a shortened one.
    let tip = look.eye_height + look.nose_length - 0.05 * face.wrinkle;
    let width = look.nose_width;

    let bridge = Blob::new(0.0, tip - 0.2, 0.07, 0.22);
    canvas.shade(&[bridge], 3.0, 1.12);
    let flank = Blob::new(0.09, tip - 0.16, 0.05, 0.2);
    canvas.shade(&[flank], 2.0, 0.88);
    let ball = Blob::new(0.0, tip + 0.02, width, 0.07);
    canvas.shade(&[ball], 2.0, 1.08);
    let base = Blob::new(0.0, tip + 0.08, width, 0.03).bend(-0.05);
    canvas.shade(&[base], 1.0, 0.7);
    for side in SIDES {
        let nostril = Blob::new(side * width * 0.6, tip + 0.06, 0.045, 0.025);
        canvas.shade(&[nostril], 1.0, 0.45);
        for y in [tip - 0.30, tip - 0.21] {
            let pleat = Blob::new(side * 0.1, y, 0.1, look.line).slope(-side * 0.06);
            canvas.shade(&[pleat], 1.0, 1.0 - 0.6 * face.wrinkle);
        }
    }
}

fn eye(canvas: &mut Canvas, face: &Expression, look: &Look, side: f32) {
    let (x, y) = (side * look.eye_gap, look.eye_height);
    let opening = Blob::new(x, y - face.eye_arch * 0.5, look.eye_width, 0.1)
        .heights(face.lid_upper, face.lid_lower)
        .slope(-side * face.eye_slant)
        .bend(face.eye_arch);
    let iris = Blob::new(x, y, face.iris, face.iris);
    let glint = Blob::new(x + 0.04, y - 0.04, 0.03, 0.03);

    canvas.shade(&[opening.grown(0.07)], 3.0, 0.82); // the socket
    let lashes = opening.grown(look.line * 1.25).moved(0.0, -0.015);
    canvas.wash(&[lashes], 1.0, 0.85, look.skin * 0.22);
    canvas.paint(&[opening], (look.skin + 0.3).clamp(0.8, WHITE));
    canvas.paint(&[iris, opening], look.iris_tone);
    canvas.paint(&[iris.grown(-0.055), opening], BLACK);
    canvas.wash(&[glint, opening], 1.0, 0.8, WHITE);

    if look.glasses {
        let lens = Blob::new(x, y + 0.02, 0.3, 0.25).square(0.5);
        let dark = 0.5;
        canvas.shade(&[lens.grown(0.03)], 1.0, dark);
        canvas.shade(&[lens.grown(-0.03)], 1.0, 1.0 / dark); // leaves the rim
    }
}

fn brow(canvas: &mut Canvas, face: &Expression, look: &Look, side: f32) {
    let x = side * (look.eye_gap + 0.03 - face.brow_pinch);
    let y = look.eye_height - 0.30 - face.brow_raise - face.brow_arch * 0.4;
    let brow = Blob::new(x, y, 0.29, look.brow_thickness)
        .slope(-side * face.brow_slant)
        .bend(face.brow_arch)
        .square(0.4);
    canvas.wash(&[brow], 1.2, 0.92, look.hair_tone);
}

fn mouth(canvas: &mut Canvas, face: &Expression, look: &Look) {
    let y = look.mouth_height + face.smile * 0.6;
    let opening = Blob::new(0.0, y, face.mouth_width, 0.1)
        .heights(face.lip_lift, face.lip_drop)
        .bend(-face.smile)
        .slope(-face.sneer)
        .square(face.boxy);

    let under_lip = opening.moved(0.0, face.lip_drop + 0.13).heights(0.03, 0.03);
    canvas.shade(&[under_lip], 3.0, 0.85);
    let lips = opening.grown(0.055);
    canvas.paint(&[lips], look.skin * look.lip_tone);
    canvas.paint(&[opening], BLACK);

    if face.teeth > 0.0 {
        let hidden = (face.lip_lift + face.lip_drop) * (1.0 - face.teeth);
        canvas.paint(&[opening.grown(-0.02), opening.moved(0.0, -hidden)], 0.95);
    }
    if face.teeth > 0.9 {
        let bite = opening.heights(0.012, 0.012);
        canvas.shade(&[bite, opening], 1.0, 0.45);
    }
    if face.tongue > 0.0 {
        let reach = 0.2 * face.tongue;
        let root = look.mouth_height + face.lip_drop * 0.5;
        let tongue = Blob::new(0.0, root + reach, 0.19, reach).square(0.4);
        canvas.paint(&[tongue.grown(0.02)], look.skin * 0.3);
        canvas.paint(&[tongue.grown(-0.02)], look.skin * 0.3 + 0.5);
        let groove = Blob::new(0.0, root + reach * 0.8, 0.015, reach * 0.7);
        canvas.shade(&[groove], 1.0, 0.6);
    }
}

fn tear(canvas: &mut Canvas, look: &Look, side: f32) {
    let (x, y) = (look.eye_gap + 0.05, look.eye_height + 0.30);
    let drop = Blob::new(side * x, y, 0.055, 0.1).heights(0.18, 0.08);
    canvas.wash(&[drop], 1.0, 0.5, look.skin * 0.5);
    canvas.wash(&[drop.grown(-0.02)], 1.0, 0.9, WHITE);
}
