import { join } from "node:path";
import { type JsonRpcSigner, JsonRpcProvider, Network, Wallet } from "ethers";
import type { HttpNetworkConfig } from "hardhat/types/config";
import type { HardhatRuntimeEnvironment } from "hardhat/types/hre";

import { type Deployment, loadDeployment } from "../src/deployment.ts";
import { messageOf, NeuraError } from "../src/errors.ts";
import { loadArweaveKey } from "../src/keys/arweave.ts";
import { homeDirectory } from "../src/keystore.ts";
import { parseDecimal } from "../src/market/usd.ts";
import { openStorage, type StorageConfig, storageConfigFrom } from "../src/storage/open.ts";
import type { Storage } from "../src/storage/storage.ts";
import { type Environment, hostOf } from "./host.ts";
import { type CommandResult, EXIT, exitCodeOf, Output, toNeuraError } from "./output.ts";

/** How often the chain is asked for news [ms]. */
const POLLING_MS = 250;
/** How long the first answer of a node may take [ms]. */
const FIRST_ANSWER_MS = 10_000;
const LOCAL_GATEWAY = "http://127.0.0.1:1984";

/** What a command works with. Whatever may ask for a password or fail is a function, called only where needed. */
export interface Context {
  /** As `--network` names it. */
  readonly networkName: string;
  readonly chainId: bigint;
  /** May hold an API key: print {@link publicUrl} of it. */
  readonly url: string;
  readonly provider: JsonRpcProvider;
  /** Folder of keys and journals: `NEURA_HOME`, else `~/.neura`. */
  readonly home: string;
  readonly environment: Environment;
  /** Whether servers of providers may be on this machine, for development: `NEURA_ALLOW_LOOPBACK=1`. */
  readonly allowLoopback: boolean;
  /** Aborts at Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  readonly out: Output;
  /** The account: of the configured private key, else the first one that the node itself holds. */
  readonly signer: () => Promise<Wallet | JsonRpcSigner>;
  readonly deployment: () => Promise<Deployment>;
  /**
   * The network of a reference, or the default one. `write`: with the key that pays for uploads, which is created
   * in {@link home} if there is none, or with the one in the file `keyPath`, whatever the environment names.
   */
  readonly storage: (options?: { reference?: string; write?: boolean; keyPath?: string }) => Promise<Storage>;
}

/**
 * Connects to the network that `--network` names, `local` without it.
 *
 * Errors: `usage.network`, `network.unreachable`, `network.wrong-chain`.
 */
export async function openContext(
  hre: HardhatRuntimeEnvironment,
  { out, signal, environment }: { out: Output; signal: AbortSignal; environment: Environment },
): Promise<Context> {
  // Without the option it is undefined, whatever its type says.
  const networkName = hre.globalOptions.network || "local";
  const config = hre.config.networks[networkName];
  if (config?.type !== "http") {
    const names = Object.entries(hre.config.networks).flatMap(([name, { type }]) =>
      type === "http" ? [name] : [],
    );
    throw new NeuraError("usage.network", `${networkName} is no network that this command can use.`, {
      next: `Use --network with one of ${names.join(", ")}.`,
    });
  }
  const url = await config.url.getUrl();
  const chainId = await readChainId(url, config, signal);
  out.note(`Network ${networkName}, chain ${chainId}, ${publicUrl(url)}`);
  if (config.chainId !== undefined && BigInt(config.chainId) !== chainId) {
    throw new NeuraError(
      "network.wrong-chain",
      `The network ${networkName} is chain ${config.chainId}, but ${publicUrl(url)} answers for chain ${chainId}.`,
      { next: "Correct NEURA_RPC_URL, or choose another network with --network." },
    );
  }
  const network = Network.from(chainId);
  const provider = new JsonRpcProvider(url, network, {
    staticNetwork: network,
    pollingInterval: POLLING_MS,
    // Each answer is fresh: two commands of one script must see each other's effects.
    cacheTimeout: -1,
  });
  const home = homeDirectory(environment);
  const context = {
    networkName,
    chainId,
    url,
    provider,
    home,
    environment,
    allowLoopback: environment["NEURA_ALLOW_LOOPBACK"] === "1",
    signal,
    out,
    signer: once(() => openSigner(config, provider)),
    deployment: once(async () => priced(await loadDeployment({ provider, environment }), environment)),
    storage: async ({
      reference = "ar",
      write = false,
      keyPath,
    }: { reference?: string; write?: boolean; keyPath?: string } = {}) =>
      openStorage(reference, await storageConfig({ environment, home, write, out, keyPath })),
  };
  return context;
}

/** The part of a URL that can be shown: paths and queries carry API keys. */
export function publicUrl(url: string): string {
  const { origin, pathname, search } = new URL(url);
  return pathname + search === "/" ? origin : `${origin}/…`;
}

type Action<Arguments, Given> = (
  taskArguments: Arguments & { json: boolean },
  given: Given,
  hre: HardhatRuntimeEnvironment,
) => Promise<CommandResult>;

type HardhatAction<Arguments> = (
  taskArguments: Arguments & { json: boolean },
  hre: HardhatRuntimeEnvironment,
) => Promise<void>;

/**
 * Wraps what a command does as a Hardhat action: connects, prints the result or the error in the form that is asked
 * for, sets the exit code, and aborts the signal at Ctrl-C (a second one ends the process at once).
 *
 * @example
 * export default action("neura/wallet-balance/1", async ({ account }: { account?: string }, context) => {
 *   …
 *   return { data: { balanceWei }, text: `Balance  ${formatAmount(balanceWei, currency)}` };
 * });
 */
export function action<Arguments extends object>(
  schema: string,
  run: Action<Arguments, Context>,
): HardhatAction<Arguments> {
  return offlineAction(schema, async (taskArguments: Arguments & { json: boolean }, given, hre) => {
    const context = await openContext(hre, given);
    try {
      return await run(taskArguments, context, hre);
    } finally {
      context.provider.destroy();
    }
  });
}

/** As {@link action}, for a command that needs no chain. */
export function offlineAction<Arguments extends object>(
  schema: string,
  run: Action<Arguments, Pick<Context, "out" | "signal" | "home" | "environment">>,
): HardhatAction<Arguments> {
  return async (taskArguments, hre) => {
    const host = hostOf(hre);
    const out = new Output({ json: taskArguments.json, stdout: host.stdout, stderr: host.stderr });
    const interruption = new AbortController();
    const { signal } = interruption;
    const stopListening = host.onInterrupt(() => {
      if (signal.aborted) host.leave(EXIT.interrupted);
      interruption.abort(new NeuraError("interrupted", "Interrupted."));
    });
    const { environment } = host;
    try {
      const given = { out, signal, environment, home: homeDirectory(environment) };
      const result = await run(taskArguments, given, hre);
      out.result(schema, result);
      host.end(result.exitCode ?? EXIT.done);
    } catch (thrown) {
      const error = toNeuraError(thrown);
      out.error(schema, error);
      host.end(exitCodeOf(error));
    } finally {
      stopListening();
    }
  };
}

async function readChainId(url: string, config: HttpNetworkConfig, signal: AbortSignal): Promise<bigint> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...config.httpHeaders },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(FIRST_ANSWER_MS)]),
    });
    const answer: unknown = await response.json();
    if (typeof answer === "object" && answer !== null && "result" in answer)
      return BigInt(String(answer.result));
    throw new Error(`it answers ${JSON.stringify(answer).slice(0, 200)}`);
  } catch (error) {
    signal.throwIfAborted();
    throw new NeuraError(
      "network.unreachable",
      `No chain answers at ${publicUrl(url)}: ${messageOf(error)}.`,
      {
        next: "Start a local chain with `./neura node`, or set NEURA_RPC_URL to the URL of a chain's node.",
        cause: error,
      },
    );
  }
}

async function openSigner(
  config: HttpNetworkConfig,
  provider: JsonRpcProvider,
): Promise<Wallet | JsonRpcSigner> {
  if (Array.isArray(config.accounts)) {
    const key = await config.accounts[0]?.getHexString();
    if (key !== undefined) return walletOf(key, provider);
  }
  const [first] = await provider.listAccounts();
  if (first !== undefined) return first;
  throw new NeuraError("wallet.no-account", "No account is configured, and the node holds none itself.", {
    next: "Set NEURA_PRIVATE_KEY in the environment, or in Hardhat's keystore: `./neura keystore set NEURA_PRIVATE_KEY`.",
  });
}

function walletOf(key: string, provider: JsonRpcProvider): Wallet {
  try {
    return new Wallet(key, provider);
  } catch {
    // The cause is left out: its message may hold the key.
    throw new NeuraError("usage.private-key", "NEURA_PRIVATE_KEY is not a private key of 32 bytes as hex.");
  }
}

async function storageConfig({
  environment,
  home,
  write,
  out,
  keyPath,
}: Pick<Context, "environment" | "home" | "out"> & {
  write: boolean;
  keyPath: string | undefined;
}): Promise<StorageConfig> {
  const config = storageConfigFrom({
    ...environment,
    NEURA_ARWEAVE_GATEWAYS: environment["NEURA_ARWEAVE_GATEWAYS"] ?? LOCAL_GATEWAY,
  });
  if (!write || config.arweave === undefined) return config;
  if (config.arweave.key !== undefined && keyPath === undefined) return config;
  const { key, created } = await loadArweaveKey(keyPath ?? join(home, "arweave.json"));
  if (created !== undefined) out.note(`Created an Arweave account that pays for uploads: ${created}`);
  return { ...config, arweave: { ...config.arweave, key } };
}

/** The deployment whose amounts are shown in USD too, where `NEURA_USD_PRICE` says what one unit costs. */
function priced(deployment: Deployment, { NEURA_USD_PRICE: price }: Environment): Deployment {
  if (price === undefined || price === "") return deployment;
  const usd = parseDecimal(price);
  if (usd === undefined) {
    throw new NeuraError(
      "usage.usd-price",
      `NEURA_USD_PRICE is ${JSON.stringify(price)}, which is no price.`,
      {
        next: `Set it to what one ${deployment.currency.symbol} costs in USD, like 0.042, or unset it.`,
      },
    );
  }
  return { ...deployment, currency: { ...deployment.currency, usd } };
}

function once<T>(open: () => Promise<T>): () => Promise<T> {
  let opened: Promise<T> | undefined;
  return () => (opened ??= open());
}
