import { expect } from "chai";

import { isNeuraError } from "../../src/errors.ts";
import { isPublicAddress, publicLookup, publicUrl } from "../../src/public-address.ts";
import { HttpClient } from "../../src/storage/http.ts";
import { Cleanup, errorOf, serve } from "./storage/support.ts";

function isRefused(url: string, options: { allowLoopback?: boolean } = {}): boolean {
  try {
    publicUrl(url, options);
    return false;
  } catch (error) {
    if (isNeuraError(error, "url.not-public")) return true;
    throw error;
  }
}

describe("servers that strangers name", () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());

  it("are on the public internet", () => {
    for (const address of ["8.8.8.8", "172.32.0.1", "100.63.255.255", "2606:4700::1111"])
      expect(isPublicAddress(address), address).to.equal(true);
    const hidden = [
      ...["0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.1.1"],
      ...["198.18.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"],
      ...[
        "fe80::1",
        "fd12::1",
        "ff02::1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001::1",
        "2001:db8::1",
        "name",
      ],
    ];
    for (const address of hidden) expect(isPublicAddress(address), address).to.equal(false);
  });

  it("speak https, have no password in their address, and are none of a private network", () => {
    expect(publicUrl("https://provider.example/metadata").href).to.equal("https://provider.example/metadata");
    const refused = [
      ...["http://provider.example/", "ftp://provider.example/", "file:///etc/passwd", "nonsense", ""],
      ...[
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://[::ffff:7f00:1]/",
      ],
      ...[
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "https://name:word@provider.example/",
      ],
    ];
    for (const url of refused) expect(isRefused(url), url).to.equal(true);
  });

  it("may be on this machine where that is allowed, and on no other private one", () => {
    for (const url of ["http://127.0.0.1:8080/", "https://127.0.0.1/", "http://[::1]:1/"]) {
      expect(isRefused(url), url).to.equal(true);
      expect(isRefused(url, { allowLoopback: true }), url).to.equal(false);
    }
    for (const url of [
      "http://10.0.0.1/",
      "http://localhost/",
      "http://127.0.0.2/",
      "http://provider.example/",
    ])
      expect(isRefused(url, { allowLoopback: true }), url).to.equal(true);
  });

  it("are not reached by a name that leads into a private network", async () => {
    let requests = 0;
    const url = await serve(cleanup, (_, response) => {
      requests += 1;
      response.end("secret");
    });
    const named = new URL(url.replace("127.0.0.1", "localhost"));
    const exchange = { timeouts: { idleSeconds: 2, totalSeconds: 5 } };
    const error = await errorOf(new HttpClient({ lookup: publicLookup }).request(named, exchange));
    expect(error.message).to.include("which is not public");
    expect(requests).to.equal(0);
    const answer = await new HttpClient().request(new URL(url), exchange);
    expect(await answer.text(100)).to.equal("secret");
  });
});
