/** Encryption of payloads and results: see docs/envelope.md. */
export { type ByteSource } from "./bytes.ts";
export { payloadContext, resultContext } from "./context.ts";
export type { CompressedWords, OpeningWords, PointWords } from "./dleq.ts";
export {
  type Compartment,
  type CompartmentKind,
  encodeHeader,
  type Header,
  readHeader,
  type Recipient,
} from "./format.ts";
export {
  generateKeyPair,
  type KeyPair,
  type Opening,
  type OpeningKey,
  publicKeyOf,
  type ReaderKey,
  unwrap,
} from "./keys.ts";
export { hashEnvelope, type Handlers, open, type Opened, openEach, type OpenOptions } from "./open.ts";
export { openingWords, proveOpening } from "./opening.ts";
export { type KnowledgeProof, type KnowledgeStatement, proveKnowledge, verifyKnowledge } from "./proof.ts";
export { rewrap } from "./rewrap.ts";
export { seal, type Sealed, sealedSize, type SealOptions, type SealResult } from "./seal.ts";
