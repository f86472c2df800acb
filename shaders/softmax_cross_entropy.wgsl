// softmax_cross_entropy: of each row, loss = w (log(sum of exp(x - max)) + sum of t (max - x)), summed over the
// valid rows; dlogits = weight w (softmax(x) - t) / valid rows of all shards, zero behind the valid ones. There
// t = kept target + spread: what is kept of the target, and the share of each class in what label smoothing takes.
//
// logits, dlogits (rows, classes); labels (rows): class numbers; targets (rows, classes): the share of each class,
// where `soft` is set, else the label's class has all; class_weights: w is the label's of (classes) where `weighted`
// is 1, the row's of (rows) where it is 2, else 1; metrics (4): loss sum, rows whose first largest logit is the label's, the flag "some loss was not
// finite" (raised, never lowered), 0.
// One workgroup owns all rows; invocation i owns rows i, i + WORKGROUP, ..., then a tree adds up.
//
// WGSL lets a compiler assume that no number is infinite or NaN, and some do: such logits are told by
// their bits. Their rows are not correct and have no gradient, and the loss is NaN.

struct Params {
    rows: u32,
    classes: u32,
    weight: f32,
    kept: f32,
    spread: f32,
    soft: u32,
    weighted: u32,
}

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read> targets: array<f32>;
@group(0) @binding(5) var<storage, read> class_weights: array<f32>;
@group(0) @binding(6) var<storage, read_write> metrics: array<f32>;
@group(0) @binding(7) var<storage, read_write> dlogits: array<f32>;

var<workgroup> losses: array<f32, WORKGROUP>;
var<workgroup> hits: array<f32, WORKGROUP>;
var<workgroup> broken: array<u32, WORKGROUP>;

const BY_ROW: u32 = 2u;
const NAN: u32 = 0x7fc00000u;

/// Infinity and NaN have all exponent bits set.
fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

/// What the loss wants of class i in a row.
fn wanted(row: u32, i: u32, label: u32) -> f32 {
    var share = select(0.0, 1.0, i == label);
    if params.soft != 0u {
        share = targets[row * params.classes + i];
    }
    return params.kept * share + params.spread;
}

@compute @workgroup_size(WORKGROUP)
fn softmax_cross_entropy(@builtin(local_invocation_index) local: u32) {
    var loss = 0.0;
    var correct = 0.0;
    var non_finite = 0u;
    for (var row = local; row < params.rows; row += WORKGROUP) {
        let start = row * params.classes;
        let label = labels[row];
        let valid = row < step.valid_rows;
        var row_weight = 1.0;
        if params.weighted != 0u {
            row_weight = class_weights[select(label, row, params.weighted == BY_ROW)];
        }
        var best = 0u;
        var finite = is_finite(logits[start]);
        for (var i = 1u; i < params.classes; i += 1u) {
            finite &= is_finite(logits[start + i]);
            if logits[start + i] > logits[start + best] {
                best = i;
            }
        }
        let largest = logits[start + best];
        var sum = 0.0;
        // Classes that nobody wants add nothing, not even where their distance overflows.
        var distance = 0.0;
        for (var i = 0u; i < params.classes; i += 1u) {
            sum += exp(logits[start + i] - largest);
            let share = wanted(row, i, label);
            if share != 0.0 {
                distance += share * (largest - logits[start + i]);
            }
        }
        for (var i = 0u; i < params.classes; i += 1u) {
            let probability = exp(logits[start + i] - largest) / sum;
            let mean = row_weight * (probability - wanted(row, i, label)) / f32(step.all_rows);
            dlogits[start + i] = select(0.0, params.weight * mean, valid & finite);
        }
        if valid {
            loss += row_weight * (log(sum) + distance);
            correct += select(0.0, 1.0, finite & (best == label));
            non_finite |= u32(!finite);
        }
    }
    losses[local] = loss;
    hits[local] = correct;
    broken[local] = non_finite;
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            losses[local] += losses[local + half];
            hits[local] += hits[local + half];
            broken[local] |= broken[local + half];
        }
    }
    if local == 0u {
        let raised = (broken[0] != 0u) | !is_finite(losses[0]);
        metrics[0] = bitcast<f32>(select(bitcast<u32>(losses[0]), NAN, raised));
        metrics[1] = hits[0];
        if raised {
            metrics[2] = 1.0;
        }
        metrics[3] = 0.0;
    }
}
