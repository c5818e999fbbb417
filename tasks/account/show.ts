import { hexlify } from "ethers";

import { publishedKeys } from "../../src/keys/publish.ts";
import { listKeys } from "../../src/keystore.ts";
import { action } from "../context.ts";

export default action("neura/account-key-show/1", async (_: object, context) => {
  const signer = await context.signer();
  const account = signer.address;
  const local = await listKeys(context.home, account);
  const published = await publishedKeys(await context.deployment(), { signer, account });
  const paths = new Map(local.map(({ publicKey, path }) => [hexlify(publicKey), path]));
  const keys = [
    ...published.map((key) => ({ ...key, path: paths.get(key.publicKey) })),
    ...[...paths]
      .filter(([publicKey]) => published.every((key) => key.publicKey !== publicKey))
      .map(([publicKey, path]) => ({ publicKey, path })),
  ];
  const lines = keys.map((key) => {
    const state = "epoch" in key ? `epoch ${key.epoch}${key.revoked ? ", revoked" : ""}` : "not published";
    return `${key.publicKey}  ${state}  ${key.path ?? "NOT ON THIS MACHINE"}`;
  });
  return {
    data: { account, keys },
    text: [
      `Account ${account}`,
      ...(keys.length === 0 ? ["No keys: `account key create` makes one."] : lines),
    ].join("\n"),
  };
});
