//! `icpc doc`.

use std::path::{Path, PathBuf};

use super::{Exit, complain};
use crate::base::count;
use crate::diag::clean;
use crate::library::{World, doc};
use crate::system;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of the library
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Folder for the pages; `doc` in that of the library when it is left out
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(crate) fn main(args: &Args) -> Exit {
    let out = args.out.clone().unwrap_or_else(|| args.folder.join("doc"));
    match write(&args.folder, &out) {
        Ok(pages) => {
            complain(&format!(
                "wrote {}: `{}`",
                count(pages as u64, "page"),
                out.join("index.html").display()
            ));
            Exit::Success
        }
        Err(reason) => {
            complain(&clean(&format!("error: {reason}")));
            Exit::Files
        }
    }
}

fn write(folder: &Path, out: &Path) -> Result<usize, String> {
    let world = World::read(folder)?;
    let readme = folder.join("README.md");
    let readme = match readme.is_file() {
        true => Some(
            system::read_text(&readme.to_string_lossy())
                .map_err(|e| format!("cannot read `{}`: {e}", readme.display()))?,
        ),
        false => None,
    };
    let pages = doc::pages(&world, readme.as_deref());
    clear(out)?;
    for (path, text) in &pages {
        let file = out.join(path);
        let wrong = |e: std::io::Error| format!("cannot write `{}`: {}", file.display(), system::plain(&e));
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(wrong)?;
        }
        std::fs::write(&file, text).map_err(wrong)?;
    }
    Ok(pages.len())
}

/// Takes away the pages of before; a folder with anything else is left alone.
fn clear(out: &Path) -> Result<(), String> {
    let wrong =
        |path: &Path, e: std::io::Error| format!("cannot read `{}`: {}", path.display(), system::plain(&e));
    let (mut pages, mut pending) = (Vec::new(), vec![out.to_path_buf()]);
    while let Some(folder) = pending.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(wrong(&folder, e)),
        };
        for entry in entries {
            let path = entry.map_err(|e| wrong(&folder, e))?.path();
            if path.is_dir() && !path.is_symlink() {
                pending.push(path);
            } else if system::read_text(&path.to_string_lossy()).is_ok_and(|text| text.starts_with(doc::MARK))
            {
                pages.push(path);
            } else {
                return Err(format!(
                    "`{}` is no page of `icpc doc`: choose another folder with `--out`, or remove it",
                    path.display()
                ));
            }
        }
    }
    for page in pages {
        std::fs::remove_file(&page)
            .map_err(|e| format!("cannot remove `{}`: {}", page.display(), system::plain(&e)))?;
    }
    Ok(())
}
