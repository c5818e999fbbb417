import type { HardhatRuntimeEnvironment } from "hardhat/types/hre";

import { NeuraError } from "../../src/errors.ts";
import { Secret } from "../../src/secret.ts";
import { hostOf } from "../host.ts";

/** The password of a backup: from the environment, else asked for. Error: `usage.password`. */
export async function backupPassword(
  hre: HardhatRuntimeEnvironment,
  { environment, twice }: { environment: Readonly<Record<string, string | undefined>>; twice: boolean },
): Promise<Secret<string>> {
  const given = environment["NEURA_BACKUP_PASSWORD"];
  if (given !== undefined) return new Secret(given);
  if (!hostOf(hre).isInteractive) {
    throw new NeuraError("usage.password", "There is no terminal to ask for the password.", {
      next: "Set NEURA_BACKUP_PASSWORD in the environment.",
    });
  }
  const { interruptions } = hre;
  const password = await interruptions.requestSecretInput("neura", "Password of the backup");
  if (twice && password !== (await interruptions.requestSecretInput("neura", "The same again"))) {
    throw new NeuraError("usage.password", "The two passwords differ.", { next: "Run the command again." });
  }
  return new Secret(password);
}
