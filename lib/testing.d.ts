import type {
  OfflineReason,
  ShazbotEvents,
  shazbotGetServerList,
  shazbotOwner,
  shazbotOwners,
  shazbotPick,
  shazbotReady,
  shazbotServers,
  shazbotSetTags,
  shazbotStatus,
  shazbotWaitFor,
  Tags,
} from '../index.js';
import type { ShazbotFetchInit } from './fetch.js';

/** A server of a fake cluster. */
export interface FakeServer {
  baseUrl: string;
  /** Default: false. */
  monitor?: boolean | undefined;
  /** Default: now. */
  lastUpdate?: number | undefined;
  /** Default: none. */
  tags?: Tags | undefined;
  /** Whether it does not answer; default false. */
  suspect?: boolean | undefined;
  /** Whether it may be given work; default true. */
  ready?: boolean | undefined;
  /** Why it is offline. Default: not known. */
  reason?: OfflineReason | undefined;
}

/** The servers of a fake cluster, or only their base URLs. */
export interface FakeLists {
  online?: readonly (string | FakeServer)[] | undefined;
  offline?: readonly (string | FakeServer)[] | undefined;
}

/** What stands in for `ShazbotService` of `clustershazbot/nestjs`. */
export interface FakeService {
  readonly events: ShazbotEvents;
  list: typeof shazbotGetServerList;
  servers: typeof shazbotServers;
  setTags: typeof shazbotSetTags;
  pick: typeof shazbotPick;
  owner: typeof shazbotOwner;
  owners: typeof shazbotOwners;
  waitFor: typeof shazbotWaitFor;
  ready: typeof shazbotReady;
  fetch(path: string, init?: ShazbotFetchInit): Promise<Response>;
  status: typeof shazbotStatus;
  drain(): void;
  undrain(): void;
}

export interface FakeCluster {
  /** Replaces the lists, and then emits an event for each server that has changed. A list that is left out is empty. */
  set(lists: FakeLists): void;
  /** Ends the fake cluster: the functions of the package fail with `SHAZBOT_NOT_STARTED` until a real start. */
  restore(): void;
  /** For Nest: `overrideProvider(ShazbotService).useValue(fake.service)`. */
  readonly service: FakeService;
}

/**
 * Creates a cluster that exists only in this process, for tests. The functions of `clustershazbot`, its events and its routes work as
 * if the engine were started and knew these servers; nothing need be mocked. `shazbotStart` and `shazbotShutDown` resolve and
 * do nothing; gossip requests are answered with 503. This server is the first of `online`.
 *
 * A later call replaces the cluster. Call it in each test file, since files may run in the same process.
 */
export declare function createFakeCluster(lists?: FakeLists): FakeCluster;
