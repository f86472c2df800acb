
// A walk over the places of a share of the batch, for lanes that take every so many of them: image, row and
// column without a division a step.

struct At {
    image: u32,
    row: u32,
    column: u32,
}

/// Place `i` of images of `height` rows of `width`.
fn place(i: u32, height: u32, width: u32) -> At {
    return At(i / (height * width), i / width % height, i % width);
}

/// The place `step` places on: each part is less than its extent, so that one carry is enough.
fn advance(at: At, step: At, height: u32, width: u32) -> At {
    var next = At(at.image + step.image, at.row + step.row, at.column + step.column);
    if next.column >= width {
        next.column -= width;
        next.row += 1u;
    }
    if next.row >= height {
        next.row -= height;
        next.image += 1u;
    }
    return next;
}
