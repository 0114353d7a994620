// All kernels for one SOURCE, for the processor. Families use the same names, so each is a namespace.
#include "fibers.h"
// and what they include, once and outside
#include "codebooks.cuh"
#include "groups.cuh"
#include "tiles.cuh"

namespace cast_family {
#include "cast.cu"
}
namespace code4_family {
#include "code4.cu"
}
namespace compare_family {
#include "compare.cu"
}
namespace extents_family {
#include "extents.cu"
}
namespace grid_family {
#include "grid.cu"
}
namespace int_family {
#include "int.cu"
}
namespace nested_family {
#include "nested.cu"
}
namespace percentile_family {
#include "percentile.cu"
}
namespace prune_family {
#include "prune.cu"
}
namespace select_family {
#include "select.cu"
}
