import { NeuraError } from "../../errors.ts";
import type { JsonObject, Manifest } from "../../manifest.ts";

/** Work that a node knows how to do. Loading one is cheap: native modules and models are loaded by `run`. */
export interface Application {
  /** As a manifest names it: `ocr`. */
  readonly name: string;
  readonly version: string;
  readonly description: string;
  /**
   * Checks the manifest's parameters and its list of inputs; touches no file.
   *
   * @throws NeuraError `application.bad-input`: the owner's own failure
   */
  check(manifest: Manifest): void;
  /**
   * Does the work. The outcome depends on the inputs and the parameters only.
   *
   * @throws NeuraError `application.bad-input`: the owner's own failure; anything else is the provider's
   */
  run(context: RunContext): Promise<RunSummary>;
  /**
   * Gets ready to answer requests, in place of `run`, where the manifest has a `service`. An application without this
   * cannot be kept up. Resolves as soon as it is ready; what is below `inputDirectory` it may read before and after.
   *
   * @throws NeuraError `application.bad-input`: the owner's own failure; anything else is the provider's
   */
  serve?(context: ServeContext): Promise<Service>;
}

/** As of a run, without an output: answers are all that a service leaves. */
export type ServeContext = Pick<RunContext, "manifest" | "inputDirectory" | "signal" | "log">;

export interface Service {
  /**
   * Answers one request; several come at the same time, as many as the manifest says. The URL's host means nothing. Its
   * signal fires when nobody waits for the answer any more. An `application.bad-input` becomes 400, any other error 500.
   */
  answer(request: Request): Promise<Response>;
}

export interface RunContext {
  readonly manifest: Manifest;
  /** Holds the payload's files: `input/a.png` of the manifest is `a.png` in here. Only read. */
  readonly inputDirectory: string;
  /** What is written here is the result's `output/`. Exists and is empty. */
  readonly outputDirectory: string;
  /** Ends the run soon after it fires; the run then rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** One line for the owner's log. */
  log(line: string): void;
  /** `done` of `total` units; the first call, with none done, says that the work itself begins. */
  progress(done: number, total: number): void;
}

/** What a run leaves besides its files: the result's `result.json`, and what `run.json` and the units commit to. */
export interface RunSummary {
  /** The result's `result.json`; has a `schema` of its own. */
  readonly result: JsonObject;
  /**
   * The parts of the work that can be re-checked alone, in order; none where `output/units.json` names them, or the work
   * cannot be divided. An output is a file of the result, or the JSON of an entry of a list in `result`.
   */
  readonly units: readonly Unit[];
  readonly model: ModelIdentity;
  /** Version of each library that the outcome depends on, by its name. */
  readonly runtime: Readonly<Record<string, string>>;
  /** Number format of the model's arithmetic. */
  readonly dtype: "fp32";
  /** Seed of sampling; null where nothing is drawn. */
  readonly seed: string | null;
  /** How is drawn; missing where nothing is. */
  readonly sampler?: string;
  /** What a re-run has to set the same, besides, for the same bytes: threads, kernels. */
  readonly determinism?: Readonly<Record<string, string>>;
}

/** One part of the work. Hashes are SHA-256, lower-case hex without prefix. */
export interface Unit {
  readonly name: string;
  readonly inputHash: string;
  readonly outputHash: string;
}

export interface ModelIdentity {
  readonly package: string;
  readonly version: string;
  /** The files that the run read, in order. SHA-256, lower-case hex without prefix. */
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
}

/**
 * Whether the application can do what the manifest says.
 *
 * @throws NeuraError `application.bad-input`
 */
export function checkManifest(application: Application, manifest: Manifest): void {
  application.check(manifest);
  if (manifest.service && !application.serve)
    throw badInput(`The application ${application.name} cannot be kept up as a service.`, {
      next: "Leave service out of the manifest, or name an application that answers requests.",
    });
}

/** The owner's own failure: an input or a parameter that the application cannot work with. */
export function badInput(
  message: string,
  options: { next?: string; cause?: unknown; details?: Record<string, string | number | boolean> } = {},
): NeuraError {
  return new NeuraError("application.bad-input", message, options);
}
