//! The kernels as libraries for the processor, compiled once for each text: those of the plan one for each element type of the
//! source, those of models one.

use icpc_kernels::cuda::launch::Family;
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

/// Libraries of the plan, each with its element type, or the one of models. Launches take turns.
pub struct Libraries(Vec<(DType, Library)>);

/// Where the kernels are, from a test of any package.
const TEXTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../kernels/cuda");

/// The fibers of a library are one set for the whole process, whoever loaded it.
static TURN: Mutex<()> = Mutex::new(());

impl Libraries {
    /// Those of the plan, compiled where they are not there yet. Nothing where this machine has no C++ compiler.
    #[allow(dead_code, reason = "tests of models have no use for them")]
    pub fn build() -> Option<Libraries> {
        // tests of one process would write the same files
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (compiler, texts, folder) = places()?;
        let build = |name: &str| compile(&compiler, &texts, &folder, "all.cpp", name);
        // two at a time: each takes seconds
        let halves = sources::TYPES.split_at(sources::TYPES.len() / 2);
        let paths = std::thread::scope(|scope| {
            let first = scope.spawn(|| halves.0.iter().map(|(_, name)| build(name)).collect::<Vec<_>>());
            let second: Vec<PathBuf> = halves.1.iter().map(|(_, name)| build(name)).collect();
            first.join().unwrap().into_iter().chain(second).collect::<Vec<_>>()
        });
        let types = sources::TYPES.iter().map(|(dtype, _)| *dtype);
        Some(Libraries(types.zip(paths).map(|(dtype, path)| (dtype, load(&path))).collect()))
    }

    /// The one of models.
    #[allow(dead_code, reason = "tests of plans have no use for it")]
    pub fn of_models() -> Option<Libraries> {
        // as above
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (compiler, texts, folder) = places()?;
        let path = compile(&compiler, &texts, &folder, "model.cpp", "F32");
        Some(Libraries(vec![(DType::F32, load(&path))]))
    }

    /// What stands for cuBLASLt.
    #[allow(dead_code, reason = "tests of plans have no use for it")]
    pub fn stand_in() -> Option<StandIn> {
        // as above
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (compiler, texts, folder) = places()?;
        let path = compile(&compiler, &texts, &folder, "cublaslt.cpp", "F32");
        Some(StandIn { library: load(&path), path })
    }

    /// Run a kernel.
    ///
    /// # Safety
    /// As `Lane::launch`: the parameter and the memory must be the kernel's.
    pub unsafe fn launch(
        &self,
        family: Family,
        source: DType,
        kernel: &str,
        grid: u32,
        block: u32,
        params: &[u64],
    ) -> Result<(), KernelError> {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let missing =
            || KernelError::Device { what: format!("no kernel {kernel} of {} for {source}", family.name()) };
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

/// The stand-in for cuBLASLt, which counts what this thread asks of it.
#[allow(dead_code, reason = "as above")]
pub struct StandIn {
    library: Library,
    pub path: PathBuf,
}

#[allow(dead_code, reason = "not every test asks all of it")]
impl StandIn {
    fn count(&self, name: &str) -> u64 {
        // SAFETY: `cublaslt.cpp` has functions of these names that take nothing and give a number.
        unsafe { self.library.get::<unsafe extern "C" fn() -> u64>(name.as_bytes()).unwrap()() }
    }

    fn tell(&self, name: &str, yes: bool) {
        // SAFETY: as above, of functions that take a truth value.
        unsafe { self.library.get::<unsafe extern "C" fn(bool)>(name.as_bytes()).unwrap()(yes) }
    }

    /// Products that it computed.
    pub fn products(&self) -> u64 {
        self.count("stand_in_products")
    }

    /// How often it was asked how to compute one.
    pub fn questions(&self) -> u64 {
        self.count("stand_in_questions")
    }

    /// What it made and was not told to destroy.
    pub fn objects(&self) -> u64 {
        self.count("stand_in_objects")
    }

    /// It proposes tf32 whatever it is asked for.
    pub fn ignores_numerics(&self, yes: bool) {
        self.tell("stand_in_ignores_numerics", yes);
    }

    /// It knows how to do nothing.
    pub fn does_nothing(&self, yes: bool) {
        self.tell("stand_in_does_nothing", yes);
    }
}

fn load(path: &Path) -> Library {
    // SAFETY: the library was compiled here; loading it runs the initialisers of its vectors only.
    unsafe { Library::new(path) }.unwrap()
}

/// The compiler, the kernels, and where libraries go.
fn places() -> Option<(String, PathBuf, PathBuf)> {
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    if Command::new(&compiler).arg("--version").output().is_err() {
        let absent = format!("{compiler} is not there: kernels are not run on the processor");
        assert!(std::env::var("ICPC_REQUIRE_CXX").is_err(), "{absent}");
        eprintln!("skipped: {absent}");
        return None;
    }
    let texts = PathBuf::from(TEXTS);
    let folder = folder(&texts);
    Some((compiler, texts, folder))
}

/// A folder of its own for these texts, with the generated headers in it.
fn folder(texts: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    OPTIONS.hash(&mut hasher);
    sources::headers().hash(&mut hasher);
    for (family, text) in sources::FAMILIES.into_iter().chain(sources::MODEL_FAMILIES) {
        (family.name(), text).hash(&mut hasher);
    }
    for name in ["shim.h", "fibers.h", "all.cpp", "model.cpp", "cublaslt.cpp"] {
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

fn compile(compiler: &str, texts: &Path, folder: &Path, unit: &str, source: &str) -> PathBuf {
    let library = folder.join(format!("{unit}.{source}.so"));
    if library.exists() {
        return library;
    }
    let own = folder.join(format!("{unit}.{source}.{}.new", std::process::id()));
    let include = |path: &Path| format!("-I{}", path.display());
    let output = Command::new(compiler)
        .args(OPTIONS)
        .arg(format!("-DSOURCE={source}"))
        .args([include(texts), include(&texts.join("shim")), include(folder)])
        .arg(texts.join("shim").join(unit))
        .arg("-o")
        .arg(&own)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::rename(own, &library).unwrap();
    library
}
