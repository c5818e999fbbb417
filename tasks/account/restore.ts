import { resolve } from "node:path";
import { hexlify } from "ethers";

import { restoreKeys } from "../../src/keys/backup.ts";
import type { StoredKey } from "../../src/keystore.ts";
import { offlineAction } from "../context.ts";
import { backupPassword } from "./password.ts";

export default offlineAction(
  "neura/account-key-restore/1",
  async ({ file }: { file: string }, { home, environment, out }, hre) => {
    const password = await backupPassword(hre, { environment, twice: false });
    const { restored, present } = await out.step("Decrypting", () =>
      restoreKeys(home, resolve(file), password),
    );
    const lines = [
      ...restored.map(({ path }) => `restored  ${path}`),
      ...present.map(({ path }) => `was here  ${path}`),
    ];
    return {
      data: { restored: restored.map(summary), present: present.map(summary) },
      text: lines.join("\n"),
    };
  },
);

function summary({ account, publicKey, path }: StoredKey) {
  return { account, publicKey: hexlify(publicKey), path };
}
