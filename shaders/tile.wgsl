
// Sixty-four rows by eight columns of a lane's own: two halves of eight Rows, that of columns or inputs
// 32 further on after the other. To begin and to end, a loop shifts them past the same few lines of
// code: written out, those would take compilers half a minute.

struct Tile {
    left_a: Rows,
    left_b: Rows,
    left_c: Rows,
    left_d: Rows,
    left_e: Rows,
    left_f: Rows,
    left_g: Rows,
    left_h: Rows,
    right_a: Rows,
    right_b: Rows,
    right_c: Rows,
    right_d: Rows,
    right_e: Rows,
    right_f: Rows,
    right_g: Rows,
    right_h: Rows,
}

/// The tile without its first Rows, and with `last` behind the others.
fn shift(tile: Tile, last: Rows) -> Tile {
    return Tile(
        tile.left_b, tile.left_c, tile.left_d, tile.left_e, tile.left_f, tile.left_g, tile.left_h, tile.right_a,
        tile.right_b, tile.right_c, tile.right_d, tile.right_e, tile.right_f, tile.right_g, tile.right_h, last,
    );
}
