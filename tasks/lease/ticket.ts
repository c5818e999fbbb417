import { action } from "../context.ts";
import { fields } from "../output.ts";
import { openClient } from "../task/request.ts";

export default action(
  "neura/lease-ticket/1",
  async ({ id, showToken }: { id: string; showToken: boolean }, context) => {
    const { client } = await openClient(context);
    const ticket = await client.ticket(id, { signal: context.signal });
    const { url, certificateSha256, expiresAt } = ticket;
    const token = showToken ? ticket.token.reveal() : undefined;
    return {
      data: { id, url, certificateSha256, expiresAtSeconds: expiresAt, token },
      text: fields([
        ["Lease", id],
        ["Address", url],
        ["Certificate", certificateSha256 ?? "one that every client trusts"],
        ["Until", new Date(expiresAt * 1000).toISOString()],
        ["Token", token ?? "hidden: --show-token prints it"],
        ["Send", "Authorization: Bearer <token>, with every request"],
      ]),
    };
  },
);
