/** A chain as a process of its own: its settings are JSON in NEURA_BRIDGE_PROCESS; a line on stderr says that it is ready. */
import { JournalledChain } from "./chain.ts";
import { serveRpc } from "./rpc.ts";

/** What a chain is told. */
export interface ChainSettings {
  readonly journal: string;
  readonly chainId: number;
  readonly port: number;
}

const { journal, chainId, port } = JSON.parse(process.env["NEURA_BRIDGE_PROCESS"] ?? "") as ChainSettings;
const chain = await JournalledChain.open(journal, chainId);
await serveRpc((question) => chain.answer(question), { port });
process.stderr.write(`{"event":"ready"}\n`);
