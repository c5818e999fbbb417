import { IModelRegistry__factory } from "../../types/factories/interfaces/IModelRegistry__factory.ts";
import { NeuraError } from "../../src/errors.ts";
import { asking } from "../../src/market/context.ts";
import { requireReceipt } from "../../src/market/transaction.ts";
import { checkModelRevenue } from "../../src/share/revenue.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { openMarketOf, parseWhole } from "../task/request.ts";
import { showModel, weightsHashOf } from "./model.ts";

interface RegisterArguments {
  readonly weights: string;
  readonly royaltyBps: string;
  readonly uri: string | undefined;
  readonly licence: string | undefined;
  readonly revenue: string | undefined;
}

export default action("neura/model-register/1", async (given: RegisterArguments, context) => {
  const market = await openMarketOf(context, { signing: true });
  const { contracts } = market;
  const { uri = "", licence = "" } = given;
  const revenue =
    given.revenue === undefined ? (await context.signer()).address : parseAddress(given.revenue, "revenue");
  const royaltyBps = parseWhole(given.royaltyBps, "royalty");
  await checkModelRevenue(market, revenue);
  const hash = await context.out.step("Hashing the weights", () => weightsHashOf(given.weights));
  const receipt = await context.out.step("Registering the model", async () => {
    const response = await asking(contracts.models.register(hash, uri, licence, royaltyBps, revenue));
    return requireReceipt(await asking(response.wait()));
  });
  const abi = IModelRegistry__factory.createInterface();
  const events = receipt.logs.map((log) => abi.parseLog(log));
  const model: unknown = events.find((event) => event?.name === "ModelRegistered")?.args["model"];
  if (typeof model !== "bigint") throw new NeuraError("chain.failed", "The model was not registered.");
  return await showModel(market, Number(model), {
    transaction: { hash: receipt.hash, block: receipt.blockNumber, gasUsed: receipt.gasUsed },
  });
});
