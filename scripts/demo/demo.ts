/**
 * The main job in front of one's eyes: a chain, storage and a provider's node as processes of their own, a picture
 * encrypted there, its text encrypted back, and ANKR moving.
 *
 *     ./neura demo [picture…] [--json]
 */
import { mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { HDNodeWallet, JsonRpcProvider, Mnemonic, Network } from "ethers";

import { formatAmount } from "../../src/amount.ts";
import { loadDeployment } from "../../src/deployment.ts";
import { generateKeyPair } from "../../src/envelope/index.ts";
import { isNeuraError, messageOf, NeuraError } from "../../src/errors.ts";
import { loadArweaveKey } from "../../src/keys/arweave.ts";
import { publishKey } from "../../src/keys/publish.ts";
import { saveKey } from "../../src/keystore.ts";
import { MarketClient } from "../../src/market/client.ts";
import { nodeDirectory } from "../../src/provider/node.ts";
import { openStorage } from "../../src/storage/open.ts";
import { Processes, runCommand } from "./processes.ts";
import { Screen } from "./screen.ts";
import { NODE, startChain, startGateway, startNode, stopRuns } from "./stage.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SAMPLE = join(ROOT, "samples/invoice.png");
const RESULTS = join(ROOT, ".neura/demo");
/** Of the accounts that every local Hardhat chain gives coins to. */
const MNEMONIC = Mnemonic.fromPhrase("test test test test test test test test test test test junk");
const [DEPLOYER, OWNER, SELLER] = [0, 1, 2];
const PROVIDER_HOME = "provider";
const CHAIN_ID = 31337;
const RATE = "0.001 ANKR";
const SCHEMA = "neura/demo/1";
const INTERRUPTED = 130;

interface Transaction {
  readonly what: string;
  readonly by: "owner" | "provider";
  readonly hash: string;
  readonly gasUsed: bigint;
}

async function main(pictures: readonly string[], json: boolean): Promise<number> {
  const screen = new Screen({ json });
  const interruption = new AbortController();
  const interrupt = () =>
    interruption.abort(new NeuraError("interrupted", "Interrupted; all is cleaned up."));
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  const processes = new Processes();
  const directory = await mkdtemp(join(tmpdir(), "neura-demo-"));
  const { signal } = interruption;
  try {
    const files = pictures.length === 0 ? [SAMPLE] : pictures.map((picture) => resolve(picture));
    for (const file of files) await requireFile(file);
    await demo({ files, directory, processes, screen, signal });
    return 0;
  } catch (thrown) {
    const error = toError(signal.aborted ? signal.reason : thrown);
    screen.fail(error, SCHEMA);
    return isNeuraError(error, "interrupted") ? INTERRUPTED : 1;
  } finally {
    await processes.stop();
    await stopRuns(join(nodeDirectory(join(directory, PROVIDER_HOME), walletAt(SELLER).address), "tasks"));
    await rm(directory, { recursive: true, force: true });
  }
}

async function demo({
  files,
  directory,
  processes,
  screen,
  signal,
}: {
  files: readonly string[];
  directory: string;
  processes: Processes;
  screen: Screen;
  signal: AbortSignal;
}): Promise<void> {
  const started = performance.now();
  const transactions: Transaction[] = [];
  const stage = { processes, signal };

  screen.line("One task from its owner to a provider and back, on this machine");
  screen.line();
  const [chainUrl, gateway] = await screen.step("0  Start a chain and storage", async () => {
    const urls = await Promise.all([startChain(stage), startGateway(directory, stage)]);
    screen.say(`chain ${urls[0]}, local Arweave gateway ${urls[1]}`);
    return urls;
  });
  const network = Network.from(CHAIN_ID);
  const provider = new JsonRpcProvider(chainUrl, network, {
    staticNetwork: network,
    pollingInterval: 50,
    cacheTimeout: -1,
  });
  const owner = walletAt(OWNER).connect(provider);
  const seller = walletAt(SELLER);
  const common = {
    NEURA_RPC_URL: chainUrl,
    NEURA_DEPLOYMENT: join(directory, "deployment.json"),
    NEURA_ARWEAVE_GATEWAYS: gateway,
  };
  const environmentOf = (wallet: HDNodeWallet, home: string) => ({
    ...common,
    NEURA_PRIVATE_KEY: wallet.privateKey,
    NEURA_HOME: join(directory, home),
  });
  const deployment = await screen.step("   and deploy the contracts", async () => {
    const environment = environmentOf(walletAt(DEPLOYER), "deployer");
    await runCommand(["deploy"], { environment, signal });
    const deployed = await loadDeployment({ provider, environment });
    screen.say(`TaskMarket ${deployed.contracts.TaskMarket}`);
    return deployed;
  });
  const amount = (wei: bigint) => formatAmount(wei, deployment.currency);

  const home = join(directory, "owner");
  const sellerEnvironment = environmentOf(seller, PROVIDER_HOME);
  const events = new NodeEvents(screen);
  await screen.step("1  Both sides publish an encryption key; the provider registers its offer", async () => {
    const register = runCommand(["provider", "register", "--rate", RATE], {
      environment: sellerEnvironment,
      signal,
    });
    const key = generateKeyPair();
    await saveKey(home, owner.address, key);
    const { hash, gasUsed } = await publishKey(deployment, { signer: owner, key });
    transactions.push({ what: "publish key", by: "owner", hash, gasUsed });
    transactions.push(...transactionsIn(await register));
    screen.say(`provider ${seller.address} asks for ${RATE} a second`);
    await startNode(sellerEnvironment, { ...stage, onEvent: (event) => events.take(event) });
    screen.say("its node runs as a process of its own");
  });

  const { key } = await loadArweaveKey(join(home, "arweave.json"));
  const client = new MarketClient({
    runner: owner,
    deployment,
    home,
    storage: ({ reference = "ar" }) => openStorage(reference, { arweave: { gateways: [gateway], key } }),
  });
  const prepared = await screen.step("2  The owner looks for the provider that fits", async () => {
    // The one provider of this chain is new: elsewhere one would want paid work or a stake, or name somebody known.
    const request = { source: { files }, application: "ocr", durationSeconds: 300, anyProvider: true };
    const found = await client.prepare(request, { signal });
    screen.say(`${found.provider?.account}: ${found.provider?.reason}`);
    return found;
  });

  const task = await screen.step("3  encrypts the pictures for it and uploads them", async () =>
    client.submit(prepared, {
      signal,
      onProgress: ({ phase }) => {
        if (phase === "sending") screen.next("4  and pays into escrow, all in one transaction");
      },
    }),
  );
  screen.say(`task ${task.id}`);
  screen.say(`${amount(task.costWei)} in escrow, for ${prepared.durationSeconds} s at most`);
  if (task.transaction) transactions.push({ what: "submit", by: "owner", ...task.transaction });

  const status = await screen.step(
    "5  The node sees the task, fetches and decrypts it, and runs it",
    async () => {
      events.follow(task.id);
      const options = { for: "delivered", intervalMs: 100, timeoutSeconds: 280, signal } as const;
      return await Promise.race([client.wait(task.id, options), processes.watch(NODE, signal)]);
    },
  );
  const { delivery, payment, closed } = status;
  if (delivery === undefined || payment === undefined || closed === undefined)
    throw new Error("a delivered task has its payment");
  const receipt = await provider.getTransactionReceipt(closed.transactionHash);
  if (receipt !== null) transactions.push({ what: "deliver", by: "provider", ...receiptFacts(receipt) });

  const target = join(RESULTS, task.id.slice(2, 12));
  await mkdir(RESULTS, { recursive: true });
  const result = await screen.step("7  The owner fetches the result, checks it and opens it", async () => {
    const fetched = await client.result(task.id, { directory: target, signal });
    screen.say(fetched.checks.map(({ name, verdict }) => `${name} ${verdict}`).join(", "));
    return fetched;
  });
  const document: unknown = JSON.parse(await readFile(join(target, "result.json"), "utf8"));
  const text = textOf(document);
  const log = await readFile(join(target, "logs/application.log"), "utf8").catch(() => "");

  const storage = openStorage("ar", { arweave: { gateways: [gateway] } });
  const sizeOf = async (uri: string) => (await storage.status(uri)).sizeBytes ?? 0;
  const stored = [
    { what: "payload, encrypted for the provider", uri: task.work.payload },
    { what: "result, encrypted for the owner", uri: delivery.result },
  ];
  const data = {
    text,
    log,
    result: { directory: target, files: result.files.map(({ path }) => path), document },
    task: { id: task.id, outcome: status.outcome, fault: status.fault },
    sound: result.sound,
    transactions,
    payments: {
      escrowedWei: task.costWei,
      earnedWei: payment.paidWei - payment.feeWei,
      feeWei: payment.feeWei,
      refundedWei: payment.refundedWei,
    },
    storage: await Promise.all(stored.map(async (each) => ({ ...each, bytes: await sizeOf(each.uri) }))),
    seconds: Number(((performance.now() - started) / 1000).toFixed(1)),
  };
  provider.destroy();
  if (!result.sound) {
    throw new NeuraError("demo.unsound", "The result is not what the delivery committed to.", {
      next: `See ${target} and the checks above.`,
    });
  }

  const completed = status.outcome === "Completed";
  if (completed) screen.text("The text that was read", text);
  else screen.text("There is no text; the log that was delivered says why", log.trimEnd());
  const { escrowedWei, earnedWei, feeWei, refundedWei } = data.payments;
  screen.table(
    ["who paid what", "", ""],
    [
      ["owner to escrow", amount(escrowedWei), "the most that it could cost"],
      ["escrow to provider", amount(earnedWei), "for the seconds of use"],
      ["escrow to protocol", amount(feeWei), `a fee of ${status.feeBps / 100} %`],
      ["escrow to owner", amount(refundedWei), "unused, in its balance"],
    ],
  );
  screen.table(
    ["transaction", "by", "gas", "hash"],
    transactions.map(({ what, by, gasUsed, hash }) => [what, by, gasUsed.toLocaleString("en"), hash]),
  );
  screen.table(
    ["stored", "bytes", "where"],
    data.storage.map(({ what, bytes, uri }) => [what, bytes.toLocaleString("en"), uri]),
  );
  screen.line();
  screen.line(`The result with the pictures is in ${relative(process.cwd(), target) || "."}:`);
  for (const { path } of result.files) screen.line(`    ${path}`);
  screen.line(`Done in ${data.seconds} s. All that was started is being stopped.`);
  screen.result({ schema: SCHEMA, ...data });
  if (!completed) {
    throw new NeuraError(
      "demo.no-text",
      `The work ended with ${status.outcome}, the fault of: ${status.fault}.`,
      {
        next: "See the log above, and try a PNG, JPEG or WebP picture.",
      },
    );
  }
}

/** Shows what the node says about one task. */
class NodeEvents {
  readonly #screen: Screen;
  readonly #early: Record<string, unknown>[] = [];
  #task: string | undefined;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** From now on this task's events are shown; those that came before its id was known, at once. */
  follow(task: string): void {
    this.#task = task;
    for (const event of this.#early) this.#show(event);
  }

  take(event: Record<string, unknown>): void {
    if (this.#task === undefined) this.#early.push(event);
    else this.#show(event);
  }

  #show({ time, level, event, task, ...fields }: Record<string, unknown>): void {
    if (task === undefined || task !== this.#task || level === "debug") return;
    if (event === "ran") this.#say(time, "ran", fields);
    else this.#say(time, String(event), fields);
    if (event === "ran")
      this.#screen.next("6  It encrypts the result for the owner, uploads it and delivers");
  }

  #say(time: unknown, event: string, fields: Record<string, unknown>): void {
    const facts = Object.entries(fields).map(
      ([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`,
    );
    this.#screen.say([String(time).slice(11, 23), event.padEnd(10), ...facts].join("  "));
  }
}

function walletAt(index: number): HDNodeWallet {
  return HDNodeWallet.fromMnemonic(MNEMONIC, `m/44'/60'/0'/0/${index}`);
}

function receiptFacts({ hash, gasUsed }: { hash: string; gasUsed: bigint }): {
  hash: string;
  gasUsed: bigint;
} {
  return { hash, gasUsed };
}

/** The transactions that a command says it sent. */
function transactionsIn({ transactions }: Record<string, unknown>): Transaction[] {
  if (!Array.isArray(transactions)) return [];
  return transactions.flatMap((each: unknown) => {
    if (typeof each !== "object" || each === null) return [];
    const { what, hash, gasUsed } = Object.fromEntries(Object.entries(each));
    if (typeof what !== "string" || typeof hash !== "string") return [];
    return [{ what, by: "provider" as const, hash, gasUsed: BigInt(String(gasUsed)) }];
  });
}

/** Before anything is started. */
async function requireFile(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() === true) return;
  throw new NeuraError("usage.no-picture", `There is no file ${file}.`, {
    next: "Name a PNG, JPEG or WebP picture, or none for the sample.",
  });
}

function textOf(document: unknown): string {
  const text: unknown =
    typeof document === "object" && document !== null ? Reflect.get(document, "text") : undefined;
  return typeof text === "string" ? text : "";
}

function toError(thrown: unknown): NeuraError {
  return isNeuraError(thrown) ? thrown : new NeuraError("demo.failed", messageOf(thrown), { cause: thrown });
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean", default: false }, help: { type: "boolean", default: false } },
});
if (values.help) process.stdout.write("Usage: ./neura demo [picture…] [--json]\n");
else process.exitCode = await main(positionals, values.json);
