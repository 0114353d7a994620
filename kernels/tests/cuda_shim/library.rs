//! The kernels as a library for the processor, one for each element type of the source: compiled once for each text.

use icpc_kernels::cuda::sources;
use icpc_kernels::{DType, KernelError};
use libloading::Library;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

type Kernel = unsafe extern "C" fn(*const u64);
type Launcher = unsafe extern "C" fn(Kernel, u32, u32, *const u64);

const OPTIONS: [&str; 7] = [
    "-std=c++17",
    "-O2",
    "-shared",
    "-fPIC",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    "-Werror=return-type",
];

/// All libraries, in the order of [`sources::TYPES`]. Launches take turns.
pub struct Libraries(Vec<(DType, Library)>);

/// The fibers of a library are one set for the whole process, whoever loaded it.
static TURN: Mutex<()> = Mutex::new(());

impl Libraries {
    /// Compile what is not there yet. Nothing where this machine has no C++ compiler.
    pub fn build() -> Option<Libraries> {
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
        if Command::new(&compiler).arg("--version").output().is_err() {
            let absent = format!("{compiler} is not there: kernels are not run on the processor");
            assert!(std::env::var("ICPC_REQUIRE_CXX").is_err(), "{absent}");
            eprintln!("skipped: {absent}");
            return None;
        }
        let texts = Path::new(env!("CARGO_MANIFEST_DIR")).join("cuda");
        let folder = folder(&texts);
        let build = |name: &str| compile(&compiler, &texts, &folder, name);
        // two at a time: each takes seconds
        let halves = sources::TYPES.split_at(sources::TYPES.len() / 2);
        let paths = std::thread::scope(|scope| {
            let first = scope.spawn(|| halves.0.iter().map(|(_, name)| build(name)).collect::<Vec<_>>());
            let second: Vec<PathBuf> = halves.1.iter().map(|(_, name)| build(name)).collect();
            first.join().unwrap().into_iter().chain(second).collect::<Vec<_>>()
        });
        let load = |(path, (dtype, _)): (PathBuf, &(DType, &str))| {
            // SAFETY: the library was compiled here; loading it runs the initialisers of its vectors only.
            (*dtype, unsafe { Library::new(path) }.unwrap())
        };
        Some(Libraries(paths.into_iter().zip(&sources::TYPES).map(load).collect()))
    }

    /// Run a kernel.
    ///
    /// # Safety
    /// As `Lane::launch`: the parameter and the memory must be the kernel's.
    pub unsafe fn launch(
        &self,
        source: DType,
        kernel: &str,
        grid: u32,
        block: u32,
        params: &[u64],
    ) -> Result<(), KernelError> {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = || KernelError::Device { what: format!("no kernel {kernel} for {source}") };
        let (_, library) = self.0.iter().find(|(dtype, _)| *dtype == source).ok_or_else(missing)?;
        // SAFETY: these symbols have these types in `shim.h` and `fibers.h`; the caller answers for the parameter, whose length
        // is compared with the kernel's own.
        unsafe {
            let bytes =
                library.get::<*const u64>(format!("{kernel}_bytes").as_bytes()).map_err(|_| missing())?;
            assert_eq!(**bytes, 8 * params.len() as u64, "the parameter of {kernel}");
            let kernel = library.get::<Kernel>(kernel.as_bytes()).map_err(|_| missing())?;
            let launch = library.get::<Launcher>(b"icpc_shim_launch").map_err(|_| missing())?;
            launch(*kernel, grid, block, params.as_ptr());
        }
        Ok(())
    }
}

/// A folder of its own for these texts, with the generated headers in it.
fn folder(texts: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    OPTIONS.hash(&mut hasher);
    sources::headers().hash(&mut hasher);
    for (family, text) in sources::FAMILIES {
        (family.name(), text).hash(&mut hasher);
    }
    for name in ["shim.h", "fibers.h", "all.cpp"] {
        std::fs::read(texts.join("shim").join(name)).unwrap().hash(&mut hasher);
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cuda_shim-{:016x}", hasher.finish()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in sources::headers() {
        if !texts.join(name).exists() {
            write(&folder.join(name), text.as_bytes());
        }
    }
    folder
}

/// Other processes of the test may do the same at the same time.
fn write(path: &Path, bytes: &[u8]) {
    let own = path.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&own, bytes).unwrap();
    std::fs::rename(own, path).unwrap();
}

fn compile(compiler: &str, texts: &Path, folder: &Path, source: &str) -> PathBuf {
    let library = folder.join(format!("{source}.so"));
    if library.exists() {
        return library;
    }
    let own = folder.join(format!("{source}.{}.new", std::process::id()));
    let include = |path: &Path| format!("-I{}", path.display());
    let output = Command::new(compiler)
        .args(OPTIONS)
        .arg(format!("-DSOURCE={source}"))
        .args([include(texts), include(&texts.join("shim")), include(folder)])
        .arg(texts.join("shim/all.cpp"))
        .arg("-o")
        .arg(&own)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::rename(own, &library).unwrap();
    library
}
