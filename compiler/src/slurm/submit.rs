//! Hands a script to Slurm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::ask::{NoAnswer, PATIENCE, answer};
use super::quote::file_part;
use super::request::{Paths, Request};
use crate::system::plain;

/// A job that was submitted: what `icpc slurm status` finds it by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// Its number.
    pub job: String,
    /// The recipe.
    pub recipe: String,
    /// Its file, absolute.
    pub file: String,
    /// What it writes, absolute.
    pub output: String,
    /// Its script.
    pub script: String,
    /// Its log, once it has begun.
    pub log: String,
}

/// How names of records of submitted jobs end.
const RECORD: &str = ".job.json";

/// The place of a job's script, beside its log.
pub fn script_path(request: &Request, paths: &Paths) -> PathBuf {
    Path::new(&paths.logs).join(format!("{}.sbatch", file_part(&request.name)))
}

/// Writes a script so that it is there whole or not at all.
///
/// # Errors
/// One sentence with the path.
pub fn write_script(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot write `{}`: {}", path.display(), plain(&error));
    let mut hidden = path.as_os_str().to_owned();
    hidden.push(format!(".{}", std::process::id()));
    fs::write(&hidden, text).and_then(|()| fs::rename(&hidden, path)).map_err(failed)
}

/// Submits the script at `path`, which this log belongs to, and leaves a record beside it.
///
/// # Errors
/// What `sbatch` says, or why the record cannot be written.
pub fn submit(
    path: &Path,
    recipe: &str,
    request: &Request,
    paths: &Paths,
    array: bool,
) -> Result<Submitted, String> {
    let mut command = Command::new("sbatch");
    // These would win over the lines of the script, which were checked.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SBATCH_") {
            command.env_remove(name);
        }
    }
    command.args(["--parsable", "--"]).arg(path);
    let said = match answer(&mut command, "sbatch", PATIENCE * 6) {
        Ok(said) => said,
        Err(NoAnswer::Absent) => return Err("`sbatch` is not in PATH".to_owned()),
        Err(NoAnswer::Failed(why)) => return Err(why),
    };
    // `17`, or `17;cluster` where there are several.
    let job = said.trim().split(';').next().unwrap_or_default().to_owned();
    if job.is_empty() || !job.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("`sbatch` says no number of a job: {}", said.trim()));
    }
    let name = file_part(&request.name);
    let number = if array { format!("{job}_*") } else { job.clone() };
    let submitted = Submitted {
        log: Path::new(&paths.logs).join(format!("{name}-{number}.log")).display().to_string(),
        job,
        recipe: recipe.to_owned(),
        file: paths.file.clone(),
        output: paths.output.clone(),
        script: path.display().to_string(),
    };
    let record = Path::new(&paths.logs).join(format!("{name}-{}{RECORD}", submitted.job));
    let text = serde_json::to_string_pretty(&submitted).unwrap_or_default();
    write_script(&record, &(text + "\n"))
        .map_err(|why| format!("job {} is submitted, and {why}", submitted.job))?;
    Ok(submitted)
}

/// The jobs that were submitted with this log folder, the latest first.
pub fn submitted(logs: &Path) -> Vec<Submitted> {
    let Ok(entries) = fs::read_dir(logs) else { return Vec::new() };
    let records = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().ends_with(RECORD));
    let mut jobs: Vec<Submitted> =
        records.filter_map(|entry| serde_json::from_slice(&fs::read(entry.path()).ok()?).ok()).collect();
    jobs.sort_by_key(|job: &Submitted| std::cmp::Reverse(job.job.parse::<u64>().unwrap_or(0)));
    jobs
}
