import { join } from "node:path";
import { FetchRequest, JsonRpcProvider, Network, type Signer, Wallet } from "ethers";
import type { HardhatRuntimeEnvironment } from "hardhat/types/hre";

import { type Bridge, type End, endOn, type Finality, openBridge, peerOf } from "../../src/bridge/context.ts";
import { readBridge, type Side, verifyBridge } from "../../src/bridge/deployment.ts";
import { requireAttesters } from "../../src/bridge/attestations.ts";
import { messageOf, NeuraError } from "../../src/errors.ts";
import { type Level, LEVELS } from "../../src/provider/log.ts";
import { type Listen, listenIn } from "../../src/provider/quotes/settings.ts";
import { type Context, publicUrl } from "../context.ts";
import { parseDuration } from "../duration.ts";
import type { Environment } from "../host.ts";

export interface BridgeArguments {
  readonly peer: string | undefined;
  readonly finality?: string | undefined;
  readonly peerFinality?: string | undefined;
}

/** What a command of the bridge works with. */
export interface OpenedBridge {
  readonly bridge: Bridge;
  /** On the network of the command, and on the other chain. */
  readonly here: End;
  readonly there: End;
  /** The own account, on a chain. */
  readonly signerOn: (end: End) => Promise<Signer>;
}

const FIRST_ANSWER_MS = 10_000;
const ANSWER_MS = 30_000;
const POLLING_MS = 250;

/**
 * Opens the pair between the network and the other chain, as it is on record and as both chains say.
 * Errors: `usage.peer`, `network.unreachable`, `bridge.missing`, those of `verifyBridge`.
 */
export async function openPair(
  args: BridgeArguments,
  context: Context,
  hre: HardhatRuntimeEnvironment,
): Promise<OpenedBridge> {
  const { chainId, provider, environment } = context;
  const other = await openPeer(args.peer, context, hre);
  const { chainId: peerId } = await other.getNetwork();
  const deployment = await readBridge([chainId, peerId], { environment });
  const isHome = BigInt(deployment.home.chainId) === chainId;
  const providers: Record<Side, JsonRpcProvider> = isHome
    ? { home: provider, far: other }
    : { home: other, far: provider };
  await verifyBridge(deployment, providers);
  const [own, its] = [finalityOf(args.finality), finalityOf(args.peerFinality)];
  const finality = isHome ? { home: own, far: its } : { home: its, far: own };
  const bridge = openBridge({ deployment, providers, finality });
  const here = endOn(bridge, chainId);
  if (here === undefined) throw new Error(`chain ${chainId} has no end`);
  const signerOn = async ({ chainId: id, provider: at }: End): Promise<Signer> => {
    const signer = await context.signer();
    if (BigInt(id) === chainId) return signer;
    if (signer instanceof Wallet) return signer.connect(at);
    // One that the node of this network holds is not with the other's.
    const [first] = await other.listAccounts();
    if (first !== undefined) return first;
    throw new NeuraError("wallet.no-account", `The node of chain ${id} holds no account.`, {
      next: "Set NEURA_PRIVATE_KEY: its account signs on both chains.",
    });
  };
  return { bridge, here, there: peerOf(bridge, here), signerOn };
}

/** The other chain's node. Errors: `usage.peer`, `network.unreachable`. */
export async function openPeer(
  named: string | undefined,
  { environment, out }: Pick<Context, "environment" | "out">,
  hre: HardhatRuntimeEnvironment,
): Promise<JsonRpcProvider> {
  const name = named ?? environment["NEURA_PEER_RPC_URL"] ?? "";
  const config = hre.config.networks[name];
  const url = config?.type === "http" ? await config.url.getUrl() : name;
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    throw new NeuraError("usage.peer", `${JSON.stringify(name)} is neither a network nor a URL of a node.`, {
      next: "Name the other chain with --peer, or in NEURA_PEER_RPC_URL.",
    });
  }
  const provider = await connectTo(url);
  out.note(`Other chain ${(await provider.getNetwork()).chainId}, ${publicUrl(url)}`);
  return provider;
}

/** A node by its URL. Error: `network.unreachable`. */
export async function connectTo(url: string): Promise<JsonRpcProvider> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] }),
      signal: AbortSignal.timeout(FIRST_ANSWER_MS),
    });
    const answer: unknown = await response.json();
    if (typeof answer !== "object" || answer === null || !("result" in answer))
      throw new Error("it has no chain");
    const network = Network.from(BigInt(String(answer.result)));
    const request = new FetchRequest(url);
    request.timeout = ANSWER_MS;
    return new JsonRpcProvider(request, network, {
      staticNetwork: network,
      pollingInterval: POLLING_MS,
      cacheTimeout: -1,
    });
  } catch (cause) {
    throw new NeuraError(
      "network.unreachable",
      `No chain answers at ${publicUrl(url)}: ${messageOf(cause)}.`,
      {
        next: "Check the URL, and that the node runs.",
        cause,
      },
    );
  }
}

/** The key that a process signs with. Error: `provider.cannot-sign`. */
export async function requireWallet(context: Context): Promise<Wallet> {
  const signer = await context.signer();
  if (signer instanceof Wallet) return signer;
  throw new NeuraError("provider.cannot-sign", `The key of ${signer.address} is with the chain's node.`, {
    next: "Set NEURA_PRIVATE_KEY: it signs its transactions itself, to find them again.",
  });
}

/** URLs of attesters. Error: `bridge.no-attesters` where some are needed. */
export function attestersOf(named: string | undefined, environment: Environment): string[] {
  const text = named ?? environment["NEURA_ATTESTERS"] ?? "";
  const urls = text.split(",").map((each) => each.trim());
  const given = urls.filter((each) => each !== "");
  if (given.length > 0) requireAttesters(given);
  return given;
}

/** Error: `usage.finality`. */
export function finalityOf(text: string | undefined): Finality {
  if (text === undefined || text === "finalized") return "finalized";
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new NeuraError("usage.finality", `${JSON.stringify(text)} says not when a block is final.`, {
    next: "Give `finalized`, or how many blocks have to follow one, like 1.",
  });
}

/** Error: `usage.listen`. */
export function listenOf(text: string): Listen {
  const listen = listenIn(text);
  if (listen !== undefined) return listen;
  throw new NeuraError("usage.listen", `${JSON.stringify(text)} is no address to listen at.`, {
    next: "Give an IP address and a port, like 127.0.0.1:4290.",
  });
}

/** How often both chains are looked at [ms]. Error: `usage.poll`. */
export function pollOf(poll: number): number {
  if (poll > 0) return poll;
  throw new NeuraError("usage.poll", `--poll is ${poll}.`, { next: "Give it in ms, like 2000." });
}

/** What the processes have in common. Errors: `usage.level`, `usage.listen`, `usage.poll`, `usage.duration`. */
export function processOf(
  args: { listen: string; directory: string | undefined; poll: number; stall: string; logLevel: string },
  { home, signal }: Pick<Context, "home" | "signal">,
  folder: string,
) {
  const level: Level | undefined = LEVELS.find((each) => each === args.logLevel);
  if (level === undefined) {
    throw new NeuraError("usage.level", `--log-level is ${JSON.stringify(args.logLevel)}.`, {
      next: `Give one of ${LEVELS.join(", ")}.`,
    });
  }
  return {
    level,
    listen: listenOf(args.listen),
    directory: args.directory ?? join(home, folder),
    pollMs: pollOf(args.poll),
    stallMs: parseDuration(args.stall, "stall") * 1000,
    signal,
  };
}
