import { hexlify } from "ethers";

import { generateKeyPair } from "../../src/envelope/index.ts";
import { saveKey } from "../../src/keystore.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";

const WARNING = `Whoever has this file can read everything that is encrypted to this key; without it nobody can, you included:
results that were paid for stay closed for ever. Nothing can replace it, so keep a copy elsewhere:
  ./neura account key backup <file>
Providers encrypt to it once it is published:
  ./neura account key publish`;

export default action("neura/account-key-create/1", async (_: object, { home, signer, out }) => {
  const { address: account } = await signer();
  const { path, publicKey, createdAt } = await saveKey(home, account, generateKeyPair());
  out.note(WARNING);
  const key = hexlify(publicKey);
  return {
    data: { account, publicKey: key, path, createdAt },
    text: fields([
      ["Account", account],
      ["Public key", key],
      ["File", path],
    ]),
  };
});
