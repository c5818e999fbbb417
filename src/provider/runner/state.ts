import { randomUUID } from "node:crypto";
import { link, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory } from "../../files.ts";
import type { Limits, Manifest } from "../../manifest.ts";
import type { ProcessIdentity } from "./processes.ts";
import type { RestartPolicy } from "./restarts.ts";
import type { RunOutcome, RunProgress } from "./runner.ts";

/** The supervisor ends with this code where the folder has another supervisor already. */
export const CLAIMED_EXIT_CODE = 3;

/** What the runner tells the supervisor. */
export interface Order {
  readonly manifest: Manifest;
  readonly limits: Limits;
  /** Starts the application, within its sandbox. */
  readonly command: readonly string[];
  readonly signalsAsExitCodes: boolean;
  /** Of a service's application. */
  readonly restarts: RestartPolicy;
  /** Of the application's log [bytes]. */
  readonly logBytes: number;
}

/** The files below `run/`, each with its content; whoever adopts the run knows nothing but these. */
interface Files {
  "order.json": Order;
  /** Who supervises; its existence is the claim to the folder. */
  "supervisor.json": ProcessIdentity;
  /** The process that leads the application's group and session; written before the application gets its work. */
  "application.json": ProcessIdentity;
  "progress.json": RunProgress;
  "stop.json": { readonly reason: string };
  /** The last one. */
  "outcome.json": RunOutcome;
}

/** The socket of a service, in the same place as the files. */
export const SOCKET_NAME = "service.sock";

/** A folder of small files with known contents. Readers see a whole file or none. */
export class StateFolder<F> {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  async make(): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o700 });
  }

  async read<N extends keyof F & string>(name: N): Promise<F[N] | undefined> {
    try {
      // The one place where these files are decoded; only this module writes them, and no run can reach them.
      return JSON.parse(await readFile(join(this.path, name), "utf8")) as F[N];
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
  }

  /** @param options.durable whether it must survive a power cut */
  async write<N extends keyof F & string>(
    name: N,
    content: F[N],
    options: { readonly durable?: boolean } = {},
  ): Promise<void> {
    const temporary = await this.#writeTemporary(name, content, options.durable ?? false);
    await rename(temporary, join(this.path, name));
    if (options.durable) await syncDirectory(this.path);
  }

  /** Like {@link write}, durable, but only the first one succeeds. */
  protected async writeFirst<N extends keyof F & string>(name: N, content: F[N]): Promise<boolean> {
    const temporary = await this.#writeTemporary(name, content, true);
    try {
      await link(temporary, join(this.path, name));
      await syncDirectory(this.path);
      return true;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
      throw error;
    } finally {
      await rm(temporary);
    }
  }

  async #writeTemporary(name: string, content: unknown, durable: boolean): Promise<string> {
    const path = join(this.path, `${name}.${randomUUID()}`);
    const file = await open(path, "w", 0o600);
    try {
      await file.writeFile(JSON.stringify(content));
      if (durable) await file.sync();
    } finally {
      await file.close();
    }
    return path;
  }
}

/** The state of one run on disk. */
export class RunState extends StateFolder<Files> {
  /** The task's folder. */
  readonly directory: string;

  constructor(directory: string) {
    super(join(directory, "run"));
    this.directory = directory;
  }

  /** Makes the folders of a run. */
  async prepare(): Promise<void> {
    for (const folder of ["run", "output", "logs", "tmp"])
      await mkdir(join(this.directory, folder), { recursive: true, mode: 0o700 });
  }

  /** Makes this process the supervisor; false if there is, or was, one. */
  async claim(supervisor: ProcessIdentity): Promise<boolean> {
    return await this.writeFirst("supervisor.json", supervisor);
  }

  /** Forgets the run, which must have ended; the claim to the folder last. */
  async clear(): Promise<void> {
    const left: readonly (keyof Files)[] = ["application.json", "progress.json", "stop.json", "outcome.json"];
    for (const name of [...left, "supervisor.json"]) await rm(join(this.path, name), { force: true });
  }
}
