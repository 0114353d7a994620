// Where a program is. Pure, so that it is tested without an editor.

import * as path from "node:path";

/** A program that was found, or what a person can do about it. */
export type Located = { path: string } | { missing: string };

export interface Places {
  /** File name without an extension: `icpc-lsp`. */
  program: string;
  /** Name of the setting, for messages. */
  setting: string;
  /** Its value; empty when it is not set. */
  configured: string;
  /** Folder of the extension that may hold the program; left out where it holds none. */
  bundled?: string;
  /** The variable `PATH`. */
  searchPath: string;
  /** First folder of the workspace, for relative settings. */
  workspace?: string;
  home: string;
  platform: NodeJS.Platform;
  isProgram: (file: string) => boolean;
}

/** The setting, else what came with the extension, else `PATH`. A setting that is wrong is not passed over. */
export function locate(places: Places): Located {
  const { posix, win32 } = path;
  const { join, isAbsolute, resolve, delimiter } = places.platform === "win32" ? win32 : posix;
  const file = places.platform === "win32" ? `${places.program}.exe` : places.program;

  const configured = places.configured.trim();
  if (configured !== "") {
    const expanded = configured.replace(/^~(?=[/\\]|$)/, places.home);
    if (!isAbsolute(expanded) && places.workspace === undefined) {
      return { missing: `The setting \`${places.setting}\` is a relative path, and no folder is open.` };
    }
    const full = isAbsolute(expanded) ? expanded : resolve(places.workspace ?? "", expanded);
    return places.isProgram(full)
      ? { path: full }
      : { missing: `The setting \`${places.setting}\` names ${full}, which is not a program.` };
  }
  const folders = places.searchPath.split(delimiter).filter((folder) => folder !== "");
  if (places.bundled !== undefined) {
    folders.unshift(places.bundled);
  }
  const found = folders.map((folder) => join(folder, file)).find(places.isProgram);
  return found !== undefined
    ? { path: found }
    : { missing: `\`${file}\` is neither in the extension nor in PATH. Install icpc, or set \`${places.setting}\`.` };
}
