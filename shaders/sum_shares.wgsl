// sum_shares: gradients that were made in shares, added up for as many as seven sources at once.
//
// gradient[head_at + i]        = source[0][i] + source[1][i] + ...   for i < head
// gradient[tail_at + i - head] = the same                            for head <= i < sums
//
// s0 to s6 (shares, words): the partial gradients of convolutions, of which kernel and bias go to two places, or the
// gradient of a dense layer's output, whose rows are shares of its bias. A source that is not there has no sums. What
// lies elsewhere in gradient (gradient) stays as it is.
//
// naive: an invocation owns one number and adds up its shares in order. tree: a workgroup owns WORKGROUP / lanes numbers
// of one source; of each, `lanes` invocations, a power of two, add up every lanes-th share, four of these side by side,
// then each other's sums.

struct Params {
    /// Words of gradient.
    gradient: u32,
    /// Of each source: its shares, the words of a share, and how many of them are summed; those that go to head_at, and
    /// where head and tail go; the invocations that add up a number.
    shares0: u32,
    words0: u32,
    sums0: u32,
    head0: u32,
    head_at0: u32,
    tail_at0: u32,
    lanes0: u32,
    shares1: u32,
    words1: u32,
    sums1: u32,
    head1: u32,
    head_at1: u32,
    tail_at1: u32,
    lanes1: u32,
    shares2: u32,
    words2: u32,
    sums2: u32,
    head2: u32,
    head_at2: u32,
    tail_at2: u32,
    lanes2: u32,
    shares3: u32,
    words3: u32,
    sums3: u32,
    head3: u32,
    head_at3: u32,
    tail_at3: u32,
    lanes3: u32,
    shares4: u32,
    words4: u32,
    sums4: u32,
    head4: u32,
    head_at4: u32,
    tail_at4: u32,
    lanes4: u32,
    shares5: u32,
    words5: u32,
    sums5: u32,
    head5: u32,
    head_at5: u32,
    tail_at5: u32,
    lanes5: u32,
    shares6: u32,
    words6: u32,
    sums6: u32,
    head6: u32,
    head_at6: u32,
    tail_at6: u32,
    lanes6: u32,
}

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> s0: array<f32>;
@group(0) @binding(2) var<storage, read> s1: array<f32>;
@group(0) @binding(3) var<storage, read> s2: array<f32>;
@group(0) @binding(4) var<storage, read> s3: array<f32>;
@group(0) @binding(5) var<storage, read> s4: array<f32>;
@group(0) @binding(6) var<storage, read> s5: array<f32>;
@group(0) @binding(7) var<storage, read> s6: array<f32>;
@group(0) @binding(8) var<storage, read_write> gradient: array<f32>;

/// The number of the last source.
const LAST: u32 = 6u;

struct Source {
    shares: u32,
    words: u32,
    sums: u32,
    head: u32,
    head_at: u32,
    tail_at: u32,
    lanes: u32,
}

fn source(s: u32) -> Source {
    switch s {
        case 0u: {
            return Source(
                params.shares0, params.words0, params.sums0, params.head0,
                params.head_at0, params.tail_at0, params.lanes0,
            );
        }
        case 1u: {
            return Source(
                params.shares1, params.words1, params.sums1, params.head1,
                params.head_at1, params.tail_at1, params.lanes1,
            );
        }
        case 2u: {
            return Source(
                params.shares2, params.words2, params.sums2, params.head2,
                params.head_at2, params.tail_at2, params.lanes2,
            );
        }
        case 3u: {
            return Source(
                params.shares3, params.words3, params.sums3, params.head3,
                params.head_at3, params.tail_at3, params.lanes3,
            );
        }
        case 4u: {
            return Source(
                params.shares4, params.words4, params.sums4, params.head4,
                params.head_at4, params.tail_at4, params.lanes4,
            );
        }
        case 5u: {
            return Source(
                params.shares5, params.words5, params.sums5, params.head5,
                params.head_at5, params.tail_at5, params.lanes5,
            );
        }
        default: {
            return Source(
                params.shares6, params.words6, params.sums6, params.head6,
                params.head_at6, params.tail_at6, params.lanes6,
            );
        }
    }
}

fn load(s: u32, at: u32) -> f32 {
    switch s {
        case 0u: { return s0[at]; }
        case 1u: { return s1[at]; }
        case 2u: { return s2[at]; }
        case 3u: { return s3[at]; }
        case 4u: { return s4[at]; }
        case 5u: { return s5[at]; }
        default: { return s6[at]; }
    }
}

fn load4(s: u32, at: vec4<u32>) -> vec4<f32> {
    switch s {
        case 0u: { return vec4<f32>(s0[at.x], s0[at.y], s0[at.z], s0[at.w]); }
        case 1u: { return vec4<f32>(s1[at.x], s1[at.y], s1[at.z], s1[at.w]); }
        case 2u: { return vec4<f32>(s2[at.x], s2[at.y], s2[at.z], s2[at.w]); }
        case 3u: { return vec4<f32>(s3[at.x], s3[at.y], s3[at.z], s3[at.w]); }
        case 4u: { return vec4<f32>(s4[at.x], s4[at.y], s4[at.z], s4[at.w]); }
        case 5u: { return vec4<f32>(s5[at.x], s5[at.y], s5[at.z], s5[at.w]); }
        default: { return vec4<f32>(s6[at.x], s6[at.y], s6[at.z], s6[at.w]); }
    }
}

fn store(own: Source, i: u32, sum: f32) {
    if i < own.head {
        gradient[own.head_at + i] = sum;
    } else {
        gradient[own.tail_at + i - own.head] = sum;
    }
}

@compute @workgroup_size(WORKGROUP)
fn sum_shares(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    var i = workgroup_index(group, groups) * WORKGROUP + local;
    var s = 0u;
    var own = source(s);
    while (i >= own.sums) & (s < LAST) {
        i -= own.sums;
        s += 1u;
        own = source(s);
    }
    if i < own.sums {
        var sum = 0.0;
        for (var share = 0u; share < own.shares; share += 1u) {
            sum += load(s, share * own.words + i);
        }
        store(own, i, sum);
    }
}

/// Workgroups of the tree that a source has.
fn workgroups(own: Source) -> u32 {
    return (own.sums * own.lanes + WORKGROUP - 1u) / WORKGROUP;
}

/// The fewest numbers of a workgroup of the tree: of the most lanes.
const FEWEST: u32 = 8u;

/// partial[lane * numbers + number]
var<workgroup> partial: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn sum_shares_tree(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    var owner = workgroup_index(group, groups);
    var s = 0u;
    var own = source(s);
    while (owner >= workgroups(own)) & (s < LAST) {
        owner -= workgroups(own);
        s += 1u;
        own = source(s);
    }
    let numbers = WORKGROUP / own.lanes;
    let lane = local * own.lanes / WORKGROUP;
    let i = owner * numbers + (local & (numbers - 1u));
    var sums = vec4<f32>();
    if i < own.sums {
        for (var share = lane; share < own.shares; share += 4u * own.lanes) {
            let four = share + vec4<u32>(0u, 1u, 2u, 3u) * own.lanes;
            let found = load4(s, min(four, vec4<u32>(own.shares - 1u)) * own.words + i);
            sums += select(vec4<f32>(), found, four < vec4<u32>(own.shares));
        }
    }
    partial[local] = (sums.x + sums.y) + (sums.z + sums.w);
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half >= FEWEST; half /= 2u) {
        if local < half && half >= numbers {
            partial[local] += partial[local + half];
        }
        workgroupBarrier();
    }
    if local < numbers && i < own.sums {
        store(own, i, partial[local]);
    }
}
