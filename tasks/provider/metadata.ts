import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { reportDataOf } from "../../src/attestation.ts";
import { asking, connectContracts } from "../../src/market/context.ts";
import { takeAttestations } from "../../src/provider/attestation.ts";
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
  attestation: string | undefined;
  store: boolean;
}

export default action("neura/provider-metadata/1", async (args: MetadataArguments, context) => {
  const { provider, home, out, signal } = context;
  const signer = await context.signer();
  const account = args.account === undefined ? signer.address : parseAddress(args.account, "account");
  const deployment = await context.deployment();
  const { contracts } = deployment;
  const { keys } = connectContracts(deployment, provider);
  const { key, epoch } = await asking(keys.currentKey(account));
  const keyEpoch = Number(epoch);
  const { KeyRegistry: keyRegistry } = contracts;
  const { chainId } = context;
  const reportData =
    keyEpoch === 0
      ? undefined
      : reportDataOf({ chainId, keyRegistry, provider: account, epoch: keyEpoch, publicKey: key.publicKey });
  if (args.attestation !== undefined) {
    const directory = nodeDirectory(home, account);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await takeAttestations(args.attestation, { directory, keyEpoch });
  }
  const { text, metadata } = await makeMetadata({
    deployment,
    ...{ provider, signer, account, home },
    policyPath: args.policy,
  });
  const path = resolve(args.out ?? join(nodeDirectory(home, account), "metadata.json"));
  await writeFile(path, text);
  const uri = args.store ? await store() : undefined;
  const { applications, capacity, benchmarks, quoteUrl, attestations = [] } = metadata;
  return {
    data: { account, path, uri: uri ?? null, keyEpoch, reportData: reportData ?? null, metadata },
    text: fields([
      ["Provider", account],
      ["Signed by", signer.address],
      ["Applications", applications.map(({ name, version }) => `${name} ${version}`).join(", ")],
      ["Room now", `${capacity.freeSlots} of ${capacity.slots} places; ${shapeText(capacity.shape)}`],
      ["Benchmarks", benchmarks.map(speedText).join(", ") || "none: measure with `provider benchmark`"],
      ["Quotes", quoteUrl ?? "none: see `quotes` of the policy in docs/provider.md"],
      [
        "Evidence",
        attestations.map((each) => `${each.platform} of key epoch ${each.keyEpoch}`).join(", ") || "none",
      ],
      [
        "Report data",
        reportData === undefined ? "none: it has no valid key" : `${reportData} (key epoch ${keyEpoch})`,
      ],
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
