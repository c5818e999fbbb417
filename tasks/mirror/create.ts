import { loadArweaveKey } from "../../src/keys/arweave.ts";
import { createPoolAccount, uploadKeyPath } from "../../src/mirror/accounts.ts";
import { offlineAction } from "../context.ts";
import { table } from "../output.ts";
import { parseWhole } from "../task/request.ts";

export default offlineAction(
  "neura/mirror-account-create/1",
  async ({ count }: { count: string }, { home, out }) => {
    const accounts: { address: string; uploads: string; path: string }[] = [];
    for (let left = parseWhole(count, "number of accounts"); left > 0; left--) {
      const { address, path } = await createPoolAccount(home);
      const { created = "" } = await loadArweaveKey(uploadKeyPath(home, address));
      accounts.push({ address, uploads: created, path });
    }
    out.note(
      "Fund each, apart from one another and some time before it is used: what funds it is what it can be known by.",
    );
    return {
      data: { accounts },
      text: table(
        ["Account", "Arweave account"],
        accounts.map(({ address, uploads }) => [address, uploads]),
      ),
    };
  },
);
