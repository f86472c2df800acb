
// Random numbers that are a function of where they are needed: random::pcg4d on the host gives the same bits.

/// Four well-mixed words of four: pcg4d of Jarzynski and Olano, Hash Functions for GPU Rendering (2020).
fn pcg4d(words: vec4<u32>) -> vec4<u32> {
    var v = words * 1664525u + 1013904223u;
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    v ^= v >> vec4<u32>(16u);
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    return v;
}
