import { Wallet } from "ethers";

import { formatAmount } from "../../src/amount.ts";
import { NeuraError } from "../../src/errors.ts";
import { type Level, LEVELS, writeEvents } from "../../src/provider/log.ts";
import { serveProvider } from "../../src/provider/serve.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";

interface RunArguments {
  account: string | undefined;
  policy: string | undefined;
  logLevel: string;
  drain: boolean;
  json: boolean;
}

export default action("neura/provider-run/1", async (args: RunArguments, context) => {
  const { provider, home, storage, signal, out } = context;
  const level = levelFrom(args.logLevel);
  const signer = await context.signer();
  if (!(signer instanceof Wallet)) {
    throw new NeuraError("provider.cannot-sign", `The key of ${signer.address} is with the chain's node.`, {
      next: "Set NEURA_PRIVATE_KEY: the provider's node signs its transactions itself, to find them again.",
    });
  }
  const deployment = await context.deployment();
  const { account, ledger } = await serveProvider({
    deployment,
    provider,
    signer,
    account: args.account === undefined ? undefined : parseAddress(args.account, "account"),
    home,
    storage,
    policyPath: args.policy,
    drain: args.drain,
    signal,
    onEvent: writeEvents((line) => out.log(line), { json: args.json, level }),
  });
  const tasks = Object.entries(ledger.tasks).map((pair) => pair.join(" "));
  return {
    data: { account, ...ledger },
    text: fields([
      ["Provider", account],
      ["Earned", formatAmount(ledger.earnedWei, deployment.currency)],
      ["Tasks", tasks.join(", ") || "none"],
    ]),
  };
});

function levelFrom(text: string): Level {
  const level = LEVELS.find((each) => each === text);
  if (level) return level;
  throw new NeuraError(
    "usage.level",
    `--log-level is ${JSON.stringify(text)}, where one of ${LEVELS.join(", ")} belongs.`,
  );
}
