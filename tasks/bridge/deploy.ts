import { readFile, rm, writeFile } from "node:fs/promises";
import { type Signer, Wallet } from "ethers";

import { deployPair, type PairPlan, type PairSettings } from "../../modules/bridge.ts";
import { parseAmount } from "../../src/amount.ts";
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
import { parseDuration } from "../duration.ts";
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
  const amount = (text: string, name: string): bigint => parseAmount(text, token, name);
  const capacity = amount(args.limit, "limit");
  const period = parseDuration(args.limitPeriod, "limit-period");
  return {
    ...{ token, kind: args.minted ? "minted" : "native", attesters },
    markets: {
      ...(args.market === undefined ? {} : { home: parseAddress(args.market, "market") }),
      ...(args.peerMarket === undefined ? {} : { far: parseAddress(args.peerMarket, "peer-market") }),
    },
    threshold: args.threshold === 0 ? Math.floor((2 * attesters.length) / 3) + 1 : args.threshold,
    guardian: account(args.guardian, "guardian"),
    admin: account(args.admin, "admin"),
    delaySeconds: parseDuration(args.delay, "delay"),
    settings: {
      minimum: amount(args.minimum, "minimum"),
      fee: amount(args.fee, "fee"),
      feeReceiver: account(args.feeReceiver, "fee-receiver"),
      threshold: amount(args.waitAbove, "wait-above"),
      waitSeconds: parseDuration(args.waitFor, "wait-for"),
      ...{ sendCapacity: capacity, sendPeriod: period, payCapacity: capacity, payPeriod: period },
    },
  };
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
