//! What was found, as text for people.

use std::fmt::Write;

use super::{Doctor, Found, Needs};
use crate::base::human_bytes;

/// One line a thing, its remedy below it.
pub fn print(doctor: &Doctor) -> String {
    let mut out = format!("icpc {}\n", doctor.version);
    let machine = &doctor.machine;
    let processor = machine.processor.as_deref().unwrap_or("unknown");
    line(&mut out, "processor", &format!("{processor}, {} threads for this process", machine.threads));
    line(&mut out, "kernels", &machine.kernels.join(", "));
    if let Some(problem) = &machine.override_problem {
        fix(&mut out, problem);
    }
    let memory = match (machine.memory, machine.available) {
        (Some(all), Some(free)) => format!("{}, {} available", human_bytes(all), human_bytes(free)),
        _ => "size unknown".to_owned(),
    };
    let bandwidth = machine.bandwidth;
    line(
        &mut out,
        "memory",
        &format!("{memory}; read at {:.1} GB/s, copied at {:.1} GB/s", bandwidth.read, bandwidth.copy),
    );
    found(&mut out, "CUDA", &doctor.cuda, |cuda| {
        let mut text = format!("driver for CUDA {}", cuda.driver);
        for gpu in &cuda.gpus {
            let _ = write!(
                text,
                "\n             cuda:{} {}, sm_{}, {} of {} free",
                gpu.ordinal,
                gpu.name,
                gpu.capability,
                human_bytes(gpu.free),
                human_bytes(gpu.memory)
            );
        }
        text
    });
    found(&mut out, "NVRTC", &doctor.nvrtc, |nvrtc| nvrtc.version.clone());
    found(&mut out, "cuBLASLt", &doctor.cublaslt, |library| library.version.clone());
    found(&mut out, "libtorch", &doctor.libtorch, |torch| match torch.gpus {
        Some(gpus) => format!("{}, with CUDA, finds {gpus} GPUs", torch.version),
        None => format!("{}, for the processor", torch.version),
    });
    found(&mut out, "Slurm", &doctor.slurm, |slurm| {
        let job = slurm.job.as_ref().map(|job| format!(", in job {job}")).unwrap_or_default();
        match &slurm.problem {
            Some(problem) => format!("{}{job}; the controller does not answer: {problem}", slurm.version),
            None => format!("{}{job}, partitions {}", slurm.version, slurm.partitions.join(", ")),
        }
    });
    found(&mut out, "disk", &doctor.disk, |disk| {
        format!("{} free in `{}`", human_bytes(disk.free), disk.folder)
    });
    if let Some(needs) = &doctor.recipe {
        out.push_str(&print_needs(needs));
    }
    out
}

/// A recipe's needs, each met or with its remedy.
fn print_needs(needs: &Needs) -> String {
    let mut out = format!("\nrecipe `{}`\n", needs.recipe);
    for need in &needs.needs {
        let mark = if need.remedy.is_some() { "missing" } else { "ok" };
        line(&mut out, need.of, &format!("{mark:<8}{}", need.says));
        if let Some(remedy) = &need.remedy {
            fix(&mut out, remedy);
        }
    }
    out
}

fn found<T>(out: &mut String, name: &str, found: &Found<T>, show: impl Fn(&T) -> String) {
    match found {
        Found::Here(here) => line(out, name, &show(here)),
        Found::Absent { absent, remedy } => {
            line(out, name, &format!("absent: {absent}"));
            fix(out, remedy);
        }
    }
}

fn line(out: &mut String, name: &str, text: &str) {
    let _ = writeln!(out, "  {name:<11}{text}");
}

fn fix(out: &mut String, remedy: &str) {
    let _ = writeln!(out, "  {:<11}  fix: {remedy}", "");
}
