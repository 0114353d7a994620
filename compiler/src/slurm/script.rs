//! The script that `sbatch` takes.

use std::fmt::Write;

use super::quote::{comment, directive, file_part, pattern, shell};
use super::request::{Paths, Request, Work};
use super::resources::Resources;
use crate::base::{count, human_bytes};
use crate::plan::plan_hash;

/// Seconds before the time limit at which a run is told to end.
const AHEAD: u64 = 120;

/// Exit code of a run that was interrupted and goes on when the same command runs again.
const INTERRUPTED: u8 = 5;

/// The text of a script.
///
/// # Errors
/// One sentence about a name that no line of a script can hold.
pub fn script(
    work: &Work<'_>,
    request: &Request,
    paths: &Paths,
    resources: &Resources,
) -> Result<String, String> {
    let mut out = String::new();
    head(&mut out, work, request, paths, resources)?;
    body(&mut out, work, request, paths, resources);
    Ok(out)
}

/// Where a job's words go: a pattern of Slurm, and what `tail` follows when the job has this number.
///
/// # Errors
/// One sentence when Slurm cannot be told this path.
pub fn log(request: &Request, paths: &Paths, array: bool) -> Result<String, String> {
    let name = file_part(&request.name);
    let number = if array { "%A_%a" } else { "%j" };
    let folder = pattern(&paths.logs)
        .ok_or_else(|| format!("`{}` holds a backslash, which Slurm reads as something else", paths.logs))?;
    Ok(format!("{folder}/{name}-{number}.log"))
}

fn head(
    out: &mut String,
    work: &Work<'_>,
    request: &Request,
    paths: &Paths,
    resources: &Resources,
) -> Result<(), String> {
    let plan = work.plan;
    // Modules are functions of a login shell.
    let login = if request.modules.is_empty() { "" } else { " -l" };
    let hash: String = plan_hash(plan).chars().take(12).collect();
    let _ = writeln!(out, "#!/bin/bash{login}");
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(
        out,
        "# Made by `icpc slurm` {version} for recipe `{}` of {}, plan {hash}:",
        comment(&plan.recipe),
        comment(&paths.file)
    );
    let _ = writeln!(
        out,
        "# {} of {} become {} of {}.",
        human_bytes(plan.source.tensor_bytes),
        count(plan.source.tensors, "tensor"),
        count(work.layout.files.len() as u64, "file"),
        human_bytes(work.layout.file_bytes)
    );
    let mut option = |name: &str, value: &str, why: &str| -> Result<(), String> {
        let value = directive(value)
            .ok_or_else(|| format!("no line of a script can hold the {name} {}", value.escape_debug()))?;
        if !why.is_empty() {
            let _ = writeln!(out, "# {}", comment(why));
        }
        let _ = writeln!(out, "#SBATCH --{name}={value}");
        Ok(())
    };
    option("job-name", &request.name, "")?;
    for (name, value) in
        [("partition", &request.partition), ("account", &request.account), ("qos", &request.qos)]
    {
        if let Some(value) = value {
            option(name, value, "")?;
        }
    }
    option("nodes", &resources.nodes.to_string(), "")?;
    let (tasks, why) = (resources.tasks, &resources.why);
    if resources.array {
        option("array", &format!("0-{}", tasks.saturating_sub(1)), &why.tasks)?;
        option("ntasks", "1", "")?;
    } else {
        option("ntasks", &tasks.to_string(), &why.tasks)?;
        option("ntasks-per-node", &resources.tasks_of_a_node().to_string(), "")?;
    }
    option("cpus-per-task", &resources.cpus.to_string(), "")?;
    option("mem", &format!("{}M", resources.memory), &why.memory)?;
    if !resources.gres.is_empty() {
        let list: Vec<String> = resources.gres.iter().map(ToString::to_string).collect();
        option("gres", &list.join(","), &why.gres)?;
    }
    option("time", &resources.time.to_string(), &why.time)?;
    let ahead = resources.time.seconds().map_or(AHEAD, |seconds| AHEAD.min(seconds / 2));
    let told = format!("so long before the limit the run is told to end; it ends with code {INTERRUPTED}");
    option("signal", &format!("USR1@{ahead}"), &told)?;
    let log = log(request, paths, resources.array)?;
    option("output", &log, "")?;
    option("error", &log, "")?;
    option("open-mode", "append", "")?;
    out.push_str("#SBATCH --requeue\n");
    Ok(())
}

fn body(out: &mut String, work: &Work<'_>, request: &Request, paths: &Paths, resources: &Resources) {
    let arguments: Vec<String> = paths.recipe.iter().map(|argument| shell(argument)).collect();
    let record = format!("{}/{}", paths.logs, file_part(&request.name));
    let _ = write!(
        out,
        r#"
set -euo pipefail

icpc={icpc}
recipe=({arguments})
output={output}
failures={record}-$SLURM_JOB_ID.failed
restarts=${{SLURM_RESTART_COUNT:-0}}

# A signal to the script itself comes from someone who ends the job: it is not begun again.
stopped=
trap 'stopped=yes' TERM
requeued=
record() {{
    local code=$?
    if [ "$code" -ne 0 ] && [ -z "$stopped$requeued" ]; then
        echo "$(date +%FT%T) job $SLURM_JOB_ID on ${{SLURM_JOB_NODELIST:-?}}, restart $restarts: exit code $code" |
            tee -a "$failures" >&2
    fi
}}
trap record EXIT

cd -- {folder}
"#,
        icpc = shell(&paths.icpc),
        arguments = arguments.join(" "),
        output = shell(&paths.output),
        record = shell(&record),
        folder = shell(&paths.folder),
    );
    if !request.modules.is_empty() {
        let modules: Vec<String> = request.modules.iter().map(|module| shell(module)).collect();
        // Scripts of modules read variables that nobody set.
        let _ = writeln!(out, "set +u\nmodule load {}\nset -u", modules.join(" "));
    }
    out.push_str(
        "echo \"job $SLURM_JOB_ID on $SLURM_JOB_NODELIST, restart $restarts, \
         GPUs ${CUDA_VISIBLE_DEVICES:-none}, $(\"$icpc\" --version)\"\n\ncode=0\n",
    );
    // On the first start an output that is there is somebody's, and the run says so.
    let begun = if resources.array {
        "[ ! -e \"$output\" ]"
    } else {
        "[ \"$restarts\" -eq 0 ] || [ ! -e \"$output\" ]"
    };
    let _ = writeln!(out, "if {begun}; then");
    if work.gpu().is_some() {
        out.push_str(
            "    # No GPU, no run: every node says what it has.\n    \
             srun --mpi=none --ntasks=\"$SLURM_JOB_NUM_NODES\" --ntasks-per-node=1 \"$icpc\" doctor \"${recipe[@]}\"\n",
        );
    }
    let task = if resources.array { " --task \"$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT\"" } else { "" };
    let _ = writeln!(
        out,
        "    srun --mpi=none --kill-on-bad-exit=0 --cpus-per-task=\"$SLURM_CPUS_PER_TASK\" \\\n        \
         \"$icpc\" run{task} \"${{recipe[@]}}\" || code=$?\nfi"
    );
    // A file system may remember for a while that there was no output, until its folder is looked at.
    out.push_str("ls -- \"${output%/*}\" >/dev/null || true\n");
    if !resources.array {
        let _ = writeln!(
            out,
            "if [ \"$code\" -eq 0 ] && [ ! -e \"$output\" ]; then\n    \
             code={INTERRUPTED} # srun ends well when it has lost a node, and the task on it\nfi"
        );
    }
    let _ = write!(
        out,
        r#"
case $code in
0) ;;
{INTERRUPTED} | 138) # interrupted, or told to end before it could listen: the same command goes on
    if [ -z "$stopped" ] && [ "$restarts" -lt {restarts} ] && scontrol requeue "$SLURM_JOB_ID"; then
        requeued=yes
        echo "interrupted, begun again as restart $((restarts + 1)) of {restarts}"
    else
        echo "interrupted after $restarts restarts: submit this script again to go on" >&2
    fi
    exit {INTERRUPTED}
    ;;
*) exit "$code" ;;
esac

"#,
        restarts = request.restarts
    );
    if resources.array {
        out.push_str(
            "# The task that ends last gives the output its name.\nif [ ! -e \"$output\" ]; then\n    \
             echo \"this share is done, other tasks are not\"\n    exit 0\nfi\n",
        );
    }
    out.push_str("\"$icpc\" verify \"$output\"\n");
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
