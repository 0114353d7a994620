//! NVIDIA's compiler of kernels (NVRTC), a library that is loaded from where it lies.

use super::launch::Family;
use super::{libraries, sources};
use crate::{DType, Unavailable};
use libloading::{Library, Symbol};
use std::ffi::{CStr, CString, c_char, c_int, c_void};

/// The environment variable that names the library, or its folder.
pub const OVERRIDE: &str = "ICPC_NVRTC";

/// Names of the library, newest kind of driver last: what is asked for must run on the driver that is there.
const NAMES: &[&str] = if cfg!(windows) {
    &["nvrtc64_120_0.dll", "nvrtc64_130_0.dll"]
} else {
    &["libnvrtc.so.12", "libnvrtc.so.13", "libnvrtc.so"]
};

/// A program under compilation, as NVRTC names it.
type Program = *mut c_void;
/// The status that all functions return; 0 is success.
type Status = c_int;

/// NVRTC, loaded.
#[derive(Debug)]
pub struct Nvrtc {
    library: Library,
    version: (i32, i32),
}

impl Nvrtc {
    /// Load it: what [`OVERRIDE`] names and nothing else; without it from the system's folders, from an active Python
    /// environment's or the user's packages, or from an installed CUDA toolkit.
    ///
    /// # Errors
    /// [`Unavailable`] where it is not found or lacks a function.
    pub fn load() -> Result<Nvrtc, Unavailable> {
        let (named, candidates) = libraries::candidates(OVERRIDE, NAMES, "cuda_nvrtc");
        for path in candidates {
            // SAFETY: loading NVIDIA's library runs its initialisers; what it is called with below has its documented types.
            if let Ok(library) = unsafe { Library::new(&path) } {
                return Nvrtc::of(library);
            }
        }
        let what = match named {
            Some(path) => format!("no NVRTC can be loaded from {}, which {OVERRIDE} names", path.display()),
            None => format!("NVRTC ({}), which compiles the kernels, is not found", NAMES[0]),
        };
        Err(Unavailable::new(
            what,
            format!(
                "`pip install nvidia-cuda-nvrtc-cu12` in the active Python environment, or set {OVERRIDE} to its path"
            ),
        ))
    }

    fn of(library: Library) -> Result<Nvrtc, Unavailable> {
        let mut nvrtc = Nvrtc { library, version: (0, 0) };
        let (mut major, mut minor) = (0, 0);
        type Version = unsafe extern "C" fn(*mut c_int, *mut c_int) -> Status;
        let status = {
            let version: Symbol<'_, Version> = nvrtc.function(b"nvrtcVersion\0").map_err(unsuitable)?;
            // SAFETY: two numbers to write to, as nvrtcVersion wants.
            unsafe { version(&mut major, &mut minor) }
        };
        if status != 0 {
            return Err(unsuitable(format!("nvrtcVersion returns {status}")));
        }
        nvrtc.version = (major, minor);
        Ok(nvrtc)
    }

    /// Major and minor version, which are CUDA's.
    pub const fn version(&self) -> (i32, i32) {
        self.version
    }

    fn function<T>(&self, name: &[u8]) -> Result<Symbol<'_, T>, String> {
        // SAFETY: `T` is at each use the type that NVIDIA documents for the function of this name.
        unsafe { self.library.get(name) }.map_err(|error| error.to_string())
    }

    /// Architectures that it knows, as 10 × major + minor.
    ///
    /// # Errors
    /// What NVRTC says.
    pub fn architectures(&self) -> Result<Vec<i32>, String> {
        let count: Symbol<'_, unsafe extern "C" fn(*mut c_int) -> Status> =
            self.function(b"nvrtcGetNumSupportedArchs\0")?;
        let list: Symbol<'_, unsafe extern "C" fn(*mut c_int) -> Status> =
            self.function(b"nvrtcGetSupportedArchs\0")?;
        let mut length = 0;
        // SAFETY: a number to write to.
        self.check(unsafe { count(&mut length) }, "nvrtcGetNumSupportedArchs")?;
        let mut architectures = vec![0; usize::try_from(length).unwrap_or(0)];
        // SAFETY: as many numbers as the function before said.
        self.check(unsafe { list(architectures.as_mut_ptr()) }, "nvrtcGetSupportedArchs")?;
        Ok(architectures)
    }

    fn check(&self, status: Status, what: &str) -> Result<(), String> {
        if status == 0 { Ok(()) } else { Err(format!("{what} returns {status}")) }
    }

    /// Compile a family for a type of source and an architecture such as `sm_90`: a CUBIN.
    ///
    /// # Errors
    /// What the compiler says.
    pub fn compile(&self, family: Family, source: DType, architecture: &str) -> Result<Vec<u8>, String> {
        let (text, options) = sources::unit(family, source, architecture)?;
        let text = c_string(text)?;
        let name = c_string(&format!("{}.cu", family.name()))?;
        let headers: Vec<(CString, CString)> = sources::headers()
            .iter()
            .map(|(name, text)| Ok((c_string(name)?, c_string(text)?)))
            .collect::<Result<_, String>>()?;
        let names: Vec<*const c_char> = headers.iter().map(|(name, _)| name.as_ptr()).collect();
        let texts: Vec<*const c_char> = headers.iter().map(|(_, text)| text.as_ptr()).collect();
        let create: Symbol<
            '_,
            unsafe extern "C" fn(
                *mut Program,
                *const c_char,
                *const c_char,
                c_int,
                *const *const c_char,
                *const *const c_char,
            ) -> Status,
        > = self.function(b"nvrtcCreateProgram\0")?;
        let mut program: Program = std::ptr::null_mut();
        let count = headers.len() as c_int;
        // SAFETY: strings that end with 0 and outlive the call, which copies them; as many headers as both lists have.
        let status = unsafe {
            create(&mut program, text.as_ptr(), name.as_ptr(), count, texts.as_ptr(), names.as_ptr())
        };
        self.check(status, "nvrtcCreateProgram")?;
        let result = self.compile_program(program, &options);
        let destroy: Symbol<'_, unsafe extern "C" fn(*mut Program) -> Status> =
            self.function(b"nvrtcDestroyProgram\0")?;
        // SAFETY: the program was created above and is not used again.
        unsafe { destroy(&mut program) };
        result
    }

    fn compile_program(&self, program: Program, options: &[String]) -> Result<Vec<u8>, String> {
        let options: Vec<CString> =
            options.iter().map(|option| c_string(option)).collect::<Result<_, _>>()?;
        let pointers: Vec<*const c_char> = options.iter().map(|option| option.as_ptr()).collect();
        let compile: Symbol<'_, unsafe extern "C" fn(Program, c_int, *const *const c_char) -> Status> =
            self.function(b"nvrtcCompileProgram\0")?;
        // SAFETY: a program that exists, and as many strings as are said.
        let status = unsafe { compile(program, pointers.len() as c_int, pointers.as_ptr()) };
        if status != 0 {
            let log = self.bytes_of(program, b"nvrtcGetProgramLogSize\0", b"nvrtcGetProgramLog\0")?;
            let log = String::from_utf8_lossy(&log);
            return Err(format!(
                "nvrtcCompileProgram returns {status}: {}",
                log.trim_end_matches('\0').trim()
            ));
        }
        self.bytes_of(program, b"nvrtcGetCUBINSize\0", b"nvrtcGetCUBIN\0")
    }

    /// What a pair of functions gives of a program.
    fn bytes_of(&self, program: Program, size: &[u8], get: &[u8]) -> Result<Vec<u8>, String> {
        let name = |name: &[u8]| {
            CStr::from_bytes_until_nul(name)
                .map_or_else(|_| String::new(), |n| n.to_string_lossy().into_owned())
        };
        let size_of: Symbol<'_, unsafe extern "C" fn(Program, *mut usize) -> Status> = self.function(size)?;
        let copy: Symbol<'_, unsafe extern "C" fn(Program, *mut c_char) -> Status> = self.function(get)?;
        let mut length = 0;
        // SAFETY: a program that exists, and a number to write to.
        self.check(unsafe { size_of(program, &mut length) }, &name(size))?;
        let mut bytes = vec![0u8; length];
        // SAFETY: as many bytes as the function before said.
        self.check(unsafe { copy(program, bytes.as_mut_ptr().cast()) }, &name(get))?;
        Ok(bytes)
    }
}

fn unsuitable(error: String) -> Unavailable {
    Unavailable::new(
        format!("the NVRTC that was found cannot be used ({error})"),
        format!("`pip install nvidia-cuda-nvrtc-cu12`, and set {OVERRIDE} to its path"),
    )
}

fn c_string(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|error| error.to_string())
}
