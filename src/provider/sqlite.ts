import type * as Sqlite from "node:sqlite";

/**
 * `node:sqlite`, without the warning that it is experimental, which Node 22 prints when it is loaded and which
 * tells a provider nothing. Every other warning passes.
 */
export async function openDatabase(path: string): Promise<Sqlite.DatabaseSync> {
  const { DatabaseSync } = await load();
  return new DatabaseSync(path);
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
