import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import sharp from "sharp";

import { NeuraError } from "../../../src/errors.ts";
import { parseDeedUri, readDeedPicture, writePicture } from "../../../src/ownership/picture.ts";
import { Cleanup, errorOf } from "../storage/support.ts";
import { openStage, UNIT } from "./support.ts";

const SVG =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 40"><rect width="64" height="40"/></svg>';
const base64 = (type: string, text: string): string =>
  `data:${type};base64,${Buffer.from(text).toString("base64")}`;

describe("pictures of deeds", () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());

  const codeOf = (read: () => unknown): unknown => {
    try {
      return read();
    } catch (error) {
      return error instanceof NeuraError ? error.code : error;
    }
  };

  it("come out of a deed's own URI, on chain", async () => {
    const stage = await openStage();
    cleanup.add(() => stage.connection.close());
    const { ownership, mirror } = await stage.issue([2, 2], {
      name: 'Ä <b>"reader"</b> & 字',
      licence: "CC-BY-4.0",
      unitWei: 2n * UNIT,
    });
    const deed = await readDeedPicture(stage.contextOf(stage.maker), ownership.address, 2);
    expect(deed).to.deep.include({ id: 2, owner: stage.at(1).address, name: 'Ä <b>"reader"</b> & 字 #2' });
    expect(deed.attributes).to.deep.equal([
      { name: "Share", value: "50 %" },
      { name: "Licence", value: "CC-BY-4.0" },
    ]);
    const svg = Buffer.from(deed.image.bytes).toString("utf8");
    expect(svg).to.contain('Ä &lt;b&gt;"reader"&lt;/b&gt; &amp; 字').and.to.contain("No. 2");
    const file = join(cleanup.directory(), "deed.png");
    await writePicture(file, deed.image);
    const { dominant } = await sharp(file).stats();
    expect(dominant, "it is drawn").not.to.deep.equal({ r: 0, g: 0, b: 0 });
    expect(await sharp(file).metadata()).to.include({ format: "png", width: 1280, height: 800 });
    expect((await errorOf(readDeedPicture(stage.contextOf(stage.maker), ownership.mirror, 3))).code).to.equal(
      "deed.unknown",
    );
    expect(await mirror.tokenURI(2)).to.match(/^data:application\/json;base64,/);
  });

  it("are read in every encoding of a data URI that contracts write", () => {
    const image = base64("image/svg+xml", SVG);
    const json = JSON.stringify({
      name: "Deed\u0007 100%",
      description: "d",
      image,
      attributes: [{ value: 7 }, null],
    });
    for (const uri of [
      base64("application/json", json),
      `data:application/json;utf8,${json}`,
      `data:application/json,${encodeURIComponent(json)}`,
      `data:application/json;charset=utf-8;base64,${Buffer.from(json).toString("base64")}`,
    ]) {
      const deed = parseDeedUri(uri);
      expect(deed).to.deep.include({ name: "Deed? 100%", attributes: [{ name: "", value: "7" }] });
      expect(deed.image.type).to.equal("image/svg+xml");
      expect(Buffer.from(deed.image.bytes).toString()).to.equal(SVG);
    }
    const plain = parseDeedUri(
      base64("application/json", JSON.stringify({ image: `data:image/svg+xml;utf8,${SVG}` })),
    );
    expect(Buffer.from(plain.image.bytes).toString()).to.equal(SVG);
  });

  it("that are elsewhere are named, not fetched; what is none is refused", () => {
    for (const where of ["ipfs://Qm1/2.svg", "https://example.org/1.png", "ar://x"]) {
      const read = () => parseDeedUri(base64("application/json", JSON.stringify({ image: where })), "deed 7");
      expect(read).to.throw(`The picture of deed 7 is at ${where}.`);
      expect(codeOf(read)).to.equal("deed.elsewhere");
      expect(codeOf(() => parseDeedUri(where))).to.equal("deed.elsewhere");
    }
    for (const text of ["", "[", "7", "null", "{}", '{"image":""}', '{"image":{}}']) {
      expect(
        codeOf(() => parseDeedUri(base64("application/json", text))),
        text,
      ).to.equal("deed.malformed");
    }
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `data:${text}`),
        ),
        (uri) => {
          expect(codeOf(() => parseDeedUri(uri))).to.be.oneOf(["deed.elsewhere", "deed.malformed"]);
        },
      ),
    );
  });

  it("are written as their file is named, and replace nothing unasked", async () => {
    const directory = cleanup.directory();
    const drawing = { type: "image/svg+xml", bytes: Buffer.from(SVG) };
    const path = join(directory, "deed.SVG");
    await writePicture(path, drawing);
    expect((await errorOf(writePicture(path, { ...drawing, bytes: Buffer.from("new") }))).code).to.equal(
      "deed.exists",
    );
    expect(await readFile(path, "utf8")).to.equal(SVG);
    await writePicture(path, { ...drawing, bytes: Buffer.from("new") }, { replace: true });
    expect(await readFile(path, "utf8")).to.equal("new");

    const webp = { type: "image/webp", bytes: Buffer.from("webp") };
    await writePicture(join(directory, "deed.webp"), webp);
    for (const [picture, name, next] of [
      [webp, "deed.png", ".webp"],
      [drawing, "deed.jpg", ".svg or .png"],
      [{ type: "text/html", bytes: Buffer.from("") }, "deed.html", "tokenURI"],
    ] as const) {
      const error = await errorOf(writePicture(join(directory, name), picture));
      expect([error.code, error.next?.includes(next)], name).to.deep.equal(["deed.format", true]);
    }
    const broken = { ...drawing, bytes: Buffer.from("<svg") };
    expect((await errorOf(writePicture(join(directory, "broken.png"), broken))).code).to.equal(
      "deed.malformed",
    );
    const none = await errorOf(
      writePicture(join(directory, "none.png"), drawing, {
        loadSharp: () => Promise.reject(new Error("Cannot find package 'sharp'")),
      }),
    );
    expect([none.code, none.next?.includes(".svg")]).to.deep.equal(["deed.no-sharp", true]);
  });
});
