
// Four products of eight lanes' values with each lane's own four columns, through the subgroup of 8. Four
// terms at once: a sum is taken from its place in the cache, and put back, once for all four.

/// Four columns at four terms of a sum.
struct Terms {
    t0: vec4<f32>,
    t1: vec4<f32>,
    t2: vec4<f32>,
    t3: vec4<f32>,
}

fn add_terms(sum: vec4<f32>, a: vec4<f32>, b: Terms) -> vec4<f32> {
    return sum + a.x * b.t0 + a.y * b.t1 + a.z * b.t2 + a.w * b.t3;
}

/// Adds to row i (a of lane i) times b, over its four terms in order.
fn add_products(rows: Rows, a: vec4<f32>, b: Terms) -> Rows {
    return Rows(
        add_terms(rows.r0, subgroupBroadcast(a, 0u), b),
        add_terms(rows.r1, subgroupBroadcast(a, 1u), b),
        add_terms(rows.r2, subgroupBroadcast(a, 2u), b),
        add_terms(rows.r3, subgroupBroadcast(a, 3u), b),
        add_terms(rows.r4, subgroupBroadcast(a, 4u), b),
        add_terms(rows.r5, subgroupBroadcast(a, 5u), b),
        add_terms(rows.r6, subgroupBroadcast(a, 6u), b),
        add_terms(rows.r7, subgroupBroadcast(a, 7u), b),
    );
}
