
// A product of eight lanes' values with each lane's own four columns, through the subgroup of 8.

/// Row i += (a of lane i) * b.
fn outer_product(rows: ptr<function, Rows>, a: f32, b: vec4<f32>) {
    (*rows).r0 += subgroupBroadcast(a, 0u) * b;
    (*rows).r1 += subgroupBroadcast(a, 1u) * b;
    (*rows).r2 += subgroupBroadcast(a, 2u) * b;
    (*rows).r3 += subgroupBroadcast(a, 3u) * b;
    (*rows).r4 += subgroupBroadcast(a, 4u) * b;
    (*rows).r5 += subgroupBroadcast(a, 5u) * b;
    (*rows).r6 += subgroupBroadcast(a, 6u) * b;
    (*rows).r7 += subgroupBroadcast(a, 7u) * b;
}
