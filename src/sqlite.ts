import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type * as Sqlite from "node:sqlite";

import { NeuraError } from "./errors.ts";

/**
 * `node:sqlite`, without the warning that it is experimental, which Node 22 prints when it is loaded and which
 * tells a provider nothing. Every other warning passes.
 */
export async function openDatabase(path: string): Promise<Sqlite.DatabaseSync> {
  const { DatabaseSync } = await load();
  return new DatabaseSync(path);
}

export interface StoreOptions {
  /** Of the tables; in the file as `user_version`. */
  readonly version: number;
  /** SQL that makes them. */
  readonly tables: string;
}

/**
 * Opens or creates a small database that several processes share: durable when a call returns, one writer at a time, the
 * others wait for up to 5 s. Error: `store.version` for a file that another version wrote.
 */
export async function openStore(
  path: string,
  { version, tables }: StoreOptions,
): Promise<Sqlite.DatabaseSync> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const database = await openDatabase(path);
  // No WAL: two processes that create the file at once would not wait for each other. EXTRA: a commit outlives a crash
  // of the machine in this mode too.
  database.exec("PRAGMA busy_timeout = 5000; PRAGMA synchronous = EXTRA");
  const found = atOnce(database, () => {
    const present = database.prepare("PRAGMA user_version").get()?.["user_version"];
    if (present !== 0) return present;
    database.exec(`${tables}; PRAGMA user_version = ${version}`);
    return version;
  });
  if (found === version) return database;
  database.close();
  throw new NeuraError(
    "store.version",
    `${path} has version ${String(found)}; this program reads version ${version}.`,
    {
      next: "Use the program that wrote it, or move the file away.",
    },
  );
}

/** Does `work` as one transaction: all of it or nothing, and nobody else writes meanwhile. */
export function atOnce<T>(database: Sqlite.DatabaseSync, work: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const value = work();
    database.exec("COMMIT");
    return value;
  } catch (error) {
    try {
      database.exec("ROLLBACK");
    } catch {
      // SQLite has done so itself, as it does when the disk is full.
    }
    throw error;
  }
}

async function load(): Promise<typeof Sqlite> {
  const emit = process.emitWarning.bind(process);
  const original = Object.getOwnPropertyDescriptor(process, "emitWarning") ?? {};
  process.emitWarning = (warning: string | Error, ...rest: unknown[]): void => {
    const isExpected = String(warning).includes("SQLite is an experimental feature");
    if (!isExpected) Reflect.apply(emit, process, [warning, ...rest]);
  };
  try {
    return await import("node:sqlite");
  } finally {
    Object.defineProperty(process, "emitWarning", original);
  }
}
