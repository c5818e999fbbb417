import { Fields } from "../fields.ts";
import type { EvidenceUnit } from "../market/evidence.ts";
import { type ChainProofs, PROVEN, type ProvenName, type ReceiptProof } from "./chain-proof.ts";
import type { Disclosure, Leaf } from "./disclosure.ts";
import { type EnvelopeSignature, parseEnvelope } from "./dsse.ts";
import { malformed, parseStatement, type ReceiptStatement } from "./statement.ts";

/** What lies beside the statement: it needs no signature, since it hashes to what the statement or the chain says. */
export interface Beside {
  readonly schema: "neura/receipt/1";
  readonly proofs?: ChainProofs;
  /** Why there are no proofs. */
  readonly unproven?: string;
  readonly disclosures: readonly Disclosure[];
}

/** A receipt as it was read; nothing of it is checked. */
export interface Receipt extends Omit<Beside, "schema"> {
  readonly statement: ReceiptStatement;
  /** The statement's bytes. */
  readonly payload: Uint8Array;
  readonly signatures: readonly EnvelopeSignature[];
}

export const BESIDE_SCHEMA = "neura/receipt/1";

/** Reads the file of a receipt. Error: `receipt.malformed`. */
export function parseReceipt(text: string): Receipt {
  const { bytes, signatures, neura } = parseEnvelope(text);
  const statement = parseStatement(Buffer.from(bytes).toString());
  if (neura === undefined) return { statement, payload: bytes, signatures, disclosures: [] };
  const faults: string[] = [];
  const file = new Fields(neura, "neura", faults);
  file.is("schema", BESIDE_SCHEMA);
  const proofs = file.has("proofs") ? readProofs(file.object("proofs")) : undefined;
  const unproven = file.text("unproven", "is no text", limited);
  const disclosures = (file.objects("disclosures", { atMost: 10_000 }) ?? []).map(readDisclosure);
  file.end();
  if (faults.length > 0) throw malformed(faults.slice(0, 8).join("; "));
  return {
    statement,
    payload: bytes,
    signatures,
    disclosures,
    ...(proofs === undefined ? {} : { proofs }),
    ...(unproven === undefined ? {} : { unproven }),
  };
}

function readProofs(file: Fields): ChainProofs {
  const headers = file.names("headers", hexIn) ?? [];
  const found = file.object("receipts");
  const receipts: Partial<Record<ProvenName, ReceiptProof>> = {};
  for (const name of PROVEN) {
    if (!found.has(name)) continue;
    const proof = found.object(name);
    receipts[name] = {
      header: wholeIn(proof, "header"),
      transactionIndex: wholeIn(proof, "transactionIndex"),
      nodes: proof.names("nodes", hexIn) ?? [],
    };
    proof.end();
  }
  found.end();
  file.end();
  return { headers, receipts };
}

function readDisclosure(file: Fields): Disclosure {
  const path = textIn(file, "path", limited);
  const kind = textIn(file, "kind", limited);
  const disclosure = ((): Disclosure => {
    switch (kind) {
      case "run":
        return { path, kind, content: textIn(file, "content", any) };
      case "unit": {
        const unit = file.object("unit");
        const side = textIn(file, "side", any) === "inputHash" ? "inputHash" : "outputHash";
        const found: EvidenceUnit = {
          inputHash: textIn(unit, "inputHash", hexIn),
          outputHash: textIn(unit, "outputHash", hexIn),
          stateHash: textIn(unit, "stateHash", hexIn),
          sketchHash: textIn(unit, "sketchHash", hexIn),
        };
        unit.end();
        const [index, branch] = [wholeIn(file, "index"), file.names("branch", hexIn) ?? []];
        return { path, kind, side, index, unit: found, branch, content: textIn(file, "content", any) };
      }
      case "leaves": {
        const root = textIn(file, "root", any) === "inputRoot" ? "inputRoot" : "resultRoot";
        const leaves = (file.objects("leaves", { atMost: 4096 }) ?? []).map(readLeaf);
        return { path, kind, root, offset: wholeIn(file, "offset"), length: wholeIn(file, "length"), leaves };
      }
      default:
        throw malformed(`a disclosure of kind ${JSON.stringify(kind)} is not known`);
    }
  })();
  file.end();
  return disclosure;
}

function readLeaf(file: Fields): Leaf {
  const leaf = {
    index: wholeIn(file, "index"),
    salt: textIn(file, "salt", hexIn),
    bytes: textIn(file, "bytes", any),
    branch: file.names("branch", hexIn) ?? [],
  };
  file.end();
  return leaf;
}

function wholeIn(file: Fields, name: string): number {
  return file.required(name, file.whole(name), 0);
}

function textIn(file: Fields, name: string, read: (text: string) => string | undefined): string {
  return file.text(name, "is not what belongs there", read, { required: true }) ?? "0x";
}

const any = (text: string): string => text;
const limited = (text: string): string | undefined => (text.length <= 1024 ? text : undefined);
const hexIn = (text: string): string | undefined => (/^0x(?:[0-9a-f]{2})*$/.test(text) ? text : undefined);
