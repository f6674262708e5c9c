// Uses the package's types as programs do. types.test.js compiles this file with several compilers and module settings;
// nothing runs it.

import type {
  MemberEvent,
  OwnerOptions,
  PickOptions,
  ShazbotError,
  ShazbotOwner,
  ShazbotServer,
  ShazbotShutDownOptions,
  ShazbotStartOptions,
  ShazbotStatus,
  Tags,
  Where,
} from 'clustershazbot';
// biome-ignore lint/style/useImportType: programs for version 1 import the types this way
import {
  Config,
  ControlMessage,
  GossipMessage,
  GossipServer,
  ServerList,
  shazbotControlRequest,
  shazbotEvents,
  shazbotGetServerList,
  shazbotGossipRequest,
  shazbotListRequest,
  shazbotOwner,
  shazbotOwners,
  shazbotPick,
  shazbotReady,
  shazbotServers,
  shazbotSetTags,
  shazbotShutDown,
  shazbotStart,
  shazbotStatus,
  shazbotWaitFor,
} from 'clustershazbot';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? [] : ['they differ'];
function same<A, B>(..._: Same<A, B>): void {}

same<GossipServer, { baseUrl: string; monitor: boolean; lastUpdate: number }>();
same<ServerList, { online: GossipServer[]; offline?: GossipServer[] }>();
same<GossipMessage, { online: GossipServer[]; offline?: GossipServer[]; message: 'gossip' }>();
same<ControlMessage, { message: 'control'; online: boolean }>();
same<
  Config,
  {
    SHAZBOT_SECRET: string;
    SHAZBOT_CONTROL_SECRET: string;
    SHAZBOT_BASE_URL: string;
    SHAZBOT_MASTER_LIST: string;
    SHAZBOT_MASTER_LIST_UPDATE: string;
    SHAZBOT_MASTER_LIST_UPDATE_AUTH: string;
    SHAZBOT_GOSSIP_INTERVAL: number;
    SHAZBOT_MASTER_ANNOUNCE_MINIMUM: number;
    SHAZBOT_MASTER_ANNOUNCE_INTERVAL: number;
    SHAZBOT_MONITOR: boolean;
    SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN: boolean;
  }
>();

same<Parameters<typeof shazbotStart>, [options: ShazbotStartOptions | undefined]>();
export const callbacks: ((error?: Error) => void)[] = [shazbotStart, () => shazbotStart()];
shazbotStart({
  config: { SHAZBOT_MONITOR: true, SHAZBOT_GOSSIP_INTERVAL: 1, SHAZBOT_MASTER_LIST: ['file:///a', 'file:///b'] },
  discover: async ({ signal }) => (signal.aborted ? [] : ['http://app:3000/']),
  port: 3000,
});
// @ts-expect-error: a misspelt name
shazbotStart({ config: { SHAZBOT_SECRT: 'a' } });
// @ts-expect-error: a wrong type
shazbotStart({ config: { SHAZBOT_SECRET: 1 } });
same<Parameters<typeof shazbotShutDown>, [options: ShazbotShutDownOptions | undefined]>();
export const listeners: ((signal: string) => void)[] = [shazbotShutDown, () => shazbotShutDown({ drainFor: 1_500 })];
// Wider than in version 1: frameworks hand over headers that may be missing.
type Header = string | null | undefined;
same<typeof shazbotGossipRequest, (authorization: Header, body: GossipMessage) => Promise<GossipMessage>>();
same<typeof shazbotListRequest, (authorization: Header) => Promise<ServerList>>();
same<typeof shazbotControlRequest, (authorization: Header, message: ControlMessage) => Promise<void>>();
export const asInVersion1: (authorization: string, body: GossipMessage) => Promise<GossipMessage> =
  shazbotGossipRequest;
same<typeof shazbotGetServerList, (includeOffline?: boolean) => ServerList>();

same<typeof shazbotServers, (where?: Where) => ShazbotServer[]>();
same<typeof shazbotSetTags, (tags: Tags) => void>();
same<typeof shazbotPick, (options?: PickOptions) => ShazbotServer | undefined>();
same<ReturnType<typeof shazbotOwner>, ShazbotOwner | undefined>();
same<ReturnType<typeof shazbotOwner.watch>, () => void>();
same<typeof shazbotOwners, (key: string, count: number, options?: OwnerOptions) => string[]>();
same<typeof shazbotReady, (isReady?: boolean) => void>();
same<ReturnType<typeof shazbotWaitFor>, Promise<ShazbotServer[]>>();
same<typeof shazbotStatus, () => ShazbotStatus>();
shazbotEvents.on('offline', ({ baseUrl, reason, by, at }) => [baseUrl, reason, by, at]).off('change', () => {});
shazbotEvents.on('change', (event: Readonly<MemberEvent>) => event.baseUrl);
shazbotEvents.on('change', ({ type }) => same<typeof type, 'online' | 'offline'>());
shazbotEvents.once('ready', ({ type, ready }) => [same<typeof type, 'ready'>(), same<typeof ready, boolean>()]);
shazbotEvents.on('tags', ({ tags }) => same<typeof tags, Tags>());
shazbotEvents.on('offline', ({ tags }) => same<typeof tags, Tags | undefined>());
same<ReturnType<typeof shazbotEvents.snapshot>, Required<ServerList>>();

same<ShazbotError['status'], number>();
same<ShazbotError['statusCode'], number>();
same<ShazbotError['expose'], true>();
export const isError = (error: ShazbotError): Error => error;
export const code: ShazbotError['code'] = 'SHAZBOT_NOT_STARTED';

// The type names are also values, so that compilers that keep their import do not break the program.
same<typeof GossipMessage, ObjectConstructor>();
export const values: ObjectConstructor[] = [GossipServer, ServerList, GossipMessage, ControlMessage, Config];

export async function uses(auth: string, server: GossipServer): Promise<GossipServer[]> {
  await shazbotGossipRequest(auth, { message: 'gossip', online: [server] });
  await shazbotGossipRequest(auth, { message: 'gossip', online: [], offline: [server] });
  await shazbotControlRequest(auth, { message: 'control', online: false });
  shazbotSetTags({ role: 'api', zone: auth });
  const where: Where = { role: 'api', zone: ['eu-1a', 'eu-1b'] };
  for (const { baseUrl, tags } of shazbotServers(where))
    shazbotServers((it) => it.tags.zone === tags.zone && baseUrl !== '');
  const { online, offline } = shazbotGetServerList(true);
  return [...online, ...(offline ?? [])];
}

export async function misuses(auth: string): Promise<void> {
  // @ts-expect-error: the header is required
  await shazbotListRequest();
  // @ts-expect-error: the body is required
  await shazbotGossipRequest(auth);
  // @ts-expect-error: the wrong kind of message
  await shazbotGossipRequest(auth, { message: 'control', online: [] });
  // @ts-expect-error: the online list is missing
  await shazbotGossipRequest(auth, { message: 'gossip' });
  // @ts-expect-error: lastUpdate is missing
  await shazbotGossipRequest(auth, { message: 'gossip', online: [{ baseUrl: 'http://a/', monitor: false }] });
  // @ts-expect-error: online must be a boolean
  await shazbotControlRequest(auth, { message: 'control', online: 'yes' });
  // @ts-expect-error: shazbotStart has no such option
  await shazbotStart({ secret: auth });
  // @ts-expect-error: the parameter is a flag, not a secret
  shazbotGetServerList(auth);
  // @ts-expect-error: the function is synchronous
  shazbotGetServerList().then(() => {});
  // @ts-expect-error: the offline list may be missing
  shazbotGetServerList(true).offline.length;
  // @ts-expect-error: tags are strings
  shazbotSetTags({ weight: 1 });
  // @ts-expect-error: the tags of a server are shared
  for (const { tags } of shazbotServers()) tags.role = 'api';
  // @ts-expect-error: values are strings
  shazbotServers({ zone: [1] });
  // @ts-expect-error: the code does not exist
  const none: ShazbotError['code'] = 'SHAZBOT_OTHER';
  void none;
}
