import type { Signer } from "ethers";

import { ModelRegistry__factory } from "../src/contracts.ts";
import type { Deployment, MarketClient, TaskRequest, TaskStatus } from "../src/index.ts";

/** A model whose author gets a share of each task that uses it, in the settlement itself. */
export async function useModel({
  deployment,
  author,
  owner,
  request,
  weights,
}: {
  deployment: Deployment;
  author: Signer;
  owner: MarketClient;
  request: TaskRequest;
  /** What the model is, by its SHA-256, and where it is stored. */
  weights: { hash: string; uri: string };
}): Promise<{ model: number; status: TaskStatus }> {
  const registry = ModelRegistry__factory.connect(deployment.contracts.ModelRegistry, author);
  const revenue = await author.getAddress();
  // 5 % of what a provider earns with it.
  const registered = await registry.register(weights.hash, weights.uri, "Apache-2.0", 500, revenue);
  await registered.wait();
  const model = Number(await registry.modelCount());

  // The terms hold the royalty as it is now: a change in between makes the order fail, and cost nothing.
  const { id } = await owner.submit({ ...request, model });
  return { model, status: await owner.wait(id, { for: "delivered", intervalMs: 200 }) };
}
