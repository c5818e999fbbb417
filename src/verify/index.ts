/**
 * Whether work that nobody saw is what it should be: methods, units, audits, calibrations, sketches. Runs in Node and in
 * browsers; the owner's program as a process (`command.ts`) and reading pages again (`ocr.ts`) need Node.
 */
export {
  type Evidence,
  evidenceHash,
  type EvidenceUnit,
  unitLeaf,
  unitsRoot,
  ZERO_HASH,
} from "../market/evidence.ts";
export {
  auditDelivery,
  type AuditedWork,
  type AuditOptions,
  type AuditReport,
  type DeliveredUnit,
  disputeWorth,
  type DisputeWorth,
  type Finding,
  type Stakes,
} from "./audit.ts";
export {
  calibrate,
  type Calibration,
  calibrationFor,
  calibrationHash,
  type CalibrationKey,
  calibrationText,
  type CalibrationWork,
  type FakeRate,
  modelDigest,
  parseCalibration,
  rateAtMost,
  type Sample,
  verificationBy,
} from "./calibration.ts";
export {
  bitsApart,
  FINGERPRINT_BITS,
  FINGERPRINT_SLACK,
  fingerprintOf,
  type FingerprintOptions,
  isNear,
  medianOf,
} from "./fingerprint.ts";
export type { Measurement, Method, UnitContent } from "./method.ts";
export { type CheckerReport, encodeReport } from "./methods/checker.ts";
export type { CheckedTokens, DrawnTokens } from "./methods/tokens.ts";
export { decodeSketch, encodeSketch, type Sketch, sketchDistance, sketchOf } from "./sketch.ts";
export { decodeTensors, encodeTensors, type Tensor, type Tensors } from "./tensors.ts";
export { DEFAULT_UNITS, type Draw, drawUnits, isAuditSeed, isUnitOf, jurySeed, unitProof } from "./units.ts";
export {
  judge,
  type Judgement,
  METHOD_NAMES,
  type MethodName,
  methodOf,
  parseVerification,
  readVerification,
  type Verdict,
  type Verification,
  verificationHash,
  verificationText,
} from "./verification.ts";
