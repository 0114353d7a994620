//! Products with stored matrices: descriptors and an algorithm for each shape, asked for once.

use super::CublasLt;
use super::functions::{
    Algo, CAP_NUMERICAL_IMPL_FLAGS, COMPUTE_32F, DESC_BIAS_POINTER, DESC_EPILOGUE, DESC_TRANSA,
    EPILOGUE_BIAS, Heuristic, IMPL_ACCUMULATOR_32F, IMPL_FMA, IMPL_HMMA, IMPL_INPUT_16BF, IMPL_INPUT_32F,
    NOT_SUPPORTED, OP_T, Object, PREF_IMPL_MASK, PREF_MAX_WORKSPACE_BYTES, PREF_MIN_ALIGNMENT_BYTES,
    PREF_REDUCTION_SCHEME_MASK, R_16BF, R_32F, REDUCTION_COMPUTE_TYPE, Status,
};
use crate::KernelError;
use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::sync::Arc;

/// Proposals that are asked for: the first that computes as it must is taken.
const PROPOSALS: usize = 8;

/// Element type of both factors; sums and results are f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Factors {
    /// f32, of which all 24 bits count.
    F32,
    /// bf16.
    Bf16,
}

impl Factors {
    const fn code(self) -> c_int {
        match self {
            Factors::F32 => R_32F,
            Factors::Bf16 => R_16BF,
        }
    }

    /// What an algorithm may be: without tf32, and with sums in f32.
    const fn numerics(self) -> u64 {
        let input = match self {
            Factors::F32 => IMPL_FMA | IMPL_INPUT_32F,
            Factors::Bf16 => IMPL_FMA | IMPL_HMMA | IMPL_INPUT_16BF,
        };
        input | IMPL_ACCUMULATOR_32F
    }
}

/// `y[t, o] = Σ x[t, i] w[o, i]`, with what was in `y` and with `bias[o]` where that is said: addresses of a device's memory.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// The type of `w` and of `x`.
    pub factors: Factors,
    /// Rows of `w`.
    pub rows: u64,
    /// Columns of `w` and of `x`.
    pub columns: u64,
    /// Rows of `x` and of `y`.
    pub tokens: u64,
    /// Elements from a row of `y` to the next; at least `rows`.
    pub stride: u64,
    /// Whether the product is added to what is in `y`.
    pub adds: bool,
    /// `[rows, columns]`.
    pub w: u64,
    /// `[tokens, columns]`.
    pub x: u64,
    /// `[rows]` in f32, or 0.
    pub bias: u64,
    /// `[tokens, stride]`, in f32.
    pub y: u64,
    /// Memory for parts of sums, which nothing else uses meanwhile.
    pub workspace: u64,
    /// Its bytes.
    pub workspace_bytes: u64,
}

/// What an algorithm depends on: not on whether a product is added to something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Form {
    factors: Factors,
    sizes: [u64; 4],
    /// Of w, x, y and bias, up to 256 bytes; 0 without bias.
    alignments: [u32; 4],
    workspace_bytes: u64,
}

impl Form {
    fn of(product: &Product) -> Form {
        let alignment = |address: u64| 1 << address.trailing_zeros().min(8);
        let bias = if product.bias == 0 { 0 } else { alignment(product.bias) };
        Form {
            factors: product.factors,
            sizes: [product.rows, product.columns, product.tokens, product.stride],
            alignments: [alignment(product.w), alignment(product.x), alignment(product.y), bias],
            workspace_bytes: product.workspace_bytes,
        }
    }
}

/// Something of the library's that is destroyed with this value.
struct Owned {
    object: Object,
    destroy: unsafe extern "C" fn(Object) -> Status,
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: it was made, and is not used again; a failure leaves it to the end of the process.
        let _ = unsafe { (self.destroy)(self.object) };
    }
}

/// How products of one form are computed.
struct Plan {
    what: Owned,
    w: Owned,
    x: Owned,
    y: Owned,
    algo: Algo,
}

/// The library on one device, whose context is the calling thread's at every call.
pub struct Multiplier {
    /// None where the library does not do it. Descriptors go before the library, which is declared last.
    plans: BTreeMap<Form, Option<Plan>>,
    handle: Owned,
    lt: Arc<CublasLt>,
}

// SAFETY: the state and descriptors may be used from any thread, and one at a time has them.
unsafe impl Send for Multiplier {}

impl std::fmt::Debug for Multiplier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Multiplier")
            .field("lt", &self.lt)
            .field("plans", &self.plans.len())
            .finish_non_exhaustive()
    }
}

impl Multiplier {
    /// On the device of the current context.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn new(lt: Arc<CublasLt>) -> Result<Multiplier, KernelError> {
        let functions = &lt.functions;
        // SAFETY: a place to write to.
        let handle = made(&lt, "a state", functions.destroy, |object| unsafe { (functions.create)(object) })?;
        Ok(Multiplier { plans: BTreeMap::new(), handle, lt })
    }

    /// Forms that were asked for.
    pub fn forms(&self) -> usize {
        self.plans.len()
    }

    /// Whether the library does this product as it must be done; what it says is kept for all of the same form.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn knows(&mut self, product: &Product) -> Result<bool, KernelError> {
        let form = Form::of(product);
        if let Some(known) = self.plans.get(&form) {
            return Ok(known.is_some());
        }
        let plan = plan(&self.lt, &self.handle, &form)?;
        let found = plan.is_some();
        self.plans.insert(form, plan);
        Ok(found)
    }

    /// Compute a product that [`Multiplier::knows`], after what was asked for on `stream` before.
    ///
    /// # Safety
    /// The addresses are of memory of the device with the sizes that [`Product`] says, until the stream has done it.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub unsafe fn multiply(&self, product: &Product, stream: *mut c_void) -> Result<(), KernelError> {
        let Some(Some(plan)) = self.plans.get(&Form::of(product)) else {
            return Err(KernelError::Device {
                what: "internal error: a product that was not asked for".to_owned(),
            });
        };
        if product.bias != 0 {
            set(&self.lt, self.lt.functions.desc_set, &plan.what, DESC_BIAS_POINTER, &product.bias)?;
        }
        let (alpha, beta) = (1.0f32, if product.adds { 1.0f32 } else { 0.0 });
        // SAFETY: alpha and beta are read before the call returns; descriptors and algorithm are of this form, and the caller
        // answers for the memory.
        let status = unsafe {
            (self.lt.functions.matmul)(
                self.handle.object,
                plan.what.object,
                (&raw const alpha).cast(),
                product.w as *const c_void,
                plan.w.object,
                product.x as *const c_void,
                plan.x.object,
                (&raw const beta).cast(),
                product.y as *const c_void,
                plan.y.object,
                product.y as *mut c_void,
                plan.y.object,
                &plan.algo,
                product.workspace as *mut c_void,
                product.workspace_bytes as usize,
                stream,
            )
        };
        check(&self.lt, "a product", status)
    }
}

fn check(lt: &CublasLt, what: &str, status: Status) -> Result<(), KernelError> {
    if status == 0 {
        return Ok(());
    }
    let (version, words) = (lt.version(), lt.words(status));
    let what = format!(
        "{what} of cuBLASLt {version} failed: {words}; set {}=none, and icpc's own kernels do it",
        super::OVERRIDE
    );
    Err(KernelError::Device { what })
}

fn made(
    lt: &CublasLt,
    what: &str,
    destroy: unsafe extern "C" fn(Object) -> Status,
    make: impl FnOnce(*mut Object) -> Status,
) -> Result<Owned, KernelError> {
    let mut object: Object = std::ptr::null_mut();
    check(lt, what, make(&mut object))?;
    Ok(Owned { object, destroy })
}

/// Set an attribute, whose type is that of its value.
fn set<T>(
    lt: &CublasLt,
    set: unsafe extern "C" fn(Object, c_int, *const c_void, usize) -> Status,
    of: &Owned,
    attribute: c_int,
    value: &T,
) -> Result<(), KernelError> {
    // SAFETY: the object exists, and the library copies as many bytes as the value has.
    let status = unsafe { set(of.object, attribute, (&raw const *value).cast(), size_of::<T>()) };
    check(lt, "an attribute", status)
}

/// Descriptors and the library's choice. Its matrices are column by column: ours, row by row, are to it transposed, so it is asked for
/// `yᵀ = w xᵀ` with `w` as what it has to transpose.
fn plan(lt: &CublasLt, handle: &Owned, form: &Form) -> Result<Option<Plan>, KernelError> {
    let functions = &lt.functions;
    let [rows, columns, tokens, stride] = form.sizes;
    let layout = |of: c_int, rows: u64, columns: u64, stride: u64| {
        let stride = i64::try_from(stride).unwrap_or(i64::MAX);
        made(lt, "a layout", functions.layout_destroy, |object| {
            // SAFETY: a place to write to, and numbers.
            unsafe { (functions.layout_create)(object, of, rows, columns, stride) }
        })
    };
    let of = form.factors.code();
    let w = layout(of, columns, rows, columns)?;
    let x = layout(of, columns, tokens, columns)?;
    let y = layout(R_32F, rows, tokens, stride)?;
    let what = made(lt, "a description", functions.desc_destroy, |object| {
        // SAFETY: as above.
        unsafe { (functions.desc_create)(object, COMPUTE_32F, R_32F) }
    })?;
    set(lt, functions.desc_set, &what, DESC_TRANSA, &OP_T)?;
    let [of_w, of_x, of_y, of_bias] = form.alignments;
    if of_bias != 0 {
        set(lt, functions.desc_set, &what, DESC_EPILOGUE, &EPILOGUE_BIAS)?;
        // an address that is aligned so, which is not read
        set(lt, functions.desc_set, &what, DESC_BIAS_POINTER, &u64::from(of_bias))?;
    }
    let preference = made(lt, "a preference", functions.preference_destroy, |object| {
        // SAFETY: a place to write to.
        unsafe { (functions.preference_create)(object) }
    })?;
    let prefer = functions.preference_set;
    set(lt, prefer, &preference, PREF_MAX_WORKSPACE_BYTES, &form.workspace_bytes)?;
    set(lt, prefer, &preference, PREF_REDUCTION_SCHEME_MASK, &REDUCTION_COMPUTE_TYPE)?;
    set(lt, prefer, &preference, PREF_IMPL_MASK, &form.factors.numerics())?;
    for (number, alignment) in (0..).zip([of_w, of_x, of_y, of_y]) {
        set(lt, prefer, &preference, PREF_MIN_ALIGNMENT_BYTES + number, &alignment)?;
    }
    let (mut proposals, mut count) = ([Heuristic::default(); PROPOSALS], 0);
    // SAFETY: all of these exist, and there is room for as many proposals as are asked for.
    let status = unsafe {
        (functions.heuristic)(
            handle.object,
            what.object,
            w.object,
            x.object,
            y.object,
            y.object,
            preference.object,
            PROPOSALS as c_int,
            proposals.as_mut_ptr(),
            &mut count,
        )
    };
    if status == NOT_SUPPORTED {
        return Ok(None);
    }
    check(lt, "a proposal", status)?;
    let proposals = proposals.into_iter().take(usize::try_from(count).unwrap_or(0));
    let mut fitting = proposals.filter(|found| {
        found.state == 0
            && found.workspace as u64 <= form.workspace_bytes
            && computes(lt, &found.algo, form.factors)
    });
    Ok(fitting.next().map(|found| Plan { what, w, x, y, algo: found.algo }))
}

/// Whether an algorithm is what was asked for, whatever a setting of the library outside of this program says.
fn computes(lt: &CublasLt, algo: &Algo, factors: Factors) -> bool {
    let (mut flags, mut written) = (0u64, 0usize);
    // SAFETY: an algorithm that the library gave, and places to write to of the said size.
    let status = unsafe {
        let flags = (&raw mut flags).cast();
        (lt.functions.algo_cap)(algo, CAP_NUMERICAL_IMPL_FLAGS, flags, size_of::<u64>(), &mut written)
    };
    status == 0 && written == size_of::<u64>() && flags & !factors.numerics() == 0
}
