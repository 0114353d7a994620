// The kernels that run models, for the processor. Families use the same names, so each is a namespace.
#include "fibers.h"
// and what they include, once and outside
#include "functions.cuh"
#include "stored.cuh"
#include "tensor.cuh"

namespace attention_family {
#include "attention.cu"
}
namespace elementwise_family {
#include "elementwise.cu"
}
namespace experts_family {
#include "experts.cu"
}
namespace integer_family {
#include "integer.cu"
}
namespace linear_family {
#include "linear.cu"
}
namespace product_family {
#include "product.cu"
}
namespace rows_family {
#include "rows.cu"
}
namespace scan_family {
#include "scan.cu"
}
