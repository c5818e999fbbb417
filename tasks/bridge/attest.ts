import { JsonRpcProvider } from "ethers";

import { quorumOf } from "../../src/bridge/attestations.ts";
import type { End } from "../../src/bridge/context.ts";
import { openRemoteSigner } from "../../src/bridge/remote-signer.ts";
import { serveAttester } from "../../src/bridge/serve.ts";
import { NeuraError } from "../../src/errors.ts";
import { writeEvents } from "../../src/provider/log.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { type BridgeArguments, connectTo, openPair, processOf } from "./bridge.ts";

interface AttestArguments extends BridgeArguments {
  readonly witness: string | undefined;
  readonly peerWitness: string | undefined;
  readonly signer: string | undefined;
  readonly account: string | undefined;
  readonly listen: string;
  readonly directory: string | undefined;
  readonly poll: number;
  readonly stall: string;
  readonly logLevel: string;
  readonly json: boolean;
}

export default action("neura/bridge-attest/1", async (args: AttestArguments, context, hre) => {
  const { out } = context;
  const { bridge, here, there, signerOn } = await openPair(args, context, hre);
  const { level, ...settings } = processOf(args, context, "bridge-attester");
  const witnesses = {
    [here.side]: await witnessOf(here, args.witness, "witness"),
    [there.side]: await witnessOf(there, args.peerWitness, "peer-witness"),
  };
  const { home, far } = witnesses;
  if (home === undefined || far === undefined) throw new Error("each side has a witness");
  const quorums = await Promise.all([quorumOf(here), quorumOf(there)]);
  const expected = quorums.flatMap(({ attesters }) => attesters);
  const url = args.signer ?? context.environment["NEURA_SIGNER_URL"];
  const signer =
    url === undefined || url === ""
      ? await signerOn(here)
      : await openRemoteSigner(url, {
          expected,
          ...(args.account === undefined ? {} : { account: parseAddress(args.account, "account") }),
        });
  const account = await signer.getAddress();
  if (!expected.includes(account))
    out.note(`${account} is no attester on either chain now: it signs once it is named.`);
  await serveAttester({
    ...settings,
    ...{ bridge, witnesses: { home, far }, signer },
    onEvent: writeEvents((line) => out.log(line), { json: args.json, level }),
  });
  return { data: { account }, text: `Attester ${account} has stopped.` };
});

/** A second node, which has to be of the same chain. Errors: `bridge.no-witness`, `network.wrong-chain`. */
async function witnessOf(
  { chainId, provider: first }: End,
  url: string | undefined,
  option: string,
): Promise<JsonRpcProvider> {
  const isFirst = first instanceof JsonRpcProvider && first._getConnection().url === url;
  if (url === undefined || !URL.canParse(url) || isFirst) {
    throw new NeuraError(
      "bridge.no-witness",
      `An attester needs two nodes of chain ${chainId} that say the same.`,
      {
        next: `Name a second, unlike one with --${option} https://….`,
      },
    );
  }
  const provider = await connectTo(url);
  const found = (await provider.getNetwork()).chainId;
  if (found === BigInt(chainId)) return provider;
  throw new NeuraError(
    "network.wrong-chain",
    `--${option} is a node of chain ${found}, not of chain ${chainId}.`,
  );
}
