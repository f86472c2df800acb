// naga includes Metal's vector header; our kernels use nothing of it.
#pragma once
