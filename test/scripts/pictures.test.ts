import { expect } from "chai";
import { characterErrorRate, drawPicture, kinds } from "../../scripts/pictures.ts";

describe("drawn pictures", () => {
  for (const kind of kinds)
    it(`draws the same ${kind} for the same seed, another for another`, async () => {
      const first = await drawPicture(kind, 1, { size: 12, noise: 5 });
      const again = await drawPicture(kind, 1, { size: 12, noise: 5 });
      expect(again.picture.equals(first.picture)).to.equal(true);
      expect(again.text).to.equal(first.text);
      const other = await drawPicture(kind, 2, { size: 12, noise: 5 });
      expect(other.picture.equals(first.picture)).to.equal(false);
      if (kind !== "blank") expect(other.text).not.to.equal(first.text);
    });

  it("counts the characters that are wrong", () => {
    expect(characterErrorRate("kitten", "sitting")).to.equal(3 / 6);
    expect(characterErrorRate("same", "same")).to.equal(0);
    expect(characterErrorRate("lost", "")).to.equal(1);
    expect(characterErrorRate("", "")).to.equal(0);
  });
});
