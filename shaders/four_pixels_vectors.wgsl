// Four pixels that follow one another, where images hold whole vectors.

alias Stored = vec4<f32>;
/// Where four pixels lie, in Stored.
alias Places = u32;
const UNIT: u32 = 4u;

/// Pixel `first` of all images and its three neighbours; behind the last those before it.
fn four_pixels(first: u32, all: u32) -> Places {
    return min(first, all - 4u);
}
