// Where the quads of pixels lie that a lane owns, in kernels that take images as rows of channels: neighbours, counted
// over all images.
//
// They need of the kernel's own text: QUADS, how many these are, `plane_quads()`, those of a plane, and `params.n`.

/// A lane's quads in a channel.
alias Quads = array<vec4<f32>, QUADS>;

/// The first channel of a workgroup, and the first quad of a lane, counted over all images.
struct Place {
    c: u32,
    quad: u32,
}

/// Where the quads of a lane begin in channel c of their images, of which `channels` are stored. Quads behind the last
/// image lie over the last: their sums are not stored.
fn starts_of(place: Place, c: u32, channels: u32) -> array<u32, QUADS> {
    let plane = plane_quads();
    var starts: array<u32, QUADS>;
    for (var q = 0u; q < QUADS; q += 1u) {
        let quad = min(place.quad + q, params.n * plane - 1u);
        starts[q] = (quad / plane * channels + c) * plane + quad % plane;
    }
    return starts;
}

