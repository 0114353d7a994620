#!/usr/bin/env bash
# A libtorch without CUDA for `--features torch`, made from PyTorch's wheel on PyPI.
#
#     kernels/torch/libtorch.sh [DEST]        DEST is target/libtorch of this repository unless it is given
#     LIBTORCH=DEST cargo test -p icpc-kernels --features torch
#
# Needs Linux on x86-64, python3 with pip, and a C compiler. Downloads 540 MB and keeps 490. Does nothing when DEST is
# complete already; DEST appears whole or not at all.
#
# PyPI has CUDA builds only. Their libtorch_cpu.so needs libcudart and libcupti beside it and no driver; their
# libtorch.so would load libtorch_cuda.so, so an empty library that loads libtorch_cpu.so takes its place.
set -euo pipefail

version=2.13.0 # what the tch of Cargo.toml is made for
python=3.11    # one wheel for everybody, whatever Python runs this script
wheels="\
torch==$version \
    --hash=sha256:60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7
nvidia-cuda-runtime==13.0.96 \
    --hash=sha256:7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548
nvidia-cuda-cupti==13.0.85 \
    --hash=sha256:4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8
"

fail() { printf 'libtorch.sh: %s\n' "$*" >&2; exit 1; }

case ${1:-} in -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;; esac
[ $# -le 1 ] || fail "one argument at most, the folder to make"
dest=${1:-$(cd "$(dirname "$0")/../.." && pwd)/target/libtorch}
case $dest in /*) ;; *) dest=$PWD/$dest ;; esac # LIBTORCH must be absolute

if [ -e "$dest/build-version" ]; then
    found=$(cat "$dest/build-version")
    [ "$found" = "$version" ] || fail "$dest holds libtorch $found, not $version: remove it, or name another folder"
    printf '%s is complete\n' "$dest" >&2
    exit 0
fi
[ ! -e "$dest" ] || [ -z "$(ls -A "$dest" 2>/dev/null || echo no folder)" ] ||
    fail "$dest is there and is no finished libtorch: remove it, or name another folder"

[ "$(uname -s) $(uname -m)" = "Linux x86_64" ] ||
    fail "only for Linux on x86-64: install PyTorch $version and build with LIBTORCH_USE_PYTORCH=1"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null || fail "python3 (3.8 or newer) is not installed"
python3 -m pip --version >/dev/null 2>&1 || fail "python3 has no pip: install python3-pip"
compiler=$(command -v "${CC:-cc}" || command -v gcc || command -v clang) || fail "no C compiler: install gcc, or set CC"

mkdir -p "$(dirname "$dest")"
work=$(mktemp -d "$(dirname "$dest")/libtorch.XXXXXX")
trap 'rm -rf "$work"' EXIT

printf 'downloading torch %s (540 MB)\n' "$version" >&2
printf '%s' "$wheels" > "$work/wheels.txt"
python3 -m pip download --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: \
    --require-hashes --requirement "$work/wheels.txt" --dest "$work/wheels" --python-version "$python" \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 --platform manylinux2014_x86_64 ||
    fail "pip could not download the wheels of torch $version, see above"

# the libraries and headers, out of the wheels and out of their folders
python3 - "$work" <<'PYTHON' || fail "the wheels of torch $version are not as expected, see above"
import pathlib, shutil, sys, zipfile

work = pathlib.Path(sys.argv[1])
libraries = {"libtorch_cpu.so", "libc10.so", "libgomp.so.1", "libcudart.so.13", "libcupti.so.13"}
missing = set(libraries)
for wheel in (work / "wheels").glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            path = pathlib.PurePosixPath(name)
            if name.startswith("torch/include/") and not name.endswith("/"):
                target = work / "libtorch" / path.relative_to("torch")
            elif path.name in libraries and path.parent.name == "lib":
                target = work / "libtorch" / "lib" / path.name
                missing.discard(path.name)
            else:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, open(target, "wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
if missing:
    sys.exit("not in any wheel: " + ", ".join(sorted(missing)))
PYTHON

"$compiler" -shared -fPIC -x c /dev/null -o "$work/libtorch/lib/libtorch.so" -Wl,-soname,libtorch.so \
    -L"$work/libtorch/lib" -Wl,-rpath,'$ORIGIN' -Wl,--no-as-needed -ltorch_cpu -Wl,--allow-shlib-undefined ||
    fail "$compiler could not link the empty libtorch.so"
printf '%s' "$version" > "$work/libtorch/build-version"

[ ! -d "$dest" ] || rmdir "$dest"
mv "$work/libtorch" "$dest"
printf '%s is complete: LIBTORCH=%s\n' "$dest" "$dest" >&2
