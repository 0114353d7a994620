// What the server answers beyond the protocol of language servers.

import { NotificationType, NotificationType0, RequestType } from "vscode-languageclient/node";

/** A recipe of a document; without a name, the only or the first one. */
export interface RecipeParams {
  textDocument: { uri: string };
  recipe?: string;
}

export interface Plan {
  /** As `icpc plan` prints it. */
  text: string;
}

/** The plan, or null where the recipe has errors or no checkpoint. */
export const planRequest = new RequestType<RecipeParams, Plan | null, void>("icpc/plan");

export interface ListingParams {
  /** Of a listing, as a definition gives it. */
  uri: string;
}

export interface Listing {
  uri: string;
  /** One tensor a line, as `icpc inspect --listing` writes it. */
  text: string;
}

export const listingRequest = new RequestType<ListingParams, Listing | null, void>("icpc/listing");

/** What a recipe is checked against. */
export interface Checkpoint {
  /** As the recipe names it. */
  path: string;
  tensors?: number;
  bytes?: number;
  /** What could not be read, or why an earlier header is used. */
  note?: string;
}

export const checkpointRequest = new RequestType<RecipeParams, Checkpoint | null, void>("icpc/checkpoint");

/** A checkpoint of some open recipe changed. */
export const checkpointChanged = new NotificationType<unknown>("icpc/checkpointChanged");

/** The window got the focus: files may have changed meanwhile. */
export const focus = new NotificationType0("icpc/focus");
