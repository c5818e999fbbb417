import { hexlify } from "ethers";

import { NeuraError } from "../../src/errors.ts";
import { publishKey } from "../../src/keys/publish.ts";
import { listKeys } from "../../src/keystore.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";

export default action("neura/account-key-publish/1", async (_: object, { home, signer, deployment, out }) => {
  const owner = await signer();
  const key = (await listKeys(home, owner.address)).at(-1);
  if (key === undefined) {
    throw new NeuraError("key.none", `${owner.address} has no key below ${home}.`, {
      next: "Create one with `account key create`, or restore a backup with `account key restore`.",
    });
  }
  const deployed = await deployment();
  const { epoch, hash, gasUsed } = await out.step("Publishing the key", () =>
    publishKey(deployed, { signer: owner, key }),
  );
  const publicKey = hexlify(key.publicKey);
  return {
    data: { account: owner.address, publicKey, epoch, transaction: hash, gasUsed },
    text: fields([
      ["Account", owner.address],
      ["Public key", publicKey],
      ["Epoch", epoch],
      ["Transaction", hash],
    ]),
  };
});
