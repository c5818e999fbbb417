import type { Signer } from "ethers";

import { ModelOwnership__factory, ModelRegistry__factory } from "../src/contracts.ts";
import {
  delegateVotes,
  type Deployment,
  explainDeeds,
  issueOwnership,
  openChain,
  type OwnershipStanding,
  readDeedPicture,
  transferUnits,
  type WhyCode,
  writePicture,
} from "../src/index.ts";

const UNIT_WEI = 10n ** 18n;

/** A model whose ownership is 10,000 units with deeds, of which somebody buys some. */
export async function sellPart({
  deployment,
  author,
  buyer,
  amountWei,
  weights,
}: {
  deployment: Deployment;
  author: Signer;
  buyer: string;
  amountWei: bigint;
  weights: { hash: string; uri: string };
}): Promise<{ model: number; ownership: string; standing: OwnershipStanding; deeds: readonly number[] }> {
  const chain = openChain({ runner: author, deployment });
  const account = await author.getAddress();
  const registry = ModelRegistry__factory.connect(deployment.contracts.ModelRegistry, author);
  await (await registry.register(weights.hash, weights.uri, "MIT", 500, account)).wait();
  const model = Number(await registry.modelCount());

  // Nothing of it can be changed later, and nobody can make more. The entry names it, once and for all.
  const { ownership } = await issueOwnership(chain, {
    ...{ name: "Letter reader", symbol: "READ", licence: "MIT", model },
    allocations: [{ account, amountWei: 10_000n * UNIT_WEI }],
  });

  // Whole units bring their deeds along: whoever holds 2.5 units has two.
  const { after, handed, made } = await transferUnits(chain, model, { to: buyer, amountWei });
  return { model, ownership: ownership.address, standing: after.to, deeds: [...handed, ...made] };
}

/** What a holder does: asks why it sees the deeds that it sees, keeps the picture of one, and takes part in votes. */
export async function holdDeeds({
  deployment,
  holder,
  model,
  file,
}: {
  deployment: Deployment;
  holder: Signer;
  model: number;
  /** A name that ends in .svg. */
  file: string;
}): Promise<{ reasons: readonly WhyCode[]; votesWei: bigint; share: string }> {
  const chain = openChain({ runner: holder, deployment });
  const account = await holder.getAddress();
  const { ownership, standing, reasons } = await explainDeeds(chain, model, account);
  const [id] = standing.ids;
  if (id === undefined)
    throw new Error(reasons.map(({ message, next }) => `${message} ${next ?? ""}`).join("\n"));

  // Drawn on chain: nothing is fetched from anywhere.
  const { image, attributes } = await readDeedPicture(chain, model, id);
  await writePicture(file, image);

  // Votes are the balance; they count once somebody has them, the holder itself or whom it trusts.
  await delegateVotes(chain, model, { delegatee: account });
  const token = ModelOwnership__factory.connect(ownership.address, holder);
  return {
    reasons: reasons.map(({ code }) => code),
    votesWei: await token.getVotes(account),
    share: attributes.find(({ name }) => name === "Share")?.value ?? "",
  };
}
