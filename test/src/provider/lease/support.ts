import type { JsonObject, Limits, ServiceSettings } from "../../../../src/manifest.ts";
import { generateKeyPair } from "../../../../src/envelope/index.ts";
import { type AccessTicket, openTicket } from "../../../../src/market/ticket.ts";
import { issueAccess } from "../../../../src/provider/lease/access.ts";
import {
  type EndpointOptions,
  type LeaseEndpoint,
  startEndpoint,
} from "../../../../src/provider/lease/endpoint.ts";
import { type LeaseOptions, LeaseService } from "../../../../src/provider/lease/service.ts";
import type { NodeEvent } from "../../../../src/provider/log.ts";
import { openProcessRunner } from "../../../../src/provider/runner/process-runner.ts";
import type { Runner } from "../../../../src/provider/runner/runner.ts";
import { until, Workshop } from "../runner/support.ts";

export const TASK = `0x${"a1".repeat(32)}`;

export interface ServeOptions {
  /** Default: the built-in one. */
  readonly application?: string;
  /** Default: one with the built-in applications. */
  readonly runner?: Runner;
  readonly parameters?: JsonObject;
  readonly limits?: Partial<Limits>;
  readonly service?: Partial<ServiceSettings>;
}

/** Everything that a provider has for its leases. At the test's end nothing of it is left. */
export class Provider {
  readonly workshop = new Workshop();
  readonly owner = generateKeyPair();
  readonly events: NodeEvent[] = [];
  readonly #services: LeaseService[] = [];
  readonly #endpoints: LeaseEndpoint[] = [];

  async open(): Promise<void> {
    await this.workshop.open();
  }

  async close(): Promise<void> {
    for (const service of this.#services.splice(0))
      await service.stop("The test is over.").catch(() => undefined);
    for (const endpoint of this.#endpoints.splice(0)) await endpoint.close();
    await this.workshop.close();
    this.events.length = 0;
  }

  /** Starts a service; does not wait for it. */
  async serve(options: ServeOptions = {}): Promise<LeaseService> {
    const { application = "noop", runner = await openProcessRunner(), service = {}, ...rest } = options;
    const job = await this.workshop.job(application, { ...rest, service });
    return this.#keep(await LeaseService.start(job, this.options(runner)));
  }

  /** Lets go of it, as a node does that stops, and adopts it, as the next one does. */
  async adopt({ directory }: { directory: string }, runner?: Runner): Promise<LeaseService> {
    const service = await LeaseService.adopt(directory, this.options(runner ?? (await openProcessRunner())));
    if (!service) throw new Error("There is nothing to adopt.");
    return this.#keep(service);
  }

  async listen(options: Partial<EndpointOptions> = {}): Promise<LeaseEndpoint> {
    const endpoint = await startEndpoint({ host: "127.0.0.1", port: 0, ...options });
    this.#endpoints.push(endpoint);
    return endpoint;
  }

  /** Opens the service to its owner; the ticket is the one that the owner reads. */
  async publish(endpoint: LeaseEndpoint, service: LeaseService, taskId = TASK): Promise<AccessTicket> {
    const { certificateSha256 } = endpoint;
    const { tokenHash, sealed, hash } = await issueAccess(service.directory, {
      task: taskId,
      url: endpoint.urlOf(taskId),
      ...(certificateSha256 === undefined ? {} : { certificateSha256 }),
      expiresAt: 2_000_000_000,
      publicKey: this.owner.publicKey,
    });
    endpoint.open(taskId, { service, tokenHash });
    return await openTicket(sealed, { taskId, secretKey: this.owner.secretKey, hash });
  }

  options(runner: Runner): LeaseOptions {
    return { runner, taskId: TASK, lookMs: 50, onEvent: (event) => this.events.push(event) };
  }

  #keep(service: LeaseService): LeaseService {
    this.#services.push(service);
    return service;
  }
}

export async function isUp(service: LeaseService): Promise<void> {
  await until(() => service.status().up);
}
