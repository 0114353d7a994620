#!/usr/bin/env bash
# Install NVRTC, NVIDIA's compiler of kernels, into a virtual environment at DEST (about 90 MB): tests compile every kernel
# with it, without a GPU. Prints the folder for ICPC_NVRTC. Does nothing where it is there already.
#
#   export ICPC_NVRTC=$(kernels/cuda/nvrtc.sh DEST)
set -euo pipefail

package=nvidia-cuda-nvrtc-cu12
version=12.9.86

dest=${1:?usage: nvrtc.sh DEST}
[ -x "$dest/bin/python" ] || python3 -m venv "$dest"
# pip fails where the package is not there
installed=$({ "$dest/bin/python" -m pip show "$package" 2>/dev/null || true; } | sed -n 's/^Version: //p')
[ "$installed" = "$version" ] ||
    "$dest/bin/python" -m pip install --quiet --disable-pip-version-check "$package==$version" >&2
"$dest/bin/python" - <<'PYTHON'
import importlib.util, os
(folder,) = importlib.util.find_spec("nvidia.cuda_nvrtc").submodule_search_locations
print(os.path.abspath(os.path.join(folder, "lib")))
PYTHON
