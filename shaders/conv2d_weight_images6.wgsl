// Images of 6 by 6 for conv2d_weight_subgroup_images.wgsl.

/// Rows and columns.
const SIDE: u32 = 6;
/// Input channels of a lane, which hold whole vectors.
const INPUTS: u32 = 1;
/// Output channels of a workgroup.
const CHANNELS: u32 = 8;
