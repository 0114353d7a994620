// What the server answers beyond the protocol of language servers.

import { NotificationType, NotificationType0, RequestType } from "vscode-languageclient/node";

/** A recipe of a document; without a name, the first one. */
export interface OfRecipe {
  uri: string;
  recipe?: string;
}

export interface Plan {
  recipe: string | null;
  /** As `icpc plan` prints it; null where there is none. */
  text: string | null;
  /** Why there is none. */
  reasons: string[];
}

export const planRequest = new RequestType<OfRecipe, Plan, void>("icpc/plan");

/** What one recipe of a document is checked against. */
export interface CheckedAgainst {
  recipe: string;
  /** `outdated`: read before, not now. `none`: the recipe names no checkpoint. */
  state: "loaded" | "outdated" | "missing" | "unreadable" | "none";
  path: string | null;
  /** Document with its listing, if it could be read. */
  listing: string | null;
  /** Why it is not as it should be. */
  reason: string | null;
  container: string | null;
  tensors: number | null;
  bytes: number | null;
  arch: string | null;
}

/** For each recipe of a document, in source order. */
export const checkpointRequest = new RequestType<OfRecipe, CheckedAgainst[], void>("icpc/checkpoint");

export interface Listing {
  name: string;
  /** One tensor a line, as `icpc inspect --listing` writes it. */
  text: string;
}

/** The listing that a document of the scheme `icpc-listing` shows. */
export const listingRequest = new RequestType<{ uri: string }, Listing, void>("icpc/listing");

/** Files that the server has read anew: what is shown of them is out of date. */
export const filesChanged = new NotificationType<{ paths: string[] }>("icpc/filesChanged");

/** The window got the focus: files may have changed meanwhile. */
export const focus = new NotificationType0("icpc/focus");

/** What the client can do, as the server reads it. */
export const INITIALIZATION = { virtualDocuments: true, commands: ["icpc.plan", "icpc.run"] };
