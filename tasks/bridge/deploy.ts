import { readFile, rm, writeFile } from "node:fs/promises";
import { type Signer, Wallet } from "ethers";

import { deployPair, type PairPlan, type PairSettings } from "../../modules/bridge.ts";
import { formatAmount, parseAmount } from "../../src/amount.ts";
import {
  type BridgeDeployment,
  bridgePath,
  readBridge,
  verifyBridge,
  writeBridge,
} from "../../src/bridge/deployment.ts";
import { Erc20 } from "../../src/chain/erc20.ts";
import type { CurrencyInfo } from "../../src/deployment.ts";
import { isNeuraError, messageOf, NeuraError } from "../../src/errors.ts";
import { asking } from "../../src/market/context.ts";
import { parseAddress, parseAddresses } from "../address.ts";
import { action, type Context } from "../context.ts";
import { formatDuration, parseDuration } from "../duration.ts";
import { fields } from "../output.ts";
import { openPeer } from "./bridge.ts";

interface DeployArguments {
  readonly token: string;
  readonly attesters: string;
  readonly threshold: number;
  readonly guardian: string | undefined;
  readonly admin: string | undefined;
  readonly delay: string;
  readonly minted: boolean;
  readonly market: string | undefined;
  readonly peerMarket: string | undefined;
  readonly minimum: string;
  readonly fee: string;
  readonly feeReceiver: string | undefined;
  readonly waitAbove: string;
  readonly waitFor: string;
  readonly limit: string;
  readonly limitPeriod: string;
  readonly peer: string | undefined;
  readonly fresh: boolean;
}

/** What the contracts take. */
const ANKR = 10n ** 18n;
const MOST = 2n ** 96n - 1n;
const MAX_WAIT_SECONDS = 30 * 86_400;
const MAX_ATTESTERS = 32;

export default action("neura/bridge-deploy/1", async (args: DeployArguments, context, hre) => {
  const { chainId, provider, environment, out } = context;
  const other = await openPeer(args.peer, context, hre);
  const { chainId: peerId } = await other.getNetwork();
  const path = bridgePath({ home: chainId, far: peerId }, { environment });
  const providers = { home: provider, far: other };
  const known = args.fresh ? undefined : await knownPair([chainId, peerId], providers, context);
  if (known !== undefined) {
    out.note("The pair is there already; nothing was sent. Deploy another one with --fresh.");
    return result(known, path, false);
  }
  const home = await context.signer();
  const far: Signer = home instanceof Wallet ? home.connect(other) : await other.getSigner(0);
  const settings = await settingsOf(args, context, home.address);
  const journal = `${path.replace(/(\.json)?$/, "")}.plan.json`;
  if (args.fresh) await rm(journal, { force: true });
  const deployment = await out.step("Deploying the timelocks, the gateways and both ends", async () =>
    asking(
      deployPair({ home, far }, settings, {
        known: await planIn(journal),
        record: (plan) => writeFile(journal, JSON.stringify(plan)),
      }),
    ),
  );
  await verifyBridge(deployment, providers);
  await writeBridge(path, deployment);
  await rm(journal, { force: true });
  return result(deployment, path, true);
});

async function settingsOf(args: DeployArguments, context: Context, deployer: string): Promise<PairSettings> {
  const token = await tokenAt(args.token, context);
  const account = (text: string | undefined, name: string): string => parseAddress(text ?? deployer, name);
  const attesters = (
    args.attesters === "" ? [] : (parseAddresses(args.attesters, "attester") ?? [])
  ).toSorted((one, other) => (BigInt(one) < BigInt(other) ? -1 : 1));
  const amount = (text: string, name: string, { least = 0n, most = MOST }: Partial<Range> = {}): bigint =>
    within(parseAmount(text, token, name), name, { least, most }, (wei) => formatAmount(wei, token));
  const duration = (text: string, name: string, least: number): number =>
    Number(
      within(
        BigInt(parseDuration(text, name)),
        name,
        { least: BigInt(least), most: BigInt(MAX_WAIT_SECONDS) },
        (seconds) => formatDuration(Number(seconds)),
      ),
    );
  const capacity = amount(args.limit, "limit", { least: 1_000n * ANKR });
  const period = duration(args.limitPeriod, "limit-period", 1);
  return {
    ...{ token, kind: args.minted ? "minted" : "native", attesters },
    markets: {
      ...(args.market === undefined ? {} : { home: parseAddress(args.market, "market") }),
      ...(args.peerMarket === undefined ? {} : { far: parseAddress(args.peerMarket, "peer-market") }),
    },
    threshold: thresholdOf(args.threshold, attesters),
    guardian: account(args.guardian, "guardian"),
    admin: account(args.admin, "admin"),
    delaySeconds: parseDuration(args.delay, "delay"),
    settings: {
      minimum: amount(args.minimum, "minimum", { most: 10_000n * ANKR }),
      fee: amount(args.fee, "fee", { most: 100n * ANKR }),
      feeReceiver: account(args.feeReceiver, "fee-receiver"),
      threshold: amount(args.waitAbove, "wait-above"),
      waitSeconds: duration(args.waitFor, "wait-for", 1),
      ...{ sendCapacity: capacity, sendPeriod: period, payCapacity: capacity, payPeriod: period },
    },
  };
}

interface Range {
  readonly least: bigint;
  readonly most: bigint;
}

/** What the contracts take: what they refuse is refused before the first of them is there. Error: `usage.<name>`. */
function within(
  value: bigint,
  name: string,
  { least, most }: Range,
  text: (value: bigint) => string,
): bigint {
  if (value >= least && value <= most) return value;
  throw new NeuraError(`usage.${name}`, `--${name} is ${text(value)}.`, {
    next: `Give ${text(least)} to ${text(most)}.`,
  });
}

/** Errors: `usage.attesters`, `usage.threshold`. */
function thresholdOf(wanted: number, attesters: readonly string[]): number {
  const count = attesters.length;
  if (count === 0 || count > MAX_ATTESTERS || new Set(attesters).size < count) {
    throw new NeuraError("usage.attesters", `--attesters names ${count} accounts.`, {
      next: `Name 1 to ${MAX_ATTESTERS} different ones: 0x…,0x…,0x….`,
    });
  }
  const least = Math.floor((2 * count) / 3) + 1;
  if (wanted === 0) return least;
  if (wanted >= least && wanted <= count) return wanted;
  throw new NeuraError("usage.threshold", `--threshold is ${wanted}.`, {
    next: `Of ${count} attesters ${least} to ${count} have to sign.`,
  });
}

async function tokenAt(text: string, { provider }: Context): Promise<CurrencyInfo> {
  const address = parseAddress(text, "token");
  const token = new Erc20(address, provider);
  try {
    return { address, symbol: await token.symbol(), decimals: await token.decimals() };
  } catch (cause) {
    throw new NeuraError(
      "deploy.no-token",
      `At ${address} there is no ERC-20 token with symbol and decimals.`,
      {
        next: "Correct the token, or choose its network with --network.",
        cause,
      },
    );
  }
}

/** The recorded pair if it is on these chains. */
async function knownPair(
  chains: readonly [bigint, bigint],
  providers: Parameters<typeof verifyBridge>[1],
  { environment, out }: Context,
): Promise<BridgeDeployment | undefined> {
  try {
    const deployment = await readBridge(chains, { environment });
    await verifyBridge(deployment, providers);
    return deployment;
  } catch (error) {
    if (isNeuraError(error, "bridge.missing")) return undefined;
    if (!isNeuraError(error, "deployment.no-code")) throw error;
    out.note("The recorded pair is not on these chains, one of which was started anew: deploying again.");
    return undefined;
  }
}

/** The one place where what an interrupted run wrote is taken at its word. */
async function planIn(path: string): Promise<PairPlan | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as PairPlan);
  } catch (cause) {
    throw new NeuraError("bridge.deploy-interrupted", `${path} cannot be read: ${messageOf(cause)}.`, {
      next: "Begin anew with --fresh.",
      cause,
    });
  }
}

function result(deployment: BridgeDeployment, path: string, sent: boolean) {
  const { home, far } = deployment;
  return {
    data: { home, far, record: path, sent },
    text: fields([
      ["Home", `chain ${home.chainId}`],
      ["  bridge", home.bridge],
      ["  gateway", home.gateway],
      ["  owner", `${home.owner}, a timelock`],
      ["Far", `chain ${far.chainId}`],
      ["  bridge", far.bridge],
      ["  gateway", far.gateway],
      ["  owner", `${far.owner}, a timelock`],
      ["Record", path],
    ]),
  };
}
