// Images of 3 by 3 for conv2d_weight_subgroup_images.wgsl.

/// Rows and columns.
const SIDE: u32 = 3;
/// Input channels of a lane, which hold whole vectors.
const INPUTS: u32 = 4;
/// Output channels of a workgroup.
const CHANNELS: u32 = 8;
