import { spawn } from "node:child_process";
import type { ChildProcess, StdioOptions } from "node:child_process";
import * as nodeModule from "node:module";
import { extname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export interface CommandOptions {
  /** Options of Node itself, before the module. */
  readonly nodeOptions?: readonly string[];
  /** For the module, as its `process.argv.slice(2)`. */
  readonly arguments?: readonly string[];
  /**
   * Whether the module imports the contracts' types, whose imports have to be resolved as `contract-types.ts` does.
   * Everything else needs no more than that Node strips the types.
   */
  readonly contractTypes?: boolean;
}

export interface SpawnOptions extends CommandOptions {
  /** All of it; the environment of this process if left out. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly directory?: string;
  readonly stdio?: StdioOptions;
  /** A session and process group of its own, so that the process outlives this one. */
  readonly detached?: boolean;
}

/**
 * The URL of one of our own modules: `.ts` where this code runs from source, `.js` where it runs from the package.
 *
 * @param base `import.meta.url` of the caller
 * @param path relative to it, without suffix: `../applications/registry`
 */
export function moduleUrl(base: string, path: string): URL {
  return new URL(`${path}${extname(new URL(base).pathname)}`, base);
}

/** The command that runs a module, from source or from the package, with the Node that runs this. */
export function moduleCommand(module: URL, options: CommandOptions = {}): string[] {
  return [
    process.execPath,
    ...(extname(module.pathname) === ".ts" ? typescriptOptions(options.contractTypes ?? false) : []),
    ...(options.nodeOptions ?? []),
    fileURLToPath(module),
    ...(options.arguments ?? []),
  ];
}

/** Starts a module as a process of its own: {@link moduleCommand}. */
export function spawnModule(module: URL, options: SpawnOptions = {}): ChildProcess {
  const [node = process.execPath, ...rest] = moduleCommand(module, options);
  return spawn(node, rest, {
    env: options.environment ?? process.env,
    detached: options.detached ?? false,
    ...(options.directory === undefined ? {} : { cwd: options.directory }),
    ...(options.stdio === undefined ? {} : { stdio: options.stdio }),
  });
}

function typescriptOptions(contractTypes: boolean): string[] {
  // By default since 22.18; warned about until 24.12.
  const strip = ["--experimental-strip-types", "--disable-warning=ExperimentalWarning"];
  if (!contractTypes) return strip;
  const hasHooks: boolean = "registerHooks" in nodeModule; // Since 22.15.
  if (hasHooks) return [...strip, "--import", moduleUrl(import.meta.url, "./contract-types").href];
  return ["--import", pathToFileURL(nodeModule.createRequire(import.meta.url).resolve("tsx")).href];
}
