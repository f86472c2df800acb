
// How convolutions of one pixel reach four pixels that follow one another, in images of any size: one may end among
// them. The kernels declare source, bias_or_mask and result.

alias Stored = f32;
/// Where four pixels lie.
alias Places = vec4<u32>;
const UNIT: u32 = 1u;

/// Pixel `first` of all images and its three neighbours; those behind the last are the last.
fn four_pixels(first: u32, all: u32) -> Places {
    return min(first + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(all - 1u));
}

fn source_four(at: Places) -> vec4<f32> {
    return vec4<f32>(source[at.x], source[at.y], source[at.z], source[at.w]);
}

fn mask_four(at: Places) -> vec4<f32> {
    return vec4<f32>(bias_or_mask[at.x], bias_or_mask[at.y], bias_or_mask[at.z], bias_or_mask[at.w]);
}

/// Stores the first `count` of four pixels, of which there is one.
fn store_four(at: Places, count: u32, four: vec4<f32>) {
    result[at.x] = four.x;
    if count > 1u {
        result[at.y] = four.y;
    }
    if count > 2u {
        result[at.z] = four.z;
    }
    if count > 3u {
        result[at.w] = four.w;
    }
}
