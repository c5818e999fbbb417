import { stat } from "node:fs/promises";

import { formatAmount, parseAmount } from "../../src/amount.ts";
import { messageOf, NeuraError } from "../../src/errors.ts";
import type { JsonObject } from "../../src/manifest.ts";
import type { PreparedTask, TaskRequest } from "../../src/market/prepare.ts";
import type { SubmitProgress } from "../../src/market/submit.ts";
import { Secret } from "../../src/secret.ts";
import { parseAddress } from "../address.ts";
import { action, type Context } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { fields } from "../output.ts";
import { type NeedArguments, openClient, parseNeeds } from "./request.ts";
import { detachable } from "./show.ts";

interface SubmitArguments extends NeedArguments {
  readonly paths: readonly string[];
  readonly parameters: string | undefined;
  readonly maxCost: string | undefined;
  readonly startWithin: string;
  readonly completeWithin: string | undefined;
  readonly secrets: string | undefined;
  readonly owner: string | undefined;
  readonly publicResult: boolean;
  readonly dryRun: boolean;
}

/** More files than these are counted, not listed. */
const LISTED = 10;

export default action("neura/task-submit/1", async (given: SubmitArguments, context) => {
  const { out, signal } = context;
  const { client, deployment } = await openClient(context, { signing: true });
  const { currency } = deployment;
  const { parameters, completeWithin, owner, maxCost, publicResult } = given;
  const request: TaskRequest = {
    ...parseNeeds(given, deployment),
    source: await sourceOf(given.paths),
    parameters: parameters === undefined ? undefined : parseParameters(parameters),
    maxCostWei: maxCost === undefined ? undefined : parseAmount(maxCost, currency, "cost"),
    startWithinSeconds: parseDuration(given.startWithin, "time to start"),
    completeWithinSeconds:
      completeWithin === undefined ? undefined : parseDuration(completeWithin, "time to complete"),
    secrets: secretsFrom(given.secrets, context),
    owner: owner === undefined ? undefined : parseAddress(owner, "owner"),
    publicResult,
  };
  const prepared = await out.step("Looking for a provider and checking everything", () =>
    client.prepare(request, { signal }),
  );
  describe(prepared, context, formatAmount(prepared.costWei, currency));
  const plan = {
    owner: prepared.owner,
    provider: prepared.provider.account,
    reason: prepared.provider.reason,
    costWei: prepared.costWei,
    valueWei: prepared.valueWei,
    files: prepared.payload.files.map(({ path, sizeBytes }) => ({ path, sizeBytes })),
    leftOut: prepared.payload.leftOut,
    sizeBytes: prepared.payload.sizeBytes,
    storage: prepared.storagePrice,
    warnings: prepared.warnings,
  };
  if (given.dryRun) {
    return { data: { dryRun: true, plan }, text: "Everything is ready. Nothing was sent (--dry-run)." };
  }
  const task = await detachable(
    context,
    {
      message: "Interrupted while submitting.",
      next: "Run the same command again: it goes on where this stopped, and pays once.",
    },
    () => client.submit(prepared, { signal, onProgress: progressTo(context) }),
  );
  const { id, terms, work, costWei, transaction, stored } = task;
  return {
    data: { id, terms, work, costWei, transaction, stored, plan },
    text: fields([
      ["Task", id],
      ["Provider", terms.provider],
      ["Escrowed", formatAmount(costWei, currency)],
      ["Payload", work.payload],
      ["Transaction", transaction?.hash ?? "sent earlier"],
      ["Follow", `./neura task watch ${id}`],
      ["Result", `./neura task result ${id}`],
    ]),
  };
});

async function sourceOf(paths: readonly string[]): Promise<TaskRequest["source"]> {
  const [first] = paths;
  if (first === undefined || paths.length > 1) return { files: paths };
  const found = await stat(first).catch(() => undefined);
  return found?.isDirectory() === true ? { folder: first } : { files: paths };
}

function parseParameters(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    // The manifest checks what is in it.
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
    throw new Error("it is no object");
  } catch (error) {
    throw new NeuraError(
      "usage.parameters",
      `The parameters ${text} are not a JSON object: ${messageOf(error)}.`,
      {
        next: `Write them like '{"name": "value"}', in single quotes for the shell.`,
      },
    );
  }
}

/** The values of the named environment variables: names stand in the command, values never. */
function secretsFrom(names: string | undefined, { environment }: Context): Record<string, Secret<string>> {
  const listed = (names ?? "").split(",").filter((name) => name !== "");
  return Object.fromEntries(
    listed.map((name) => {
      const value = environment[name];
      if (value !== undefined) return [name, new Secret(value)];
      throw new NeuraError("usage.secret", `The environment has no variable ${name}.`, {
        next: `Set it before the command: export ${name}=…`,
      });
    }),
  );
}

function describe(prepared: PreparedTask, { out }: Context, cost: string): void {
  const { provider, payload, storagePrice, warnings } = prepared;
  const { costAtomic, symbol, decimals } = storagePrice;
  out.note(`Provider ${provider.account}: ${provider.reason}`);
  out.note(`${payload.files.length} files, ${formatSize(payload.sizeBytes)}:`);
  for (const { path, sizeBytes } of payload.files.slice(0, LISTED))
    out.note(`  ${path}  ${formatSize(sizeBytes)}`);
  if (payload.files.length > LISTED) out.note(`  … and ${payload.files.length - LISTED} more`);
  if (payload.leftOut.length > 0)
    out.note(
      `Left out: ${payload.leftOut.slice(0, LISTED).join(", ")}${payload.leftOut.length > LISTED ? ", …" : ""}`,
    );
  out.note(`Costs at most ${cost}, and ${formatAmount(costAtomic, { symbol, decimals })} for storage`);
  for (const warning of warnings) out.note(`Warning: ${warning}`);
}

const PHASES = {
  encrypting: "Encrypting",
  uploading: "Uploading",
  "reading-back": "Reading back",
  sending: "Sending the transaction",
  confirming: "Waiting for the transaction",
} as const satisfies Record<SubmitProgress["phase"], string>;

/** A line per phase, and one per tenth of what takes longer than a second. */
function progressTo({ out }: Context): (progress: SubmitProgress) => void {
  let current: SubmitProgress["phase"] | undefined;
  let last = 0;
  let tenth = 0;
  return ({ phase, doneBytes, totalBytes }) => {
    if (phase !== current) {
      [current, last, tenth] = [phase, performance.now(), 0];
      out.note(`${PHASES[phase]} …`);
    }
    if (doneBytes === undefined || totalBytes === undefined || totalBytes === 0) return;
    const now = Math.min(9, Math.floor((10 * doneBytes) / totalBytes));
    if (now <= tenth || performance.now() - last < 1000) return;
    [last, tenth] = [performance.now(), now];
    out.note(`  ${now * 10} % of ${formatSize(totalBytes)}`);
  };
}

function formatSize(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${units[power] ?? ""}`;
}
