// A number near a mean, from which differences are taken.

/// A quotient as a number that is the same wherever it stands, its last bit zero. Compilers may put the quotient's
/// product into a difference unrounded and elsewhere not: an NVIDIA driver's mean was off by what lies between.
fn settled(quotient: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(quotient) & 0xfffffffeu);
}
