//! `icpc report`.

use std::path::Path;

use super::{Exit, complain};
use crate::diag::clean;
use crate::page::{self, Contents};
use crate::system::plain;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folders that `icpc run` wrote
    #[arg(value_name = "OUTPUT", required = true)]
    outputs: Vec<String>,
    /// What `icpc sensitivity --format json` printed
    #[arg(long, value_name = "FILE.json")]
    sensitivity: Option<String>,
    /// The page
    #[arg(long, value_name = "FILE.html", default_value = "report.html")]
    out: String,
    /// Writes the figures as SVG into this folder, too
    #[arg(long, value_name = "FOLDER")]
    svg: Option<String>,
    /// Writes the figures as PNG into this folder, too
    #[arg(long, value_name = "FOLDER")]
    png: Option<String>,
    /// Replaces files that exist
    #[arg(long)]
    force: bool,
}

pub(crate) fn main(args: &Args) -> Exit {
    match write(args) {
        Ok(written) => {
            for path in written {
                complain(&clean(&format!("wrote `{path}`")));
            }
            Exit::Success
        }
        Err(reason) => {
            complain(&clean(&format!("error: {reason}")));
            Exit::Files
        }
    }
}

fn write(args: &Args) -> Result<Vec<String>, String> {
    let outputs: Result<Vec<_>, String> = args.outputs.iter().map(|path| page::output(path)).collect();
    let sensitivity = args.sensitivity.as_deref().map(page::sensitivity).transpose()?;
    let contents = Contents { outputs: outputs?, sensitivity };
    let mut files = vec![(args.out.clone(), page::html(&contents).into_bytes())];
    let figures = page::svgs(&contents);
    if let Some(folder) = &args.svg {
        files.extend(figures.iter().map(|(name, text)| (within(folder, name), text.clone().into_bytes())));
    }
    if let Some(folder) = &args.png {
        for (name, text) in &figures {
            let name = format!("{}.png", name.trim_end_matches(".svg"));
            files.push((within(folder, &name), page::png(text)?));
        }
    }
    if let Some((path, _)) = files.iter().find(|(path, _)| !args.force && Path::new(path).exists()) {
        return Err(format!("`{path}` exists: remove it first, or add `--force`"));
    }
    for folder in args.svg.iter().chain(&args.png) {
        std::fs::create_dir_all(folder).map_err(|e| format!("cannot make `{folder}`: {}", plain(&e)))?;
    }
    for (path, bytes) in &files {
        std::fs::write(path, bytes).map_err(|e| format!("cannot write `{path}`: {}", plain(&e)))?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

fn within(folder: &str, name: &str) -> String {
    Path::new(folder).join(name).to_string_lossy().into_owned()
}
