//! Starts the language server of icpc in Zed: the program of the settings, else `icpc-lsp` in `PATH`.

use zed_extension_api::settings::LspSettings;
use zed_extension_api::{self as zed, Command, LanguageServerId, Result, Worktree};

struct Icpc;

impl zed::Extension for Icpc {
    fn new() -> Self {
        Icpc
    }

    fn language_server_command(&mut self, server: &LanguageServerId, worktree: &Worktree) -> Result<Command> {
        let binary = LspSettings::for_worktree(server.as_ref(), worktree)?.binary;
        let (path, arguments) = binary.map_or((None, None), |binary| (binary.path, binary.arguments));
        let command = path.or_else(|| worktree.which("icpc-lsp")).ok_or_else(|| {
            "`icpc-lsp` is not in PATH: install icpc, or set `lsp.icpc-lsp.binary.path`".to_owned()
        })?;
        Ok(Command { command, args: arguments.unwrap_or_default(), env: worktree.shell_env() })
    }
}

zed::register_extension!(Icpc);
