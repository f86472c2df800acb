// Four pixels that follow one another, in images of any size: one may end among them.

alias Stored = f32;
/// Where four pixels lie.
alias Places = vec4<u32>;
const UNIT: u32 = 1u;

/// Pixel `first` of all images and its three neighbours; those behind the last are the last.
fn four_pixels(first: u32, all: u32) -> Places {
    return min(first + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(all - 1u));
}
