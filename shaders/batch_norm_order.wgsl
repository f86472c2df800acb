
// In which order the features of a row lie that was flattened from an image of params.flattened pixels: by channel, then
// pixel, where Keras, and so every vector of batch normalization, has them by pixel, then channel.

/// Where feature c of the vectors lies among the channels of x and y.
fn place_of(c: u32) -> u32 {
    if params.flattened == 1u {
        return c;
    }
    let channels = params.c / params.flattened;
    return c % channels * params.flattened + c / channels;
}

/// The number in the vectors of the feature that lies there.
fn feature_at(place: u32) -> u32 {
    if params.flattened == 1u {
        return place;
    }
    return place % params.flattened * (params.c / params.flattened) + place / params.flattened;
}
