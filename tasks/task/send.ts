import type { Deployment } from "../../src/deployment.ts";
import { formatAmount } from "../../src/amount.ts";
import type { MarketClient } from "../../src/market/client.ts";
import { orderText, writeOrder } from "../../src/market/order.ts";
import type { PreparedTask, TaskRequest } from "../../src/market/prepare.ts";
import type { SubmitProgress } from "../../src/market/submit.ts";
import { checkMirrorable } from "../../src/mirror/mirror.ts";
import type { Context } from "../context.ts";
import { type CommandResult, fields } from "../output.ts";
import type { OrderArguments } from "./request.ts";
import { attestationText } from "../provider/attested.ts";
import { detachable } from "./show.ts";

/** More files than these are counted, not listed. */
const LISTED = 10;

/** What `task submit` and `lease start` do with what was asked for. */
export async function submitOrSign(
  context: Context,
  {
    client,
    deployment,
    given,
    request,
    mirror,
  }: {
    client: MarketClient;
    deployment: Deployment;
    given: OrderArguments;
    request: TaskRequest;
    /** Decides about the mirror of a task that was sent. */
    mirror?: ((task: string) => Promise<void>) | undefined;
  },
): Promise<CommandResult> {
  const { out, signal } = context;
  const { currency } = deployment;
  const verb = request.lease === undefined ? "task" : "lease";
  const prepared = await out.step("Looking for a provider and checking everything", () =>
    client.prepare(request, { signal }),
  );
  describe(prepared, context, formatAmount(prepared.costWei, currency));
  if (mirror !== undefined) checkMirrorable(prepared);
  const plan = planOf(prepared);
  if (given.dryRun) {
    return { data: { dryRun: true, plan }, text: "Everything is ready. Nothing was sent (--dry-run)." };
  }
  const resume = {
    message: "Interrupted while submitting.",
    next: "Run the same command again: it goes on where this stopped, and pays once.",
  };
  const options = { signal, onProgress: progressTo(context) };
  const { signOnly: path } = given;
  if (path !== undefined) {
    const order = await detachable(context, resume, () => client.sign(prepared, options));
    await writeOrder(path, order);
    const { stored, ...signed } = order;
    const file: unknown = JSON.parse(orderText(signed));
    return {
      data: { id: order.id, path, order: file, isSigned: order.signature !== undefined, stored, plan },
      text: fields([
        ["Order", order.id],
        ["File", path],
        order.signature === undefined
          ? ["Sign", `have ${order.terms.owner} sign the id, then ./neura order sign ${path} --signature 0x…`]
          : [
              "Send",
              `./neura order submit ${path} (anybody, until ${timeOf(order.terms.conditions.startBySeconds)})`,
            ],
      ]),
    };
  }
  const task = await detachable(context, resume, () => client.submit(prepared, options));
  const { id, terms, work, costWei, transaction, stored, quote } = task;
  await mirror?.(id);
  return {
    data: { id, terms, work, costWei, transaction, stored, quote, plan },
    text: fields([
      [verb === "task" ? "Task" : "Lease", id],
      ["Provider", prepared.features.isOpen === true ? "any that is eligible" : terms.provider],
      ...(quote === undefined ? [] : [["Accepted", "at once, by its provider's quote"] as const]),
      ["Escrowed", formatAmount(costWei, currency)],
      ["Payload", work.payload],
      ["Transaction", transaction?.hash ?? "sent earlier"],
      ["Follow", `./neura ${verb} watch ${id}`],
      verb === "task" ? ["Result", `./neura task result ${id}`] : ["Use", `./neura lease ticket ${id}`],
    ]),
  };
}

function planOf(prepared: PreparedTask) {
  const { owner, provider, readers, features, costWei, valueWei, payload, storagePrice, warnings } = prepared;
  return {
    owner,
    provider: provider?.account,
    reason: provider?.reason,
    attestation: provider?.attestation,
    readers: readers.map(({ account }) => account),
    features,
    costWei,
    valueWei,
    files: payload.files.map(({ path, sizeBytes }) => ({ path, sizeBytes })),
    leftOut: payload.leftOut,
    verification: payload.manifest.verification,
    sizeBytes: payload.sizeBytes,
    storage: storagePrice,
    warnings,
  };
}

function describe(prepared: PreparedTask, { out }: Context, cost: string): void {
  const { provider, readers, features, payload, storagePrice, warnings } = prepared;
  const { costAtomic, symbol, decimals } = storagePrice;
  if (provider !== undefined) out.note(`Provider ${provider.account}: ${provider.reason}`);
  else if (features.isSealed === true) out.note("Open: nobody can read it before its key is published.");
  else out.note(`Open: it can be read, and so done, by ${readers.map(({ account }) => account).join(", ")}`);
  if (provider?.attestation !== undefined) out.note(`It ${attestationText(provider.attestation)}`);
  if (features.backup !== undefined) out.note(`Backup ${features.backup}, which can read it too`);
  if (features.model !== undefined)
    out.note(`Model ${features.model}: ${(features.royaltyBps ?? 0) / 100} % of what is paid go to it`);
  out.note(`${payload.files.length} files, ${formatSize(payload.sizeBytes)}:`);
  for (const { path, sizeBytes } of payload.files.slice(0, LISTED))
    out.note(`  ${path}  ${formatSize(sizeBytes)}`);
  if (payload.files.length > LISTED) out.note(`  … and ${payload.files.length - LISTED} more`);
  if (payload.leftOut.length > 0)
    out.note(
      `Left out: ${payload.leftOut.slice(0, LISTED).join(", ")}${payload.leftOut.length > LISTED ? ", …" : ""}`,
    );
  const { verification } = payload.manifest;
  if (verification !== undefined) out.note(`Verified by ${verification.method}`);
  out.note(`Costs at most ${cost}, and ${formatAmount(costAtomic, { symbol, decimals })} for storage`);
  for (const warning of warnings) out.note(`Warning: ${warning}`);
}

const PHASES = {
  encrypting: "Encrypting",
  uploading: "Uploading",
  "reading-back": "Reading back",
  asking: "Asking the provider for a quote",
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

function timeOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
