
// A tile of 16 lines by 16 columns of sums that a workgroup of 256 makes. It has 16 blocks of 4 by 4; the terms of each are
// shared out among 16 invocations, neighbours of each other, which take every sixteenth and then add up what they have.

const TILE: u32 = 16u;
const SHARES: u32 = 16u;

/// partial[share][line][column]
var<workgroup> partial: array<f32, 4096>;

/// What an invocation owns: the first line and column of its block in the tile, and which share.
struct Own {
    line: u32,
    column: u32,
    share: u32,
}

fn own(local: u32) -> Own {
    let block = local / SHARES;
    return Own(block / 4u * 4u, block % 4u * 4u, local % SHARES);
}

/// Adds a term to each sum of a block, whose columns hold four lines each.
fn add_terms(sums: ptr<function, mat4x4<f32>>, lines: vec4<f32>, columns: vec4<f32>) {
    (*sums)[0] += lines * columns.x;
    (*sums)[1] += lines * columns.y;
    (*sums)[2] += lines * columns.z;
    (*sums)[3] += lines * columns.w;
}

fn put(at: u32, lines: vec4<f32>) {
    partial[at] = lines.x;
    partial[at + TILE] = lines.y;
    partial[at + 2u * TILE] = lines.z;
    partial[at + 3u * TILE] = lines.w;
}

/// The whole sum of line local / TILE and column local % TILE of the tile, where each invocation brings its share.
fn whole(share: mat4x4<f32>, local: u32) -> f32 {
    let block = local / SHARES;
    let at = local % SHARES * TILE * TILE + block / 4u * 4u * TILE + block % 4u * 4u;
    put(at, share[0]);
    put(at + 1u, share[1]);
    put(at + 2u, share[2]);
    put(at + 3u, share[3]);
    workgroupBarrier();
    var sum = 0.0;
    for (var i = local; i < SHARES * TILE * TILE; i += TILE * TILE) {
        sum += partial[i];
    }
    return sum;
}
