//! NVIDIA's library of matrix products (cuBLASLt), loaded from where it lies. Without it kernels of our own do the same.
//!
//! `cudarc` binds it, too, but looks for it in the system's folders only, where a Python package is not, and panics where a function
//! is missing.
//!
//! ```text
//!  CublasLt ── functions ── Multiplier ── Plan     one for each shape: descriptors, and the algorithm that the library chose
//! ```

mod functions;
mod multiplier;

use super::libraries;
use crate::Unavailable;
use functions::Functions;
use libloading::Library;
pub use multiplier::{Factors, Multiplier, Product};
use std::ffi::CStr;
use std::fmt;
use std::path::Path;

/// The environment variable that names the library or its folder; `none` leaves it out.
pub const OVERRIDE: &str = "ICPC_CUBLASLT";

/// Names of the library, newest kind of driver last: what is asked for must run on the driver that is there.
const NAMES: &[&str] = if cfg!(windows) {
    &["cublasLt64_12.dll", "cublasLt64_13.dll"]
} else {
    &["libcublasLt.so.12", "libcublasLt.so.13", "libcublasLt.so"]
};

/// What is done where it is missing.
const WITHOUT: &str = "icpc's own kernels multiply dense weights";

/// cuBLASLt, loaded.
pub struct CublasLt {
    functions: Functions,
    /// What the functions are of.
    _library: Library,
}

impl CublasLt {
    /// Load it: what [`OVERRIDE`] names and nothing else; without it from the places where [`super::nvrtc::Nvrtc::load`] looks.
    /// `newest` is the major version of CUDA that the driver runs, where that is known.
    ///
    /// # Errors
    /// [`Unavailable`] where it is not found, is left out, lacks a function, or is newer than the driver.
    pub fn load(newest: Option<i32>) -> Result<CublasLt, Unavailable> {
        let (named, candidates) = libraries::candidates(OVERRIDE, NAMES, "cublas");
        if named.as_deref() == Some(Path::new("none")) {
            let what = format!("{OVERRIDE} leaves cuBLASLt out, so {WITHOUT}");
            return Err(Unavailable::new(what, format!("unset {OVERRIDE}")));
        }
        let mut unsuitable = None;
        for path in candidates {
            match CublasLt::open(&path) {
                Ok(loaded) => match newest {
                    Some(newest) if loaded.cuda() > newest => {
                        let (of, version) = (loaded.cuda(), loaded.version());
                        let what =
                            format!("cuBLASLt {version} is of CUDA {of}, and the driver runs CUDA {newest}");
                        unsuitable.get_or_insert(what);
                    }
                    _ => return Ok(loaded),
                },
                Err(Refused::Absent) => {}
                Err(Refused::Lacks(what)) => {
                    unsuitable.get_or_insert(format!("{} cannot be used ({what})", path.display()));
                }
            }
        }
        let what = match (named, unsuitable) {
            (_, Some(what)) => what,
            (Some(path), None) => {
                format!("no cuBLASLt can be loaded from {}, which {OVERRIDE} names", path.display())
            }
            (None, None) => format!("cuBLASLt ({}) is not found", NAMES[0]),
        };
        Err(Unavailable::new(
            format!("{what}, so {WITHOUT}"),
            format!(
                "`pip install nvidia-cublas-cu12` in the active Python environment, or set {OVERRIDE} to its path"
            ),
        ))
    }

    /// Whether [`OVERRIDE`] names a library, so that its absence is an error.
    pub fn is_asked_for() -> bool {
        std::env::var_os(OVERRIDE).is_some_and(|named| named != "none")
    }

    /// Load this file.
    ///
    /// # Errors
    /// [`Unavailable`] where it is no such library.
    pub fn of(path: &Path) -> Result<CublasLt, Unavailable> {
        CublasLt::open(path).map_err(|refused| {
            let why = match refused {
                Refused::Absent => "it cannot be loaded".to_owned(),
                Refused::Lacks(what) => what,
            };
            Unavailable::new(format!("{} is no cuBLASLt ({why})", path.display()), "name another")
        })
    }

    fn open(path: &Path) -> Result<CublasLt, Refused> {
        // SAFETY: loading NVIDIA's library runs its initialisers; its functions are called with their documented types.
        let library = unsafe { Library::new(path) }.map_err(|_| Refused::Absent)?;
        // SAFETY: as above; the library is kept beside them.
        let functions = unsafe { Functions::of(&library) }.map_err(Refused::Lacks)?;
        Ok(CublasLt { functions, _library: library })
    }

    /// Its version: `12.8.4`.
    pub fn version(&self) -> String {
        // SAFETY: it takes nothing.
        let number = unsafe { (self.functions.version)() };
        format!("{}.{}.{}", number / 10_000, number / 100 % 100, number % 100)
    }

    /// The major version of CUDA that it is of.
    fn cuda(&self) -> i32 {
        // SAFETY: it takes nothing.
        let number = unsafe { (self.functions.cudart_version)() };
        i32::try_from(number / 1000).unwrap_or(i32::MAX)
    }

    /// What it calls a status.
    fn words(&self, status: i32) -> String {
        // SAFETY: it gives a text that stays and ends with 0, or null.
        unsafe {
            let text = (self.functions.status_string)(status);
            if text.is_null() {
                return format!("status {status}");
            }
            format!("status {status}, {}", CStr::from_ptr(text).to_string_lossy())
        }
    }
}

impl fmt::Debug for CublasLt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CublasLt").field(&self.version()).finish()
    }
}

/// Why a file is not taken.
enum Refused {
    Absent,
    Lacks(String),
}
