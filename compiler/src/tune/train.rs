//! The training itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use icpc_kernels::torch::model::{TorchRuntime, TorchValue, cross_entropy, untraced};
use icpc_kernels::torch::train::{AdamW, distillation, norm, weighted};
use icpc_kernels::torch::{TorchDevice, version};
use icpc_kernels::{Cpu, KernelError};
use serde::{Deserialize, Serialize};

use super::crowd::Crowd;
use super::faults::{Fault, at_step, evaluated, not_measured};
use super::held_out::HeldOut;
use super::inputs::{self, Samples};
use super::order::Order;
use super::rate::rate;
use super::state::{self, Facts, Numbers, Of};
use super::student::Student;
use super::{Request, Tuned, Work, unread, whole};
use crate::backend::devices::waits_asleep;
use crate::backend::place::Place;
use crate::checkpoint::open;
use crate::eval::{EvalError, Model, Tokens, TorchModel};
use crate::exec::{self, Progress, RunError, RunErrorKind};
use crate::hir::Tune;
use crate::plan::hash::hex_digest;
use crate::plan::plan_hash;
use crate::plan::tune::TunePlan;
use crate::report::{StepLoss, StepPerplexity, TuneReport};
use crate::session::Session;

/// Steps whose losses a report holds, about.
const SHOWN: u64 = 20;

/// The trained weights in the folder `tuned`; nothing is done where they are there.
pub(super) fn once(
    request: &Request<'_>,
    session: &mut Session,
    work: &Work,
    progress: &dyn Progress,
) -> Result<Tuned, RunError> {
    let (folder, tuned) = (work.at("pruned"), work.at("tuned").join("model.safetensors"));
    let pruned = folder.join("model.safetensors");
    let mut weights =
        std::fs::read(&pruned).map_err(|e| RunError::io(RunErrorKind::Output, &pruned, "reading", &e))?;
    let mut training = Training::open(request, session, work, &weights)?;
    let known = std::fs::read(work.at("tuned.json")).ok();
    if let Some(known) = known.and_then(|text| serde_json::from_slice::<Done>(&text).ok())
        && known.of == training.of
        && tuned.exists()
    {
        return Ok(known.tuned());
    }
    training.run(progress)?;
    let schema = open(&folder).map_err(|e| unread(&folder, &e))?;
    let by_name = schema.by_name();
    for (name, [weight, ..]) in &training.student.numbers().map_err(|f| training.fault(f))? {
        let place = by_name.get(name.as_str()).and_then(|n| schema.tensors.get(*n)?.place.as_ref());
        let start = place.and_then(|p| usize::try_from(p.offset).ok()).unwrap_or(usize::MAX);
        let new: Vec<u8> = weight.iter().flat_map(|x| x.to_le_bytes()).collect();
        let slot = weights.get_mut(start..start.saturating_add(new.len())).ok_or_else(|| {
            RunError::new(RunErrorKind::Internal, &tuned, "writing", "a weight has no place").tensor(name)
        })?;
        slot.copy_from_slice(&new);
    }
    let report = training.report(&weights);
    let done = Done { report, magnitudes: training.facts.magnitudes, of: training.of };
    whole::write(&tuned, &weights)?;
    // Numbers, strings and lists only: there is nothing that could fail.
    whole::write(&work.at("tuned.json"), &serde_json::to_vec_pretty(&done).unwrap_or_default())?;
    Ok(done.tuned())
}

/// What stands beside trained weights.
#[derive(Serialize, Deserialize)]
struct Done {
    of: Of,
    report: TuneReport,
    /// As bits.
    #[serde(default)]
    magnitudes: BTreeMap<String, u32>,
}

impl Done {
    fn tuned(self) -> Tuned {
        let values = self.magnitudes.into_iter().map(|(name, bits)| (name, Some(f32::from_bits(bits))));
        Tuned { report: self.report, magnitudes: values.collect() }
    }
}

/// Everything that a training needs.
struct Training<'a> {
    request: &'a Request<'a>,
    tune: &'a TunePlan,
    path: PathBuf,
    of: Of,
    tokens: Tokens,
    held_out: Option<HeldOut>,
    /// Where static scales of activations are measured.
    samples: Option<Samples>,
    teacher: Option<TorchModel>,
    student: Student,
    facts: Facts,
    /// The step of the state on the disk.
    written: Option<u64>,
}

impl<'a> Training<'a> {
    /// As a training before left it, or at its start. `start` are the bytes of the weights behind cuts and masks.
    fn open(
        request: &'a Request<'a>,
        session: &mut Session,
        work: &Work,
        start: &[u8],
    ) -> Result<Training<'a>, RunError> {
        let output = request.options.output.as_path();
        let internal = |what: &str| RunError::new(RunErrorKind::Internal, output, "training", what);
        let tune = request.plan.tune.as_ref().ok_or_else(|| internal("the plan trains nothing"))?;
        let place = super::place(request)?;
        let (file, name) = request.recipe;
        let checkpoint = request.options.checkpoint.to_string_lossy().into_owned();
        let between = work.at("pruned").to_string_lossy().into_owned();
        let stop = &request.options.stop;
        let evaluated = |error: EvalError| stop.check(output).err().unwrap_or_else(|| evaluated(error));
        let own = Model::open_between(session, (file, name), &between, &request.checkpoint.config, stop)
            .map_err(evaluated)?;
        let teacher = match tune.numbers.distill {
            true => Some(Model::open_in(session, (file, name), Some(&checkpoint), stop).map_err(evaluated)?),
            false => None,
        };
        let data = request.data.data.as_deref().unwrap_or_default();
        let tokens = Tokens::read(data, request.data.tokenizer.as_deref()).map_err(evaluated)?;
        if let Some(vocabulary) = own.vocabulary() {
            tokens.fit(vocabulary).map_err(evaluated)?;
        }
        let held_out = match &request.held_out {
            Some(protocol) => HeldOut::read(protocol, own.longest()).map_err(evaluated)?,
            None => None,
        };
        let samples = match &request.calibration {
            Some(protocol) => {
                let samples =
                    Samples::read(protocol, own.longest(), tune.numbers.batch).map_err(evaluated)?;
                samples.fit(own.vocabulary()).map_err(evaluated)?;
                Some(samples)
            }
            None => None,
        };
        let record = request.options.calibration.as_ref().map(|calibrator| calibrator.record().identity());
        let of = Of {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            plan: plan_hash(request.plan),
            weights: hex_digest(start),
            teacher: teacher.as_ref().map(Model::weights_hash).unwrap_or_default(),
            data: tokens.data.sha256.clone(),
            tokenizer: tokens.tokenizer.content().to_owned(),
            calibration: record.unwrap_or_default(),
            device: place.to_string(),
        };
        let path = work.at("state.safetensors");
        let threads = exec::threads(request.options.threads);
        let known = state::facts(&path)?;
        let known = known.filter(|known| known.of.plan == of.plan && known.of.weights == of.weights);
        if let Some(known) = &known {
            state::same(known, &of, &path, &request.data)?;
        }
        let threads = known.as_ref().map_or(threads, |known| known.threads);
        let device = match place {
            Place::Torch(Some(gpu)) => TorchDevice::Cuda(gpu),
            _ => TorchDevice::Cpu,
        };
        let runtime = TorchRuntime::open(device, threads).map_err(|e| {
            RunError::new(RunErrorKind::Environment, output, "training", e.what).remedy(e.remedy)
        })?;
        let torch = |model: &Model| TorchModel::of(model, runtime).map_err(evaluated);
        let cpu = Cpu::detect()
            .map_err(|e| RunError::new(RunErrorKind::Environment, output, "training", e.to_string()))?;
        let student = Student::new(torch(&own)?, request.plan, cpu);
        let facts = Facts {
            of: of.clone(),
            step: 0,
            threads,
            seconds: 0.0,
            losses: Vec::new(),
            perplexities: Vec::new(),
            magnitudes: BTreeMap::new(),
            measured: None,
            numbers: String::new(),
        };
        let fault =
            |f: Fault| RunError::new(RunErrorKind::Value, output, "training", f.message).tensor(&f.tensor);
        let mut training = Training {
            request,
            tune,
            path,
            of,
            tokens,
            held_out,
            samples,
            teacher: teacher.as_ref().map(torch).transpose()?,
            student: student.map_err(fault)?,
            facts,
            written: None,
        };
        if known.is_some()
            && let Some((facts, numbers)) = state::read(&training.path, &training.student.lengths())?
        {
            training.student.restore(numbers).map_err(fault)?;
            let magnitudes =
                facts.magnitudes.iter().map(|(name, bits)| (name.clone(), f32::from_bits(*bits)));
            // nothing was measured yet where the run was asked to end before the first step
            let _ = training.student.inputs.take(magnitudes.collect());
            training.written = Some(facts.step);
            training.facts = facts;
        }
        Ok(training)
    }

    fn output(&self) -> &Path {
        &self.request.options.output
    }

    fn fault(&self, fault: Fault) -> RunError {
        RunError::new(RunErrorKind::Value, self.output(), "training", fault.message).tensor(&fault.tensor)
    }

    fn kernel(&self, error: &KernelError) -> RunError {
        let at = RunError::new(RunErrorKind::Environment, self.output(), "training", error.to_string());
        at.remedy("take a smaller `batch`, and more of them with `accumulate`")
    }

    /// All steps that are left.
    fn run(&mut self, progress: &dyn Progress) -> Result<(), RunError> {
        let Tune { steps, batch, accumulate, shift, .. } = self.tune.numbers;
        let window = usize::try_from(self.tune.window).unwrap_or(usize::MAX);
        let shift = usize::try_from(shift).unwrap_or(usize::MAX);
        let batch = usize::try_from(batch).unwrap_or(usize::MAX);
        let tokens = self.tokens.clone();
        let seed = self.tune.numbers.seed.unwrap_or(0);
        let mut order = Order::new(&tokens, window, seed).ok_or_else(|| self.too_short(window))?;
        let seen = self.facts.step.saturating_mul(accumulate).saturating_mul(batch as u64);
        for _ in 0..seen {
            order.next();
        }
        if let Some(held_out) = &self.held_out
            && held_out.sha256() == self.tokens.data.sha256
        {
            progress.note(
                "`evaluate` names the text that is trained on: its perplexity says nothing of other texts",
            );
        }
        progress.begin_counting("training", steps, "steps");
        progress.advance(self.facts.step);
        self.scale()?;
        if self.facts.step == 0 {
            self.measure(progress)?;
        }
        let spins = self.facts.threads > 1 && !self.student.runtime().is_remote() && !waits_asleep();
        let mut crowd = Crowd::look(spins);
        let mut is_noted = false;
        while self.facts.step < steps {
            if self.request.options.stop.is_asked() {
                return Err(self.interrupted());
            }
            let began = Instant::now();
            let mut passes = Vec::new();
            for _ in 0..accumulate {
                let windows: Vec<&[u32]> = order.by_ref().take(batch).collect();
                let input = |w: &&[u32]| w.get(..w.len().saturating_sub(shift)).unwrap_or_default().to_vec();
                let target = |w: &&[u32]| w.get(shift..).unwrap_or_default().to_vec();
                let ids: Vec<u32> = windows.iter().flat_map(input).collect();
                let targets: Vec<u32> = windows.iter().flat_map(target).collect();
                passes.push((ids, targets));
            }
            self.step(&passes, batch)?;
            let seconds = began.elapsed().as_secs_f64();
            self.facts.seconds += seconds;
            if let Some(note) = crowd.note(seconds) {
                progress.note(&note);
            }
            progress.advance(1);
            self.scale()?;
            let at = self.facts.step;
            if self.tune.numbers.evaluate_every.is_some_and(|every| at.is_multiple_of(every)) || at == steps {
                self.measure(progress)?;
            }
            if at == steps {
                self.write()?;
            } else if at.is_multiple_of(self.tune.numbers.checkpoint_every) {
                match self.write() {
                    // there may be room again later, and nothing is lost as long as it runs
                    Err(error) if error.kind == RunErrorKind::Output => {
                        if !std::mem::replace(&mut is_noted, true) {
                            progress
                                .note(&format!("step {at} is not kept, and the training goes on: {error}"));
                        }
                    }
                    written => {
                        written?;
                        is_noted = false;
                    }
                }
            }
        }
        if self.written != Some(self.facts.step) {
            self.write()?;
        }
        progress.end();
        Ok(())
    }

    /// One step: passes of ids and targets.
    fn step(&mut self, passes: &[(Vec<u32>, Vec<u32>)], batch: usize) -> Result<(), RunError> {
        let numbers = &self.tune.numbers;
        let step = self.facts.step + 1;
        let images = self.student.images().map_err(|f| at_step(self.output(), step, f))?;
        let mut loss = 0.0;
        for (ids, targets) in passes {
            let value =
                self.loss(&images, ids, targets, batch, passes.len()).map_err(|e| self.of_step(step, e))?;
            loss += value.number().map_err(|e| self.kernel(&e))?;
            value.backward().map_err(|e| self.kernel(&e))?;
        }
        let gradients = self.student.gradients().map_err(|f| self.fault(f))?;
        let length = norm(&gradients).map_err(|e| self.kernel(&e))?;
        if !loss.is_finite() || !length.is_finite() {
            return Err(self.not_finite(step, loss, &gradients));
        }
        let most = numbers.clip_norm.to_f64();
        let scale = if length > most { most / length } else { 1.0 };
        let optimiser = AdamW { decay: numbers.weight_decay.to_f64(), ..AdamW::default() };
        let moved = self.student.step(&optimiser, step, rate(numbers, step), &gradients, scale);
        moved.map_err(|f| self.fault(f))?;
        self.facts.step = step;
        if step == 1 || step == numbers.steps || step.is_multiple_of((numbers.steps / SHOWN).max(1)) {
            self.facts.losses.push(StepLoss { step, loss, gradient: length });
        }
        Ok(())
    }

    /// The loss of a pass, over the number of passes.
    fn loss(
        &self,
        images: &[Option<TorchValue>],
        ids: &[u32],
        targets: &[u32],
        batch: usize,
        passes: usize,
    ) -> Result<TorchValue, EvalError> {
        let failed = |e: KernelError| EvalError::new("", "training", e.to_string());
        let logits = self.student.forward(images, ids, batch)?;
        let shape = [batch, targets.len() / batch.max(1)];
        let targets = TorchValue::ids(self.student.runtime(), &shape, targets).map_err(failed)?;
        let labels = self.tune.numbers.labels.to_f64() / 100.0;
        let own = cross_entropy(&logits, &targets).and_then(|l| l.average()).map_err(failed)?;
        let each = 1.0 / passes.max(1) as f64;
        let Some(teacher) = &self.teacher else { return weighted(&[(each, &own)]).map_err(failed) };
        let theirs = untraced(|| teacher.forward(ids, batch))?;
        let apart = distillation(&logits, &theirs, self.tune.numbers.temperature.to_f64()).map_err(failed)?;
        weighted(&[(labels * each, &own), ((1.0 - labels) * each, &apart)]).map_err(failed)
    }

    /// Measures static scales of activations, where it is time to.
    fn scale(&mut self) -> Result<(), RunError> {
        let (step, stop) = (self.facts.step, &self.request.options.stop);
        let Some(samples) = &self.samples else { return Ok(()) };
        if self.facts.measured == Some(step) || !inputs::is_due(step, self.tune.numbers.steps) {
            return Ok(());
        }
        let found = match samples.measure(&self.student, stop) {
            Err(_) if stop.is_asked() => return Err(self.interrupted()),
            found => found.map_err(|e| not_measured(self.output(), step, e))?,
        };
        if let Err(name) = self.student.inputs.take(found) {
            let message = "no token came to it in calibration, or all that came was zero";
            let error = RunError::new(RunErrorKind::Value, self.output(), "calibrating", message);
            return Err(error.tensor(&name).remedy("take more `samples`, or `activations: dynamic` for it"));
        }
        let all = self.student.inputs.magnitudes().iter();
        self.facts.magnitudes = all.map(|(name, magnitude)| (name.clone(), magnitude.to_bits())).collect();
        self.facts.measured = Some(step);
        Ok(())
    }

    fn measure(&mut self, progress: &dyn Progress) -> Result<(), RunError> {
        let Some(held_out) = &self.held_out else { return Ok(()) };
        let step = self.facts.step;
        let perplexity = held_out.perplexity(&self.student).map_err(|e| self.measured(step, e))?;
        progress.note(&format!("perplexity {perplexity:.4} behind step {step}"));
        if perplexity.is_finite() {
            self.facts.perplexities.push(StepPerplexity { step, perplexity });
        }
        Ok(())
    }

    /// Writes a state. What is not finite is no state to go on from: the last one stays.
    fn write(&mut self) -> Result<(), RunError> {
        let numbers = self.student.numbers().map_err(|f| self.fault(f))?;
        let bad = |(_, [weight, ..]): &&(String, Numbers)| !weight.iter().all(|x| x.is_finite());
        if let Some((name, _)) = numbers.iter().find(bad) {
            let step = self.facts.step;
            let message = format!("step {step} moved this weight to what is not finite");
            let error = RunError::new(RunErrorKind::Value, self.output(), "training", message).tensor(name);
            return Err(error.remedy(format!("take a smaller `lr`, or a longer `warmup`; {}", self.kept())));
        }
        state::write(&self.path, &self.facts, &numbers).map_err(|error| {
            let remedy = error.remedy.clone().map_or(String::new(), |remedy| format!("{remedy}; "));
            error.remedy(format!("{remedy}{}: the same command goes on", self.kept()))
        })?;
        self.written = Some(self.facts.step);
        Ok(())
    }

    /// What is on the disk.
    fn kept(&self) -> String {
        match self.written {
            Some(step) => format!("the weights of step {step} are kept in `{}`", self.path.display()),
            None => "nothing of the training is kept yet".to_owned(),
        }
    }

    fn interrupted(&mut self) -> RunError {
        let stopped = match self.request.options.stop.check(self.output()) {
            Err(error) => error,
            Ok(()) => {
                RunError::new(RunErrorKind::Interrupted, self.output(), "training", "it was asked to end")
            }
        };
        match self.write() {
            Ok(()) => {
                let step = self.facts.step;
                stopped.remedy(format!("step {step} is kept: the same command goes on from there"))
            }
            Err(error) => error,
        }
    }

    fn not_finite(&mut self, step: u64, loss: f64, gradients: &[TorchValue]) -> RunError {
        let found = self.student.first_not_finite(gradients).map(|(name, what)| (name.to_owned(), what));
        let error = match &found {
            Some((name, what)) => {
                let message = format!("step {step} gave a loss of {loss}, and this {what} is not finite");
                RunError::new(RunErrorKind::Value, self.output(), "training", message).tensor(name)
            }
            None => {
                let message = format!("step {step} gave a loss of {loss}");
                RunError::new(RunErrorKind::Value, self.output(), "training", message)
            }
        };
        // where it cannot be written, or is not finite itself, an earlier one stays
        let _ = self.write();
        error.remedy(format!("take a smaller `lr`, or a longer `warmup`; {}", self.kept()))
    }

    fn measured(&self, step: u64, error: EvalError) -> RunError {
        match &error.tensor {
            Some(tensor) if error.operation == "encoding" => {
                at_step(self.output(), step, Fault { tensor: tensor.to_string(), message: error.message })
            }
            _ if error.path.is_empty() => self.of_step(step, error),
            _ => evaluated(error),
        }
    }

    fn of_step(&self, step: u64, error: EvalError) -> RunError {
        let message = format!("step {step}: {}: {}", error.operation, error.message);
        RunError::new(RunErrorKind::Environment, self.output(), "training", message)
    }

    fn too_short(&self, window: usize) -> RunError {
        let longest = self.tokens.texts.iter().map(Vec::len).max().unwrap_or(0);
        let path = Path::new(&self.tokens.data.name);
        let message = format!("{longest} tokens are fewer than the {window} of a window");
        RunError::new(RunErrorKind::Source, path, "cutting windows", message)
            .remedy("take a shorter `window`, or more text")
    }

    fn report(&self, weights: &[u8]) -> TuneReport {
        let window = usize::try_from(self.tune.window).unwrap_or(usize::MAX);
        TuneReport {
            steps: self.facts.step,
            data: Some(self.tokens.data.clone()),
            tokenizer: Some(self.tokens.tokenizer.clone()),
            windows: Order::new(&self.tokens, window, 0).map_or(0, |order| order.windows()),
            device: self.of.device.clone(),
            threads: self.facts.threads,
            libtorch: version(),
            seconds: self.facts.seconds,
            losses: self.facts.losses.clone(),
            perplexities: self.facts.perplexities.clone(),
            weights: hex_digest(weights),
        }
    }
}
