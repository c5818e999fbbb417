import { resolve } from "node:path";
import { hexlify } from "ethers";

import { backUpKeys } from "../../src/keys/backup.ts";
import { offlineAction } from "../context.ts";
import { backupPassword } from "./password.ts";

export default offlineAction(
  "neura/account-key-backup/1",
  async ({ file }: { file: string }, { home, environment, out }, hre) => {
    const password = await backupPassword(hre, { environment, twice: true });
    const path = resolve(file);
    const keys = await out.step("Encrypting", () => backUpKeys(home, path, password));
    out.note(
      "Keep it on another machine, and the password apart from it: neither is of use without the other.",
    );
    return {
      data: {
        path,
        keys: keys.map(({ account, publicKey }) => ({ account, publicKey: hexlify(publicKey) })),
      },
      text: `${keys.length} ${keys.length === 1 ? "key" : "keys"} in ${path}`,
    };
  },
);
