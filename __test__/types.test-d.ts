// The package's types, as its users see them. types.test.js has this file checked by several compilers, in
// several ways of resolving and emitting modules; it is never run.

import type { MemberEvent, ShazbotError, ShazbotStatus } from 'clustershazbot';
// biome-ignore lint/style/useImportType: so do programs written for v1
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
  shazbotShutDown,
  shazbotStart,
  shazbotStatus,
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

same<typeof shazbotStart, () => Promise<void>>();
same<typeof shazbotShutDown, () => Promise<void>>();
same<typeof shazbotGossipRequest, (authorization: string, body: GossipMessage) => Promise<GossipMessage>>();
same<typeof shazbotListRequest, (authorization: string) => Promise<ServerList>>();
same<typeof shazbotControlRequest, (authorization: string, message: ControlMessage) => Promise<void>>();
same<typeof shazbotGetServerList, (includeOffline?: boolean) => ServerList>();

same<typeof shazbotStatus, () => ShazbotStatus>();
shazbotEvents.on('offline', ({ baseUrl, reason, by, at }) => [baseUrl, reason, by, at]).off('change', () => {});
same<Parameters<Parameters<typeof shazbotEvents.on>[1]>, [event: Readonly<MemberEvent>]>();
same<ReturnType<typeof shazbotEvents.snapshot>, Required<ServerList>>();

same<ShazbotError['status'], number>();
same<ShazbotError['statusCode'], number>();
same<ShazbotError['expose'], true>();
export const isError = (error: ShazbotError): Error => error;
export const code: ShazbotError['code'] = 'SHAZBOT_NOT_STARTED';

// The names of the types are values besides, which is what keeps their import alive.
same<typeof GossipMessage, ObjectConstructor>();
export const values: ObjectConstructor[] = [GossipServer, ServerList, GossipMessage, ControlMessage, Config];

export async function uses(auth: string, server: GossipServer): Promise<GossipServer[]> {
  await shazbotGossipRequest(auth, { message: 'gossip', online: [server] });
  await shazbotGossipRequest(auth, { message: 'gossip', online: [], offline: [server] });
  await shazbotControlRequest(auth, { message: 'control', online: false });
  const { online, offline } = shazbotGetServerList(true);
  return [...online, ...(offline ?? [])];
}

export async function misuses(auth: string): Promise<void> {
  // @ts-expect-error: the header is needed
  await shazbotListRequest();
  // @ts-expect-error: a header that may be missing
  await shazbotListRequest(auth as string | undefined);
  // @ts-expect-error: the body is needed
  await shazbotGossipRequest(auth);
  // @ts-expect-error: another message
  await shazbotGossipRequest(auth, { message: 'control', online: [] });
  // @ts-expect-error: no online list
  await shazbotGossipRequest(auth, { message: 'gossip' });
  // @ts-expect-error: an entry without a stamp
  await shazbotGossipRequest(auth, { message: 'gossip', online: [{ baseUrl: 'http://a/', monitor: false }] });
  // @ts-expect-error: no boolean
  await shazbotControlRequest(auth, { message: 'control', online: 'yes' });
  // @ts-expect-error: start takes nothing
  await shazbotStart({});
  // @ts-expect-error: a flag, not a secret
  shazbotGetServerList(auth);
  // @ts-expect-error: it is synchronous
  shazbotGetServerList().then(() => {});
  // @ts-expect-error: the offline list may be missing
  shazbotGetServerList(true).offline.length;
  // @ts-expect-error: no such code
  const none: ShazbotError['code'] = 'SHAZBOT_OTHER';
  void none;
}
