// augment: y = share seen(row) + (1 - share) seen(partner), where seen(r) at a pixel is x of row r, moved (bilinear, at
// (xx px + xy py + x0, yx px + yy py + y0), edges repeated), then toned (times gain, plus offset, within low..high), or
// `fill` in the erased rectangle.
//
// x, y (rows, channels, height, width); y is zero behind the valid rows.
// records (rows, 16): xx, xy, x0, moved; yx, yy, y0, toned; gain, offset, partner, share; left, top, right, bottom. Whole
// numbers are f32 too. Where `moved` or `toned` is 0, that is left out, and where `share` is 1, the partner: what is not
// changed keeps its bits.
// A workgroup owns WORKGROUP neighbouring pixels of one plane, so that all its invocations read the same records;
// an invocation owns one pixel. No pixel is NaN: data sets with such are refused.

struct Params {
    rows: u32,
    channels: u32,
    height: u32,
    width: u32,
    low: f32,
    high: f32,
    fill: f32,
}

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> records: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

/// Between four neighbours of the plane that begins at `plane`.
fn bilinear(plane: u32, at: vec2<f32>) -> f32 {
    let last = vec2<u32>(params.width, params.height) - 1u;
    // A whole number where all that it is made of is whole: then the first neighbour comes back as it is.
    let inside = clamp(at, vec2<f32>(), vec2<f32>(last));
    let first = vec2<u32>(inside);
    let next = min(first + 1u, last);
    let way = inside - vec2<f32>(first);
    let above = plane + first.y * params.width;
    let below = plane + next.y * params.width;
    let a = x[above + first.x];
    let b = x[below + first.x];
    let top = a + way.x * (x[above + next.x] - a);
    let bottom = b + way.x * (x[below + next.x] - b);
    return top + way.y * (bottom - top);
}

/// A pixel of a row without its partner.
fn seen(row: u32, channel: u32, pixel: u32) -> f32 {
    let to_x = records[row * 4u];
    let to_y = records[row * 4u + 1u];
    let tone = records[row * 4u + 2u];
    let erased = records[row * 4u + 3u];
    let at = vec2<f32>(vec2<u32>(pixel % params.width, pixel / params.width));
    let plane = (row * params.channels + channel) * params.height * params.width;
    var value = 0.0;
    if to_x.w == 0.0 {
        value = x[plane + pixel];
    } else {
        let place = vec2<f32>(dot(to_x.xy, at), dot(to_y.xy, at)) + vec2<f32>(to_x.z, to_y.z);
        value = bilinear(plane, place);
    }
    if to_y.w != 0.0 {
        value = clamp(value * tone.x + tone.y, params.low, params.high);
    }
    return select(value, params.fill, all((at >= erased.xy) & (at < erased.zw)));
}

@compute @workgroup_size(WORKGROUP)
fn augment(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let pixels = params.height * params.width;
    let pieces = (pixels + WORKGROUP - 1u) / WORKGROUP;
    let index = workgroup_index(group, groups);
    let plane = index / pieces;
    let pixel = index % pieces * WORKGROUP + local;
    let row = plane / params.channels;
    let channel = plane % params.channels;
    if row < params.rows && pixel < pixels {
        var value = 0.0;
        if row < step.valid_rows {
            value = seen(row, channel, pixel);
            let mixed = records[row * 4u + 2u];
            if mixed.w < 1.0 {
                let other = seen(u32(mixed.z), channel, pixel);
                value = mixed.w * value + (1.0 - mixed.w) * other;
            }
        }
        y[plane * pixels + pixel] = value;
    }
}
