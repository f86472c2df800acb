
// Adam (Kingma and Ba 2015, as Keras 3 computes it), for the flat update and the fused weight gradients:
// m += (g - m) gain1, v += (g^2 - v) gain2, w -= rate * m / (sqrt(v) + epsilon), gain = 1 - beta, with the
// bias correction in the rate. The step's scalars: rate, gain1, gain2, epsilon.
//
// w, moment1, moment2 are the module's own, in vectors of four weights.

/// Four weights and their moments.
struct Held {
    weight: vec4<f32>,
    m: vec4<f32>,
    v: vec4<f32>,
}

fn held(i: u32) -> Held {
    return Held(w[i], moment1[i], moment2[i]);
}

/// Stores what `held` and the gradient make of vector i.
fn spend(i: u32, held: Held, gradient: vec4<f32>) {
    let first = held.m + (gradient - held.m) * step.rule1;
    let second = held.v + (gradient * gradient - held.v) * step.rule2;
    moment1[i] = first;
    moment2[i] = second;
    w[i] = held.weight - step.rule0 * first / (sqrt(second) + step.rule3);
}

fn apply(i: u32, gradient: vec4<f32>) {
    // All are loaded before the first store, so that the loads overlap, and each word once: a second read
    // is a second load on software adapters.
    spend(i, held(i), gradient);
}
