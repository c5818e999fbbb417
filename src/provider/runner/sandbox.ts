import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

/** What a run may touch, as absolute paths that exist. */
export interface Reach {
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** Where it starts. */
  readonly directory: string;
}

/** Keeps a command apart from the machine, as far as the machine lets us. */
export interface Sandbox {
  readonly name: SandboxName;
  /** What it really does, for people. */
  readonly isolation: readonly string[];
  /** The command inside of the sandbox. */
  wrap(command: readonly string[], reach: Reach): string[];
  /** Whether a signal that ended the command comes out as the exit code 128 + signal. */
  readonly signalsAsExitCodes: boolean;
}

export type SandboxName = "bubblewrap" | "unshare" | "none";

/** Best first. */
export const SANDBOXES: readonly SandboxName[] = ["bubblewrap", "unshare", "none"];

const run = promisify(execFile);

/** The first of these sandboxes in which this machine can run Node; `none` always works. */
export async function findSandbox(names: readonly SandboxName[]): Promise<Sandbox> {
  for (const name of names) {
    const sandbox = make(name);
    if (sandbox && (await works(sandbox))) return sandbox;
  }
  return none;
}

const none: Sandbox = {
  name: "none",
  isolation: [],
  wrap: (command) => [...command],
  signalsAsExitCodes: false,
};

function make(name: SandboxName): Sandbox | undefined {
  switch (name) {
    case "bubblewrap": {
      const program = programPath("bwrap");
      return program === undefined ? undefined : bubblewrap(program);
    }
    case "unshare": {
      const program = programPath("unshare");
      return program === undefined ? undefined : unshare(program);
    }
    case "none":
      return none;
  }
}

/** Namespaces for everything, and a file system that holds what the run may touch and the system's libraries. */
function bubblewrap(program: string): Sandbox {
  // What Node and its native modules load; no /etc but the linker's cache, no /home, no /tmp.
  const system = [
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/ld.so.cache",
    "/nix/store",
    "/sys/devices/system/cpu",
  ];
  return {
    name: "bubblewrap",
    isolation: ["bubblewrap", "no network", "own processes only", "files of the task only"],
    signalsAsExitCodes: true,
    wrap: (command, { read, write, directory }) => [
      program,
      ...["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"],
      ...["--proc", "/proc", "--dev", "/dev"],
      ...[...system, process.execPath].flatMap((path) => ["--ro-bind-try", path, path]),
      ...read.flatMap((path) => ["--ro-bind", path, path]),
      ...write.flatMap((path) => ["--bind", path, path]),
      ...["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", directory, "--"],
      ...command,
    ],
  };
}

/** Namespaces for network and processes; the file system stays the machine's. */
function unshare(program: string): Sandbox {
  return {
    name: "unshare",
    isolation: ["namespaces", "no network", "own processes only"],
    signalsAsExitCodes: false,
    wrap: (command) => [
      program,
      ...["--user", "--map-current-user", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child"],
      ...["--mount-proc", "--"],
      ...command,
    ],
  };
}

async function works(sandbox: Sandbox): Promise<boolean> {
  const [program = "", ...rest] = sandbox.wrap([process.execPath, "--version"], {
    read: [],
    write: [],
    directory: "/",
  });
  try {
    const { stdout } = await run(program, rest, { env: {}, timeout: 10_000, killSignal: "SIGKILL" });
    return stdout.trim() === process.version;
  } catch {
    return false;
  }
}

function programPath(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/bin", "/bin", "/usr/local/bin"];
  return folders
    .filter((folder) => folder.startsWith("/"))
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
