//! The functions of cuBLASLt that are used, with the types and numbers of its header (`cublasLt.h` of CUDA 12; those of 13 are the
//! same).

use libloading::Library;
use std::ffi::{c_char, c_int, c_void};

/// 0 is success.
pub(super) type Status = c_int;
/// No algorithm does what was asked for.
pub(super) const NOT_SUPPORTED: Status = 15;
/// The library's state, and descriptors.
pub(super) type Object = *mut c_void;
/// How a product is computed, in the library's own words.
pub(super) type Algo = [u64; 8];

/// Types of elements.
pub(super) const R_32F: c_int = 0;
pub(super) const R_16BF: c_int = 14;
/// Sums in f32; of f32 without tf32.
pub(super) const COMPUTE_32F: c_int = 68;
/// A matrix is transposed.
pub(super) const OP_T: i32 = 1;
pub(super) const EPILOGUE_BIAS: u32 = 4;
/// Parts of a sum that are made side by side are added in f32, in a step of its own.
pub(super) const REDUCTION_COMPUTE_TYPE: u32 = 2;

/// Attributes of what is to be computed.
pub(super) const DESC_TRANSA: c_int = 3;
pub(super) const DESC_EPILOGUE: c_int = 7;
pub(super) const DESC_BIAS_POINTER: c_int = 8;

/// Attributes of what an algorithm may do.
pub(super) const PREF_MAX_WORKSPACE_BYTES: c_int = 1;
pub(super) const PREF_REDUCTION_SCHEME_MASK: c_int = 3;
/// Of A; those of B, C and D follow.
pub(super) const PREF_MIN_ALIGNMENT_BYTES: c_int = 5;
pub(super) const PREF_IMPL_MASK: c_int = 12;

/// An attribute of an algorithm, and its bits.
pub(super) const CAP_NUMERICAL_IMPL_FLAGS: c_int = 15;
pub(super) const IMPL_FMA: u64 = 1;
pub(super) const IMPL_HMMA: u64 = 2;
pub(super) const IMPL_ACCUMULATOR_32F: u64 = 2 << 8;
pub(super) const IMPL_INPUT_16BF: u64 = 2 << 16;
pub(super) const IMPL_INPUT_32F: u64 = 8 << 16;

/// What the library proposes.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Heuristic {
    pub algo: Algo,
    pub workspace: usize,
    pub state: Status,
    waves: f32,
    reserved: [c_int; 4],
}

const _: () = assert!(size_of::<Heuristic>() == 96);

macro_rules! functions {
    ($($field:ident: $name:literal fn($($argument:ty),*) -> $result:ty;)*) => {
        /// Pointers that are good as long as the library is loaded.
        pub(super) struct Functions {
            $(pub $field: unsafe extern "C" fn($($argument),*) -> $result,)*
        }

        impl Functions {
            /// # Safety
            /// The library is cuBLASLt, whose functions have these types, and outlives the result.
            pub(super) unsafe fn of(library: &Library) -> Result<Functions, String> {
                // SAFETY: the caller answers for the types.
                unsafe {
                    Ok(Functions {
                        $($field: *library
                            .get::<unsafe extern "C" fn($($argument),*) -> $result>(concat!($name, "\0").as_bytes())
                            .map_err(|_| concat!("it lacks ", $name).to_owned())?,)*
                    })
                }
            }
        }
    };
}

functions! {
    version: "cublasLtGetVersion" fn() -> usize;
    cudart_version: "cublasLtGetCudartVersion" fn() -> usize;
    status_string: "cublasLtGetStatusString" fn(Status) -> *const c_char;
    create: "cublasLtCreate" fn(*mut Object) -> Status;
    destroy: "cublasLtDestroy" fn(Object) -> Status;
    // type, rows, columns, elements from one column to the next
    layout_create: "cublasLtMatrixLayoutCreate" fn(*mut Object, c_int, u64, u64, i64) -> Status;
    layout_destroy: "cublasLtMatrixLayoutDestroy" fn(Object) -> Status;
    // type of the computation, and of what scales it
    desc_create: "cublasLtMatmulDescCreate" fn(*mut Object, c_int, c_int) -> Status;
    desc_destroy: "cublasLtMatmulDescDestroy" fn(Object) -> Status;
    desc_set: "cublasLtMatmulDescSetAttribute" fn(Object, c_int, *const c_void, usize) -> Status;
    preference_create: "cublasLtMatmulPreferenceCreate" fn(*mut Object) -> Status;
    preference_destroy: "cublasLtMatmulPreferenceDestroy" fn(Object) -> Status;
    preference_set: "cublasLtMatmulPreferenceSetAttribute" fn(Object, c_int, *const c_void, usize) -> Status;
    // state, what, A, B, C, D, preference, how many are asked for, room for them, how many there are
    heuristic: "cublasLtMatmulAlgoGetHeuristic"
        fn(Object, Object, Object, Object, Object, Object, Object, c_int, *mut Heuristic, *mut c_int) -> Status;
    algo_cap: "cublasLtMatmulAlgoCapGetAttribute" fn(*const Algo, c_int, *mut c_void, usize, *mut usize) -> Status;
    // state, what, alpha, A, its layout, B, its layout, beta, C, its layout, D, its layout, algorithm, workspace, its bytes, stream
    matmul: "cublasLtMatmul"
        fn(
            Object, Object, *const c_void, *const c_void, Object, *const c_void, Object, *const c_void, *const c_void, Object,
            *mut c_void, Object, *const Algo, *mut c_void, usize, *mut c_void
        ) -> Status;
}
