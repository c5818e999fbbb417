import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { getAddress, isAddress, type Provider, ZeroAddress } from "ethers";

import { IAnkrBridge__factory } from "../../types/factories/interfaces/IAnkrBridge__factory.ts";
import { IQuorumGateway__factory } from "../../types/factories/interfaces/IQuorumGateway__factory.ts";
import { told } from "../chain/errors.ts";
import type { CurrencyInfo } from "../deployment.ts";
import { NeuraError } from "../errors.ts";
import { type Fields, parseFields } from "../fields.ts";

/** Where ANKR is at home, and where it goes. */
export const SIDES = ["home", "far"] as const;
export type Side = (typeof SIDES)[number];

export function otherSide(side: Side): Side {
  return side === "home" ? "far" : "home";
}

/** One end, as it is on record. */
export interface EndRecord {
  readonly chainId: number;
  /** A block at or before the first contract's. */
  readonly block: number;
  readonly gateway: string;
  readonly bridge: string;
  /** The timelock that owns both. */
  readonly owner: string;
  /** The market into which transfers may be paid; zero: none. */
  readonly market: string;
  readonly currency: CurrencyInfo;
}

/** Two ends on two chains: the file `deployments/bridge-<home>-<far>.json`. */
export interface BridgeDeployment {
  readonly schema: "neura/bridge/1";
  readonly home: EndRecord;
  readonly far: EndRecord;
}

export interface BridgePlace {
  /** Default: `deployments` of this package. */
  readonly directory?: string | undefined;
  /** `NEURA_BRIDGE` names a file. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
}

const SCHEMA = "neura/bridge/1";
const DIRECTORY = fileURLToPath(new URL("../../deployments", import.meta.url));

/** The file of a pair. */
export function bridgePath(
  { home, far }: Readonly<Record<Side, bigint | number>>,
  { directory = DIRECTORY, environment = {} }: BridgePlace = {},
): string {
  return environment["NEURA_BRIDGE"] || join(directory, `bridge-${home}-${far}.json`);
}

/**
 * Reads the pair between the two chains, whichever of them is its home. Errors: `bridge.missing`, `bridge.invalid-record`.
 */
export async function readBridge(
  chains: readonly [bigint, bigint],
  place: BridgePlace = {},
): Promise<BridgeDeployment> {
  const [one, other] = chains;
  const paths = [bridgePath({ home: one, far: other }, place), bridgePath({ home: other, far: one }, place)];
  for (const path of paths) {
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    });
    if (text === undefined) continue;
    const deployment = parseBridge(text, path);
    const named = new Set([deployment.home.chainId, deployment.far.chainId]);
    if (one !== other && chains.every((each) => named.has(Number(each)))) return deployment;
  }
  const known = await readdir(place.directory ?? DIRECTORY).catch(() => []);
  const pairs = known.filter((name) => /^bridge-\d+-\d+\.json$/.test(name)).join(", ");
  throw new NeuraError(
    "bridge.missing",
    `Between chain ${one} and chain ${other} no bridge is known${pairs === "" ? "" : `; there are ${pairs}`}.`,
    { next: "Name the other chain with --peer, or deploy a pair with `bridge deploy`." },
  );
}

/** Writes the file of a pair, whole or not at all. */
export async function writeBridge(path: string, deployment: BridgeDeployment): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}.partial`;
  await writeFile(partial, `${JSON.stringify(deployment, null, 2)}\n`);
  await rename(partial, path);
}

/** Reads the text of a pair's file. Error: `bridge.invalid-record`. */
export function parseBridge(text: string, source = "the bridge's file"): BridgeDeployment {
  const format = {
    ...{ schema: SCHEMA, source, code: "bridge.invalid-record" },
    next: "Restore the file, or deploy a pair again with `bridge deploy`.",
  };
  return parseFields(text, format, (file) => ({
    schema: SCHEMA,
    home: endIn(file.object("home")),
    far: endIn(file.object("far")),
  }));
}

function endIn(end: Fields): EndRecord {
  const whole = (of: Fields, name: string): number => of.required(name, of.whole(name), 0);
  const account = (of: Fields, name: string): string =>
    of.text(name, "is no address", (each) => (isAddress(each) ? getAddress(each) : undefined), {
      required: true,
    }) ?? ZeroAddress;
  const currency = end.object("currency");
  const record = {
    chainId: whole(end, "chainId"),
    block: whole(end, "block"),
    gateway: account(end, "gateway"),
    bridge: account(end, "bridge"),
    owner: account(end, "owner"),
    market: account(end, "market"),
    currency: {
      address: account(currency, "address"),
      symbol:
        currency.text("symbol", "is empty", (each) => (each === "" ? undefined : each), { required: true }) ??
        "",
      decimals: whole(currency, "decimals"),
    },
  };
  currency.end();
  end.end();
  return record;
}

/**
 * Checks that the contracts of both ends are on their chains, and that each knows the other, and its owner, as on record.
 * Errors: `deployment.wrong-chain`, `deployment.no-code`, `bridge.unlike`.
 */
export async function verifyBridge(
  deployment: BridgeDeployment,
  providers: Readonly<Record<Side, Provider>>,
): Promise<void> {
  await Promise.all(SIDES.map((side) => verifyEnd(deployment, side, providers[side])));
}

async function verifyEnd(deployment: BridgeDeployment, side: Side, provider: Provider): Promise<void> {
  const { [side]: own, [otherSide(side)]: peer } = deployment;
  const { chainId } = await provider.getNetwork();
  if (chainId !== BigInt(own.chainId)) {
    throw new NeuraError(
      "deployment.wrong-chain",
      `The bridge's ${side} end is on chain ${own.chainId}, but the node is of chain ${chainId}.`,
      { next: "Choose the networks with --network and --peer." },
    );
  }
  const places = [own.gateway, own.bridge, own.owner];
  const codes = await Promise.all(places.map((place) => provider.getCode(place)));
  const missing = places.filter((_, index) => codes[index] === "0x");
  if (missing.length > 0) {
    throw new NeuraError(
      "deployment.no-code",
      `On chain ${chainId} there is no contract at ${missing.join(", ")}.`,
      { next: "Deploy the pair again: a local chain forgets its contracts when it is started anew." },
    );
  }
  const bridge = IAnkrBridge__factory.connect(own.bridge, provider);
  const gateway = IQuorumGateway__factory.connect(own.gateway, provider);
  const answers = await told(
    Promise.all([bridge.counterpart(), gateway.peer(), bridge.gateway(), bridge.market(), bridge.currency()]),
  );
  const [counterpart = [], itsPeer = [], ...rest] = answers ?? [];
  const found = [...counterpart, ...itsPeer, ...rest].map(String);
  const peers = [peer.chainId, peer.bridge, peer.chainId, peer.gateway];
  const wanted = [...peers, own.gateway, own.market, own.currency.address].map(String);
  if (found.join() === wanted.join()) return;
  throw new NeuraError(
    "bridge.unlike",
    `The bridge's ${side} end on chain ${chainId} is not the one on record: it names ${found.join(", ") || "nothing"} where ${wanted.join(", ")} belongs.`,
    { next: "Send nothing over it; restore the file, or deploy a pair again." },
  );
}
