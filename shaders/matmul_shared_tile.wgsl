
// The heart of the dense products on GPUs: a tile of 64 by 64 sums over operands in workgroup memory,
// shared by the kernels, which differ in what they load and store.
//
// A step of the sum covers 16 terms. lines[d * 17 + g] holds four lines of the tile at term d: lines g,
// g + 16, g + 32 and g + 48. columns[d * 17 + g] holds four columns; which ones, the kernel decides. The
// odd stride of 17 vectors keeps stores along d free of bank conflicts.
//
// A workgroup has 128 invocations, 16 across the columns and 8 across the lines. An invocation owns 8
// lines by 4 columns: three vector loads feed 32 multiply-adds.

const DEPTH: u32 = 16u;
const STRIDE: u32 = 17u;

var<workgroup> lines: array<vec4<f32>, DEPTH * STRIDE>;
var<workgroup> columns: array<vec4<f32>, DEPTH * STRIDE>;

/// The sums of an invocation: ri belongs to line g + 16 i for the vector g, si for the vector g + 8.
struct Sums {
    r0: vec4<f32>,
    r1: vec4<f32>,
    r2: vec4<f32>,
    r3: vec4<f32>,
    s0: vec4<f32>,
    s1: vec4<f32>,
    s2: vec4<f32>,
    s3: vec4<f32>,
}

/// What an invocation has loaded for one step of the sum, on its way to workgroup memory: it hides
/// the latency of memory behind the sums of the step before.
struct Loaded {
    lines0: vec4<f32>,
    lines1: vec4<f32>,
    columns0: vec4<f32>,
    columns1: vec4<f32>,
}

/// Adds the 16 terms in workgroup memory, in order.
fn add_step(sums: ptr<function, Sums>, local: u32) {
    let line = local / 16u;
    let column = local % 16u;
    for (var d = 0u; d < DEPTH; d += 1u) {
        let a = lines[d * STRIDE + line];
        let b = lines[d * STRIDE + line + 8u];
        let c = columns[d * STRIDE + column];
        (*sums).r0 += a.x * c;
        (*sums).r1 += a.y * c;
        (*sums).r2 += a.z * c;
        (*sums).r3 += a.w * c;
        (*sums).s0 += b.x * c;
        (*sums).s1 += b.y * c;
        (*sums).s2 += b.z * c;
        (*sums).s3 += b.w * c;
    }
}
