import type { HardhatRuntimeEnvironment } from "hardhat/types/hre";

import type { ExitCode } from "./output.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a command has of where it runs. */
export interface Host {
  readonly environment: Environment;
  /** Whether somebody is there to be asked. */
  readonly isInteractive: boolean;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** The command is through, and this its exit code. */
  readonly end: (code: ExitCode) => void;
  /** Ends at once, whatever still runs. */
  readonly leave: (code: ExitCode) => void;
  /** Calls `listener` at Ctrl-C and SIGTERM, until what this gives back is called. */
  readonly onInterrupt: (listener: () => void) => () => void;
}

/** This process, which runs the one command. */
const PROCESS: Host = {
  get environment() {
    return process.env;
  },
  get isInteractive() {
    return process.stdin.isTTY;
  },
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  end: (code) => {
    process.exitCode = code;
  },
  leave: (code) => process.exit(code),
  onInterrupt: (listener) => {
    process.on("SIGINT", listener).on("SIGTERM", listener);
    return () => process.off("SIGINT", listener).off("SIGTERM", listener);
  },
};

const hosts = new WeakMap<HardhatRuntimeEnvironment, Host>();

/** Has the commands of `hre` run at `host` instead of in the process as such. */
export function setHost(hre: HardhatRuntimeEnvironment, host: Host): void {
  hosts.set(hre, host);
}

export function hostOf(hre: HardhatRuntimeEnvironment): Host {
  return hosts.get(hre) ?? PROCESS;
}
