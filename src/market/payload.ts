import { createReadStream } from "node:fs";
import { lstat, readdir, readFile, stat } from "node:fs/promises";
import { basename, join, relative, resolve, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import ignore, { type Ignore } from "ignore";
import tar from "tar-stream";

import { messageOf, NeuraError } from "../errors.ts";
import {
  type JsonObject,
  type Limits,
  type Manifest,
  type Needs,
  parseManifest,
  type ServiceSettings,
} from "../manifest.ts";
import type { Verification } from "../verify/verification.ts";

/** What is to be worked on: paths of files, one folder, or a payload that was opened, as it was sent. */
export type PayloadSource =
  { readonly files: readonly string[] } | { readonly folder: string } | OpenedSource;

/** The manifest is taken as it is; `input/a.png` of it lies below the directory. */
export interface OpenedSource {
  readonly manifest: Manifest;
  readonly directory: string;
}

/** One file of a payload. */
export interface PayloadFile {
  /** In the archive, below `input/`. */
  readonly path: string;
  /** On this machine. */
  readonly source: string;
  readonly sizeBytes: number;
  /** Last change [ms], to notice one between looking and sending. */
  readonly modifiedMs: number;
}

/** What will be sent, before a byte of it has moved. */
export interface Payload {
  readonly manifest: Manifest;
  readonly files: readonly PayloadFile[];
  /** About that of the archive, manifest and padding included. */
  readonly sizeBytes: number;
  /** What of a folder is not sent, as paths relative to it; a folder that is left out whole ends with `/`. */
  readonly leftOut: readonly string[];
}

export interface PayloadRequest {
  source: PayloadSource;
  application: string;
  parameters?: JsonObject | undefined;
  limits: Limits;
  /** For a lease, which needs no files. */
  service?: ServiceSettings | undefined;
  needs?: Needs | undefined;
  verification?: Verification | undefined;
}

/**
 * What never belongs to a payload, in the language of ignore files, before the folder's own rules: `!.env.sample`
 * in `.neuraignore` takes a file back in. Virtual environments are recognised by what is in them.
 */
const ALWAYS_LEFT_OUT = [".git", "node_modules", ".env*", "__pycache__", ".DS_Store", ".venv", ".hg", ".svn"];
const ENVIRONMENT_MARKS = ["pyvenv.cfg", "conda-meta"];
const IGNORE_FILES = [".gitignore", ".neuraignore"];
const TAR_BLOCK = 512;
const TAR_END = 2 * TAR_BLOCK;

/**
 * Looks at the files and makes the manifest; reads no content. In a folder `.gitignore` and `.neuraignore` are
 * respected at every level, and links are left out.
 *
 * Errors: `payload.not-found`, `payload.empty`, `payload.same-name`, `manifest.invalid`.
 */
export async function preparePayload({
  source,
  application,
  parameters = {},
  limits,
  service,
  needs,
  verification,
}: PayloadRequest): Promise<Payload> {
  if ("manifest" in source) return payloadOf(source.manifest, await openedFiles(source));
  const { files, leftOut } =
    "folder" in source
      ? await filesOfFolder(source.folder)
      : { files: await namedFiles(source.files), leftOut: [] };
  if (files.length === 0 && !service) {
    throw new NeuraError("payload.empty", "There is no file to send.", {
      next: "Name at least one file, or a folder with a file that its ignore files do not leave out.",
    });
  }
  const manifest = parseManifest({
    schema: "neura/manifest/1",
    application,
    inputs: files.map(({ path }) => path),
    parameters,
    limits,
    ...(service ? { service } : {}),
    ...(needs ? { needs } : {}),
    ...(verification ? { verification } : {}),
  });
  return payloadOf(manifest, files, leftOut);
}

function payloadOf(
  manifest: Manifest,
  files: readonly PayloadFile[],
  leftOut: readonly string[] = [],
): Payload {
  const manifestBytes = Buffer.byteLength(manifestText(manifest));
  const sizeBytes = [manifestBytes, ...files.map((file) => file.sizeBytes)].reduce(
    (sum, size) => sum + TAR_BLOCK + Math.ceil(size / TAR_BLOCK) * TAR_BLOCK,
    TAR_END,
  );
  return { manifest, files, sizeBytes, leftOut };
}

/**
 * The payload as a tar archive, the manifest first: the same bytes for the same files. Can be read once.
 * Error from the stream: `payload.changed`.
 */
export async function* packPayload(payload: Payload): AsyncGenerator<Uint8Array> {
  const pack = tar.pack();
  const writing = writeEntries(pack, payload);
  writing.catch((error: unknown) =>
    pack.destroy(error instanceof Error ? error : new Error(messageOf(error))),
  );
  try {
    for await (const bytes of pack) if (bytes instanceof Uint8Array) yield bytes;
    await writing;
  } finally {
    pack.destroy();
  }
}

async function writeEntries(pack: tar.Pack, { manifest, files }: Payload): Promise<void> {
  pack.entry(entryOf("manifest.json"), manifestText(manifest));
  for (const file of files) {
    await checkUnchanged(file);
    const entry = pack.entry({ ...entryOf(file.path), size: file.sizeBytes });
    // The entry takes exactly the announced size and fails otherwise.
    await pipeline(createReadStream(file.source), entry).catch((error: unknown) => {
      throw changed(file.source, messageOf(error));
    });
    await checkUnchanged(file);
  }
  pack.finalize();
}

/** Without owner, mode and time of this machine: they are nobody's business, and equal files give equal bytes. */
function entryOf(name: string): { name: string; mtime: Date; mode: number } {
  return { name, mtime: new Date(0), mode: 0o644 };
}

function manifestText(manifest: Manifest): string {
  return JSON.stringify(manifest);
}

async function checkUnchanged({ source, sizeBytes, modifiedMs }: PayloadFile): Promise<void> {
  const now = await stat(source).catch((error: unknown) => {
    throw changed(source, messageOf(error));
  });
  if (now.size !== sizeBytes || now.mtimeMs !== modifiedMs) throw changed(source, "another size or time");
}

function changed(source: string, how: string): NeuraError {
  return new NeuraError("payload.changed", `${source} changed while it was being sent (${how}).`, {
    next: "Submit again when nothing writes to it.",
  });
}

// ---- Named files ----

async function namedFiles(paths: readonly string[]): Promise<PayloadFile[]> {
  const files = await Promise.all(paths.map((path) => fileAt(path, basename(path))));
  const seen = new Map<string, string>();
  for (const { path, source } of files) {
    const same = seen.get(path);
    if (same !== undefined) {
      throw new NeuraError("payload.same-name", `${same} and ${source} have the same name.`, {
        next: "Rename one of them, or put them into a folder and name that.",
      });
    }
    seen.set(path, source);
  }
  return files;
}

async function openedFiles({ manifest, directory }: OpenedSource): Promise<PayloadFile[]> {
  const files = manifest.inputs.map(async (path) =>
    fileAt(join(directory, ...path.split("/")), path.slice("input/".length)),
  );
  return await Promise.all(files);
}

async function fileAt(source: string, name: string): Promise<PayloadFile> {
  const found = await stat(source).catch((error: unknown) => {
    throw notFound(source, error);
  });
  if (!found.isFile()) throw notFound(source);
  // One spelling on every file system; the manifest refuses the others.
  const path = `input/${name.normalize("NFC")}`;
  return { path, source: resolve(source), sizeBytes: found.size, modifiedMs: found.mtimeMs };
}

function notFound(path: string, cause?: unknown): NeuraError {
  return new NeuraError("payload.not-found", `There is no file ${path} that could be read.`, {
    next: "Check the path.",
    ...(cause === undefined ? {} : { cause }),
  });
}

// ---- A folder ----

/** Rules of one ignore file or of the built-in list, and the folder that they are relative to. */
interface Rules {
  readonly base: string;
  readonly matcher: Ignore;
}

async function filesOfFolder(folder: string): Promise<{ files: PayloadFile[]; leftOut: string[] }> {
  const root = resolve(folder);
  const found = await stat(root).catch((error: unknown) => {
    throw notFound(folder, error);
  });
  if (!found.isDirectory()) throw notFound(folder);
  const files: PayloadFile[] = [];
  const leftOut: string[] = [];

  const walk = async (directory: string, above: readonly Rules[]): Promise<void> => {
    const names = (await readdir(directory)).toSorted();
    const rules = [...above, ...(await rulesOf(directory, names))];
    for (const name of names) {
      const path = join(directory, name);
      const shown = relative(root, path).split(sep).join("/");
      const entry = await lstat(path);
      if (entry.isDirectory()) {
        if (isLeftOut(path, true, rules) || (await isEnvironment(path))) leftOut.push(`${shown}/`);
        else await walk(path, rules);
      } else if (!entry.isFile() || isLeftOut(path, false, rules)) leftOut.push(shown);
      else files.push(await fileAt(path, shown));
    }
  };
  await walk(root, [{ base: root, matcher: ignore().add(ALWAYS_LEFT_OUT) }]);
  return { files, leftOut };
}

async function rulesOf(directory: string, names: readonly string[]): Promise<Rules[]> {
  const own = IGNORE_FILES.filter((name) => names.includes(name));
  return await Promise.all(
    own.map(async (name) => ({
      base: directory,
      matcher: ignore().add(await readFile(join(directory, name), "utf8")),
    })),
  );
}

/** Whether the rules leave `path` out; later rules, and those of deeper folders, win. */
function isLeftOut(path: string, isDirectory: boolean, rules: readonly Rules[]): boolean {
  let out = false;
  for (const { base, matcher } of rules) {
    const verdict = matcher.test(relative(base, path).split(sep).join("/") + (isDirectory ? "/" : ""));
    if (verdict.ignored) out = true;
    else if (verdict.unignored) out = false;
  }
  return out;
}

async function isEnvironment(directory: string): Promise<boolean> {
  const names = await readdir(directory);
  return ENVIRONMENT_MARKS.some((mark) => names.includes(mark));
}
