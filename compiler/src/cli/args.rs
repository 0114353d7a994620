//! Arguments that several commands share, and the session they describe.

use std::sync::Arc;

use crate::cli::show::show;
use crate::cli::{Exit, MessageFormat, complain, lock};
use crate::diag::clean;
use crate::hir;
use crate::plan::OutputLayout;
use crate::plan::ir::Plan;
use crate::session::Session;
use crate::system;

/// A recipe on the command line.
#[derive(clap::Args)]
pub(crate) struct Recipe {
    /// File with the recipe
    #[arg(value_name = "RECIPE.icp")]
    pub(crate) file: String,
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) messages: Messages,
}

/// Which recipe of the file, and with what.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Which {
    /// Recipe of the file; may be left out when it has one
    #[arg(long, value_name = "NAME", requires = "file")]
    pub(crate) recipe: Option<String>,
    /// Sets a parameter, such as `--set clip=99.9%`
    #[arg(long = "set", value_name = "NAME=VALUE", requires = "file")]
    pub(crate) sets: Vec<String>,
    /// Takes this checkpoint instead of the one that the recipe names
    #[arg(long, value_name = "PATH", requires = "file")]
    pub(crate) checkpoint: Option<String>,
}

/// The one recipe that is meant, in which no error was found.
pub(crate) struct Sound {
    pub(crate) session: Session,
    pub(crate) name: String,
    /// Where its checkpoint is, if it has one.
    pub(crate) checkpoint: Option<String>,
}

/// The one recipe that is meant, with its plan.
pub(crate) struct Planned {
    pub(crate) session: Session,
    pub(crate) name: String,
    pub(crate) recipe: Arc<hir::Recipe>,
    /// Where its checkpoint is.
    pub(crate) checkpoint: String,
    pub(crate) plan: Arc<Plan>,
    pub(crate) layout: Arc<OutputLayout>,
}

/// How diagnostics are shown.
#[derive(Clone, Copy, clap::Args)]
pub(crate) struct Messages {
    /// Shape of the diagnostics
    #[arg(long, value_enum, default_value = "full")]
    pub(crate) message_format: MessageFormat,
    /// Shows notes, too
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

impl Which {
    /// Refuses what says something about a recipe, where `path` is none.
    pub(crate) fn of_no_recipe(&self, path: &str) -> Result<(), Exit> {
        let given = [
            ("--recipe", self.recipe.is_some()),
            ("--set", !self.sets.is_empty()),
            ("--checkpoint", self.checkpoint.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((name, _)) => {
                complain(&clean(&format!("error: `{name}` is for a recipe (`.icp`), which `{path}` is not")));
                Err(Exit::Usage)
            }
        }
    }
}

impl Recipe {
    /// A recipe that another command names by itself.
    pub(crate) fn of_file(file: &str, recipe: Option<String>, checkpoint: Option<String>) -> Recipe {
        Recipe::of(file, Which { recipe, checkpoint, ..Which::default() })
    }

    /// The same with all that says which one.
    pub(crate) fn of(file: &str, which: Which) -> Recipe {
        let messages = Messages { message_format: MessageFormat::Full, verbose: false };
        Recipe { file: file.to_owned(), which, messages }
    }

    /// A session with everything that the recipe names.
    pub(crate) fn load(&self) -> Result<Session, Exit> {
        let mut session = Session::new();
        for set in &self.which.sets {
            let Some((name, value)) = set.split_once('=') else {
                complain(&format!("error: `--set {set}` has no `=`: write `--set name=value`"));
                return Err(Exit::Usage);
            };
            if let Err(reason) = session.set_parameter(name.trim(), value.trim()) {
                complain(&format!("error: `--set {set}`: {reason}"));
                return Err(Exit::Usage);
            }
        }
        system::load(&mut session, &self.file, self.which.checkpoint.as_deref()).map_err(|reason| {
            complain(&clean(&format!("error: {reason}")));
            Exit::Files
        })?;
        Ok(session)
    }

    /// Parameters that are set, by name.
    pub(crate) fn parameters(&self) -> Vec<(String, String)> {
        let sets = self.which.sets.iter().filter_map(|set| set.split_once('='));
        sets.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
    }

    /// The recipes that are meant: the one that is named, or all of the file.
    pub(crate) fn names(&self, session: &Session) -> Vec<String> {
        match &self.which.recipe {
            Some(name) => vec![name.clone()],
            None => session.recipe_names(&self.file),
        }
    }

    /// A session, and the one recipe that is meant.
    pub(crate) fn open(&self) -> Result<(Session, String), Exit> {
        let session = self.load()?;
        let name = self.choose(&session)?;
        Ok((session, name))
    }

    /// The one recipe that is meant, held to its lock if it is to be `locked`. Says what is found of it.
    pub(crate) fn sound(&self, locked: bool) -> Result<Sound, Exit> {
        let (session, name) = self.open()?;
        self.sound_in(session, name, locked)
    }

    /// The same of a session that is open.
    pub(crate) fn sound_in(&self, session: Session, name: String, locked: bool) -> Result<Sound, Exit> {
        if locked {
            lock::hold(self, &session, std::slice::from_ref(&name))?;
        }
        let found = session.diagnostics(&self.file, Some(&name));
        let checkpoint = session.checkpoint_path(&self.file, &name);
        match show(&session, &found, checkpoint.as_deref(), &self.messages) {
            Exit::Success => Ok(Sound { session, name, checkpoint }),
            exit => Err(exit),
        }
    }

    /// The same with its plan, for `what` (`a run`), which needs one.
    pub(crate) fn planned(&self, locked: bool, what: &str) -> Result<Planned, Exit> {
        let Sound { session, name, checkpoint } = self.sound(locked)?;
        let planned = session.planned(&self.file, &name).zip(session.recipe(&self.file, &name));
        let (Some(((plan, layout), recipe)), Some(checkpoint)) = (planned, checkpoint) else {
            complain(&format!(
                "error: {what} needs a checkpoint: name one in the recipe, or with `--checkpoint`"
            ));
            return Err(Exit::Diagnostics);
        };
        Ok(Planned { session, name, recipe, checkpoint, plan, layout })
    }

    /// The one recipe that is meant.
    fn choose(&self, session: &Session) -> Result<String, Exit> {
        let names = session.recipe_names(&self.file);
        match (&self.which.recipe, names.as_slice()) {
            (Some(name), _) => Ok(name.clone()),
            (None, [only]) => Ok(only.clone()),
            (None, []) => {
                complain(&format!("error: `{}` holds no recipe", self.file));
                Err(Exit::Diagnostics)
            }
            (None, names) => {
                complain(&format!(
                    "error: `{}` holds {} recipes: choose one with `--recipe`: {}",
                    self.file,
                    names.len(),
                    names.join(", ")
                ));
                Err(Exit::Usage)
            }
        }
    }
}
