import { writeFile } from "node:fs/promises";
import { extname } from "node:path";

import { type Abortable, unlessAborted } from "../abort.ts";
import { messageOf, NeuraError } from "../errors.ts";
import { asking, type ChainContext } from "../market/context.ts";
import { printable } from "../text.ts";
import { mirrorOf, type OwnershipName, type OwnershipReference, requireOwnership } from "./context.ts";
import { requireDeed } from "./transfer.ts";

/** What a deed's URI says of it. Whoever chose how deeds look wrote it. */
export interface DeedPicture {
  readonly ownership: OwnershipName;
  readonly id: number;
  readonly owner: string;
  readonly name: string;
  readonly description: string;
  readonly attributes: readonly { readonly name: string; readonly value: string }[];
  readonly image: Picture;
}

/** A picture as a file. */
export interface Picture {
  /** As `image/svg+xml`. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** The part of `sharp` that is used. The package is an optional peer of this one, and loaded when it is used. */
export type LoadSharp = () => Promise<{
  default: (
    svg: Uint8Array,
    options: { density: number; limitInputPixels: number },
  ) => { png(): { toBuffer(): Promise<Uint8Array> } };
}>;

const EXTENSIONS: Readonly<Record<string, readonly string[]>> = {
  "image/svg+xml": [".svg"],
  "image/png": [".png"],
  "image/jpeg": [".jpg", ".jpeg"],
  "image/gif": [".gif"],
  "image/webp": [".webp"],
};
/** More than that is no picture of a deed [characters of its URI]. */
const MAX_URI = 8 * 1024 * 1024;
const MAX_TEXT = 256;
/** Twice the 72 dots per inch that a picture's own measures count as. */
const DENSITY = 144;
const MAX_PIXELS = 16_000_000;

/**
 * The picture of a deed and what is said of it, out of its URI. Nothing is fetched.
 * Errors: `ownership.unknown`, `deed.unknown`, `deed.elsewhere` where either is on another server, `deed.malformed`.
 */
export async function readDeedPicture(
  context: ChainContext,
  reference: OwnershipReference,
  id: number,
  { signal }: Abortable = {},
): Promise<DeedPicture> {
  const ownership = await unlessAborted(requireOwnership(context, reference), signal);
  const owner = await unlessAborted(requireDeed(context, ownership, id), signal);
  const uri = await unlessAborted(asking(mirrorOf(context, ownership).tokenURI(id)), signal);
  return { ownership, id, owner, ...parseDeedUri(uri, `deed ${id} of ${ownership.symbol}`) };
}

/** What an ERC-721 URI says, with its picture. Errors: `deed.elsewhere`, `deed.malformed`. */
export function parseDeedUri(
  uri: string,
  what = "the deed",
): Pick<DeedPicture, "name" | "description" | "attributes" | "image"> {
  const { bytes } = dataOf(uri, `The description of ${what}`);
  const fields = fieldsOf(bytes, what);
  const image = textIn(fields, "image", MAX_URI);
  if (image === "") throw malformed(what, "it names no picture");
  const attributes: unknown = fields["attributes"];
  return {
    name: printable(textIn(fields, "name")),
    description: printable(textIn(fields, "description")),
    attributes: (Array.isArray(attributes) ? attributes : []).flatMap((each: unknown) => {
      if (typeof each !== "object" || each === null) return [];
      const entry: Record<string, unknown> = { ...each };
      return [{ name: printable(textIn(entry, "trait_type")), value: printable(textIn(entry, "value")) }];
    }),
    image: dataOf(image, `The picture of ${what}`),
  };
}

/**
 * Writes a picture as the file's name says: as it is, or a drawing (SVG) as PNG, for which `sharp` has to be installed.
 * A file that is there stays, unless `replace` is set. Errors: `deed.format`, `deed.no-sharp`, `deed.exists`.
 */
export async function writePicture(
  path: string,
  picture: Picture,
  { replace = false, loadSharp = () => import("sharp") }: { replace?: boolean; loadSharp?: LoadSharp } = {},
): Promise<void> {
  const extension = extname(path).toLowerCase();
  const own = EXTENSIONS[picture.type] ?? [];
  const isDrawing = picture.type === "image/svg+xml";
  if (!own.includes(extension) && !(isDrawing && extension === ".png")) {
    const names = isDrawing ? [...own, ".png"] : own;
    throw new NeuraError("deed.format", `The picture is ${picture.type}, and ${path} is named otherwise.`, {
      next:
        names.length === 0
          ? "SVG, PNG, JPEG, GIF and WebP are written: take it out of tokenURI yourself."
          : `Name a file that ends in ${names.join(" or ")}.`,
      details: { type: picture.type },
    });
  }
  const bytes = own.includes(extension) ? picture.bytes : await toPng(picture.bytes, loadSharp);
  try {
    await writeFile(path, bytes, { flag: replace ? "w" : "wx" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    throw new NeuraError("deed.exists", `${path} exists, and was not touched.`, {
      next: "Name another file, or replace it with --force.",
    });
  }
}

/** Errors: `deed.no-sharp`, `deed.malformed`. */
async function toPng(svg: Uint8Array, loadSharp: LoadSharp): Promise<Uint8Array> {
  const { default: sharp } = await loadSharp().catch((cause: unknown) => {
    throw new NeuraError("deed.no-sharp", "Writing PNG takes the package sharp, which is not installed.", {
      next: "Name a file that ends in .svg, or install it: npm install sharp.",
      cause,
    });
  });
  try {
    return await sharp(svg, { density: DENSITY, limitInputPixels: MAX_PIXELS }).png().toBuffer();
  } catch (cause) {
    throw new NeuraError("deed.malformed", `The picture cannot be drawn: ${messageOf(cause)}.`, {
      next: "Name a file that ends in .svg.",
      cause,
    });
  }
}

/** What a data URI (RFC 2397) holds, of either encoding. Errors: `deed.elsewhere`, `deed.malformed`. */
function dataOf(uri: string, what: string): Picture {
  const { head, body } = /^data:(?<head>[^,]*),(?<body>.*)$/is.exec(uri.slice(0, MAX_URI))?.groups ?? {};
  if (head === undefined || body === undefined) {
    const where = printable(uri);
    throw new NeuraError("deed.elsewhere", `${what} is at ${where === "" ? "no URI at all" : where}.`, {
      next: "Get it from there: only what is in the deed's URI itself is read here.",
      details: { uri: where },
    });
  }
  if (uri.length > MAX_URI) throw malformed(what, `its URI has ${uri.length} characters`);
  const [type = "", ...parameters] = head.split(";").map((each) => each.trim().toLowerCase());
  const bytes = parameters.includes("base64") ? Buffer.from(body, "base64") : Buffer.from(unescaped(body));
  return { type, bytes };
}

/** Percent signs that escape nothing stay: many contracts write their JSON as it is. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function fieldsOf(bytes: Uint8Array, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw malformed(what, messageOf(cause), cause);
  }
  if (typeof value !== "object" || value === null) throw malformed(what, "it is no object");
  return { ...value };
}

function textIn(fields: Record<string, unknown>, name: string, length = MAX_TEXT): string {
  const value = fields[name];
  return typeof value === "string" || typeof value === "number" ? String(value).slice(0, length) : "";
}

function malformed(what: string, why: string, cause?: unknown): NeuraError {
  return new NeuraError("deed.malformed", `What ${what} says of itself cannot be read: ${why}.`, {
    next: "Its owner chooses that with setMetadata, and has to correct it.",
    cause,
  });
}
