import { expect } from "chai";
import fc from "fast-check";
import { isNeuraError, NeuraError } from "../../src/errors.ts";
import { checkInputPath, MANIFEST_BOUNDS, parseManifest } from "../../src/manifest.ts";

const good = {
  schema: "neura/manifest/1",
  application: "ocr",
  inputs: ["input/invoice.png", "input/more/Überblick 2.jpg"],
  parameters: { maxSide: 960, nested: { list: [1, "two", null, false] } },
  limits: { seconds: 60, ramMiB: 2048, outputMiB: 64 },
};

function refusal(source: Parameters<typeof parseManifest>[0]): NeuraError {
  try {
    parseManifest(source);
  } catch (error) {
    if (isNeuraError(error, "manifest.invalid")) return error;
    throw error;
  }
  throw new Error("It was accepted.");
}

describe("manifest", () => {
  it("reads what it describes, from bytes, text and values alike", () => {
    const text = JSON.stringify({ ...good, needs: { cpuArchitecture: "x64", bandwidthMbps: 100 } });
    const manifest = parseManifest(text);
    expect(manifest).to.deep.equal(JSON.parse(text));
    expect(parseManifest(new TextEncoder().encode(text))).to.deep.equal(manifest);
    expect(parseManifest({ ...manifest })).to.deep.equal(manifest);
  });

  const service = { maxRequestMiB: 16, timeoutSeconds: 60, concurrency: 2 };

  it("reads how a service is kept up: it is stopped when it is idle unless the manifest says otherwise", () => {
    expect(parseManifest({ ...good, service }).service).to.deep.equal({ ...service, idleStopSeconds: 1800 });
    for (const idleStopSeconds of [0, 1, 86_400]) {
      const manifest = parseManifest({ ...good, service: { ...service, idleStopSeconds } });
      expect(manifest.service?.idleStopSeconds).to.equal(idleStopSeconds);
      expect(parseManifest({ ...manifest })).to.deep.equal(manifest);
    }
  });

  for (const name of Object.keys(service))
    it(`N01_refuses a service without ${name}, or with one out of bounds`, () => {
      const most = MANIFEST_BOUNDS[name as keyof typeof service];
      for (const value of [undefined, null, 0, -1, 1.5, "1", most + 1])
        expect(refusal({ ...good, service: { ...service, [name]: value } }).message).to.contain(
          `service.${name}`,
        );
    });

  it("N01_refuses a service that is none", () => {
    for (const value of [null, true, [], "ocr"])
      expect(refusal({ ...good, service: value }).message).to.contain("service");
    for (const idleStopSeconds of [null, -1, 0.5, MANIFEST_BOUNDS.seconds + 1])
      expect(refusal({ ...good, service: { ...service, idleStopSeconds } }).message).to.contain(
        "service.idleStopSeconds",
      );
  });

  const verification = {
    method: "text/1",
    parameters: { text: "/text" },
    calibration: `0x${"ab".repeat(32)}`,
  };

  it("reads how the result is verified, all defaults written out, and reads that again", () => {
    const manifest = parseManifest({ ...good, verification });
    expect(manifest.verification).to.deep.equal({
      ...verification,
      parameters: { text: "/text", form: "NFKC", foldSpaces: true },
    });
    expect(parseManifest({ ...manifest })).to.deep.equal(manifest);
    expect(parseManifest({ ...good })).not.to.have.property("verification");
  });

  it("N01_refuses a verification that is none, by what is wrong with it", () => {
    const refused: [unknown, string][] = [
      [null, "it is no object"],
      ["exact/1", "it is no object"],
      [{}, "method is missing"],
      [{ method: "vibes/1" }, '"vibes/1"'],
      [{ method: "exact/1", parameters: { strict: true } }, "strict"],
      [{ method: "exact/1", tolerance: 1 }, "tolerance"],
      [{ method: "checker/1", parameters: { program: "0xAB" } }, "program"],
      [{ method: "exact/1", calibration: "0x12" }, "calibration"],
      [JSON.parse('{"method":"exact/1","__proto__":{"polluted":1}}'), "__proto__"],
    ];
    for (const [value, reason] of refused)
      expect(refusal({ ...good, verification: value }).message)
        .to.contain("verification")
        .and.contain(reason);
    expect(refusal({ ...good, service, verification }).message).to.contain("service");
  });

  it("N01_refuses unknown fields by name at every level", () => {
    expect(refusal({ ...good, service: { ...service, port: 80 } }).message).to.contain('"port"');
    expect(refusal({ ...good, command: "rm" }).message).to.contain('"command"');
    expect(refusal({ ...good, limits: { ...good.limits, gpus: 8 } }).message).to.contain('"gpus"');
    expect(refusal({ ...good, needs: { moon: "full" } }).message).to.contain('"moon"');
  });

  for (const name of Object.keys(good))
    it(`N01_refuses a manifest without ${name}`, () => {
      expect(
        refusal(Object.fromEntries(Object.entries(good).filter(([key]) => key !== name))).message,
      ).to.contain(name);
    });

  it("N01_refuses __proto__ wherever it stands and poisons nothing", () => {
    const text = JSON.stringify(good);
    expect(refusal(text.replace("{", '{"__proto__":{"polluted":1},')).message).to.contain("__proto__");
    expect(refusal(text.replace('"nested":{', '"nested":{"__proto__":{"polluted":1},')).message).to.contain(
      "__proto__",
    );
    expect(refusal(text.replace('"limits":{', '"limits":{"__proto__":{"polluted":1},')).message).to.contain(
      "__proto__",
    );
    expect(refusal(text.replace('"nested":{', '"nested":{"constructor":1,')).message).to.contain(
      "constructor",
    );
    expect("polluted" in {}).to.equal(false);
  });

  it("N01_refuses NaN, infinite, fractional, negative and huge limits with the value", () => {
    for (const seconds of [NaN, Infinity, 1.5, -1, 0, MANIFEST_BOUNDS.seconds + 1, "60", null])
      expect(refusal({ ...good, limits: { ...good.limits, seconds } }).message).to.contain("limits.seconds");
    expect(refusal(JSON.stringify(good).replace("960", "1e999")).message).to.contain("Infinity");
  });

  it("N01_refuses nesting of 100,000, halves of surrogate pairs, bytes that are not UTF-8, too many bytes", () => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    expect(refusal(JSON.stringify(good).replace("960", deep)).message).to.match(/nested deeper|not JSON/);
    expect(refusal(JSON.stringify(good).replace('"two"', '"\\ud800"')).message).to.contain("surrogate");
    expect(refusal(Uint8Array.of(0xff, 0xfe)).message).to.contain("not JSON");
    expect(refusal(" ".repeat(MANIFEST_BOUNDS.bytes + 1)).message).to.contain(String(MANIFEST_BOUNDS.bytes));
  });

  it("N01_answers any JSON with a manifest or a typed refusal", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        expect(refusal(text).code).to.equal("manifest.invalid");
      }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(good), "service", "verification"),
        fc.jsonValue(),
        (name, value) => {
          try {
            parseManifest({ ...good, [name]: value });
          } catch (error) {
            expect(isNeuraError(error, "manifest.invalid"), String(error)).to.equal(true);
          }
        },
      ),
    );
  });

  const hostile = [
    "../secret",
    "input/../../secret",
    "input/..",
    "input/./a.png",
    "input//a.png",
    "input/",
    "input",
    "/etc/passwd",
    "/input/a.png",
    "output/a.png",
    "input\\..\\a.png",
    "input/..\\a.png",
    "C:/input/a.png",
    "input/a.png:stream",
    "input/a\0.png",
    "input/a\n.png",
    "input/a.png ",
    "input/a./b.png",
    "input/u\u0308.png",
    `input/${"a".repeat(MANIFEST_BOUNDS.pathBytes)}`,
  ];
  for (const path of hostile)
    it(`N19_refuses the input path ${JSON.stringify(path.slice(0, 24))}`, () => {
      expect(() => checkInputPath(path))
        .to.throw(NeuraError)
        .with.property("code", "manifest.invalid");
      expect(refusal({ ...good, inputs: [path] }).message).to.contain("input path");
    });

  it("N19_no accepted path leaves the folder", () => {
    const part = fc.oneof(
      fc.constantFrom("..", ".", "", "input", "a", "%2e%2e", "\\"),
      fc.string({ maxLength: 4 }),
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const path = `input/${parts.join("/")}`;
        try {
          checkInputPath(path);
        } catch (error) {
          expect(isNeuraError(error, "manifest.invalid")).to.equal(true);
          return;
        }
        expect(new URL(encodeURI(path).replace(/[#?]/g, "x"), "file:///root/").pathname).to.match(
          /^\/root\/input\/./,
        );
      }),
    );
  });

  it("N19_refuses two inputs that are one file where case does not count", () => {
    expect(refusal({ ...good, inputs: ["input/a.png", "input/A.png"] }).message).to.contain("input/A.png");
  });
});
