import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { makeMetadata } from "../../src/provider/document.ts";
import { nodeDirectory } from "../../src/provider/node.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { shapeText } from "./shape.ts";

interface MetadataArguments {
  account: string | undefined;
  policy: string | undefined;
  out: string | undefined;
  store: boolean;
}

export default action("neura/provider-metadata/1", async (args: MetadataArguments, context) => {
  const { provider, home, out, signal } = context;
  const signer = await context.signer();
  const account = args.account === undefined ? signer.address : parseAddress(args.account, "account");
  const { text, metadata } = await makeMetadata({
    deployment: await context.deployment(),
    ...{ provider, signer, account, home },
    policyPath: args.policy,
  });
  const path = resolve(args.out ?? join(nodeDirectory(home, account), "metadata.json"));
  await writeFile(path, text);
  const uri = args.store ? await store() : undefined;
  const { applications, capacity, benchmarks, quoteUrl } = metadata;
  return {
    data: { account, path, uri: uri ?? null, metadata },
    text: fields([
      ["Provider", account],
      ["Signed by", signer.address],
      ["Applications", applications.map(({ name, version }) => `${name} ${version}`).join(", ")],
      ["Room now", `${capacity.freeSlots} of ${capacity.slots} places; ${shapeText(capacity.shape)}`],
      ["Benchmarks", benchmarks.map(speedText).join(", ") || "none: measure with `provider benchmark`"],
      ["Quotes", quoteUrl ?? "none: see `quotes` of the policy in docs/provider.md"],
      ["Written to", path],
      [
        "Next",
        uri === undefined
          ? "put it at an https:// address, or store it with --store; then `provider update --metadata <address>`"
          : `provider update --metadata ${uri}`,
      ],
    ]),
  };

  async function store(): Promise<string> {
    const network = await context.storage({ write: true });
    const bytes = new TextEncoder().encode(text);
    return await out.step("Storing it", async () => {
      const stored = await network.put(bytes, { contentType: "application/json", signal });
      await network.readBack(stored, { signal });
      return stored.uri;
    });
  }
});

function speedText({
  application,
  unitsPerSecond,
  measuredAt,
}: {
  application: string;
  unitsPerSecond: number;
  measuredAt: string;
}): string {
  return `${application} ${unitsPerSecond} per second on ${measuredAt.slice(0, 10)}`;
}
