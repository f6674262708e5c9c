/** One server of the cluster, as the lists show it. */
export interface GossipServer {
  /** Base URL: absolute, normalised, with a final `/`, for example `https://app-1.internal:3000/`. Identifies the server. */
  baseUrl: string;
  /**
   * Whether the server is a monitor (`SHAZBOT_MONITOR=true`). The others gossip with monitors more often, and always tell
   * them when they drain or leave.
   */
  monitor: boolean;
  /** When the server last confirmed its own state: ms since the epoch, by the clock of that server. */
  lastUpdate: number;
}

/** The servers that one server of the cluster knows. The order of the arrays has no meaning. */
export interface ServerList {
  /** Servers that are up. */
  online: GossipServer[];
  /**
   * Servers that are down, have left or are drained; they are forgotten after 24 hours. Missing if it was not asked for, or
   * if the caller may not see it.
   */
  offline?: GossipServer[];
}

/**
 * The body of `POST /clustershazbot/gossip`, and of its answer. Pass bodies on unchanged: servers of version 2 put their data
 * into a further field, `shazbot`, and leave the lists empty.
 */
export interface GossipMessage extends ServerList {
  message: 'gossip';
}

/** The body of `POST /clustershazbot/control`. */
export interface ControlMessage {
  message: 'control';
  /**
   * `false` drains this server: it goes on running and gossiping, but is listed offline. That holds until `true` is sent, or
   * until the next start.
   */
  online: boolean;
}

/**
 * The environment variables of version 1 as {@link shazbotStart} parses them. Documentation only: no function takes this
 * type. {@link ShazbotConfig} has all variables, including those that version 2 has added.
 */
export interface Config {
  /** Secret that authorises gossip. All servers of the cluster share it. Required. */
  SHAZBOT_SECRET: string;
  /** Secret that authorises control requests and lets a caller see the offline servers. Required. */
  SHAZBOT_CONTROL_SECRET: string;
  /** Base URL at which the other servers reach this process, http or https. Required. */
  SHAZBOT_BASE_URL: string;
  /** URL from which the master list is read: http, https or file. Required. */
  SHAZBOT_MASTER_LIST: string;
  /** URL to which the master list is written: http, https or file. Required, unless `SHAZBOT_MASTER_LIST` is a file. */
  SHAZBOT_MASTER_LIST_UPDATE: string;
  /** `Authorization` header for writing the master list. Empty: the header is not sent. Required, unless the list is a file. */
  SHAZBOT_MASTER_LIST_UPDATE_AUTH: string;
  /** Seconds between two gossip rounds, from 0.1 to 3600; default 30. Use the same on all servers: timeouts depend on it. */
  SHAZBOT_GOSSIP_INTERVAL: number;
  /** Minimum number of seconds between two updates of the master list, up to 86400; default 300. */
  SHAZBOT_MASTER_ANNOUNCE_MINIMUM: number;
  /** Maximum number of seconds that are randomly added to that minimum, up to 86400; default 600. */
  SHAZBOT_MASTER_ANNOUNCE_INTERVAL: number;
  /** Whether this server is a monitor (see {@link GossipServer}); default false. */
  SHAZBOT_MONITOR: boolean;
  /** Whether {@link shazbotShutDown} also removes this server from the master list; default false. */
  SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN: boolean;
}

/**
 * The error with which the functions of this package reject or throw. Import the type only: at run time it is an `Error` with
 * these properties. An error changes nothing: the lists and the engine stay as they were. docs/errors.md explains each code.
 */
export interface ShazbotError extends Error {
  /** Stays the same in later versions; compare this, not the message. */
  code:
    | 'SHAZBOT_UNAUTHORIZED'
    | 'SHAZBOT_MISDIRECTED'
    | 'SHAZBOT_WRONG_CLUSTER'
    | 'SHAZBOT_INVALID_MESSAGE'
    | 'SHAZBOT_TOO_LARGE'
    | 'SHAZBOT_METHOD'
    | 'SHAZBOT_UNSUPPORTED_BODY'
    | 'SHAZBOT_LIMIT'
    | 'SHAZBOT_INVALID_TAGS'
    | 'SHAZBOT_NOT_STARTED'
    | 'SHAZBOT_NO_SERVER'
    | 'SHAZBOT_TIMEOUT'
    | 'SHAZBOT_SERVER_FAILED'
    | 'SHAZBOT_SERVER_RESTARTED'
    | 'SHAZBOT_INVALID_CONFIG'
    | 'SHAZBOT_NO_RESOURCES'
    | 'SHAZBOT_FAILED';
  /** HTTP status for the response, for example 401. Express and Nest use it automatically. */
  status: number;
  /** The same as `status`. */
  statusCode: number;
  /** The message contains no secret and may be sent to the client. */
  expose: true;
  /**
   * With `SHAZBOT_NO_RESOURCES` the error of the operating system, with its `code`, for example `EAGAIN`. With `SHAZBOT_FAILED`
   * the text of the bug. For the log, not for the client.
   */
  cause?: Error;
}

/** The error that `require('clustershazbot')` throws if it cannot load the native binary. Import the type only. */
export interface ShazbotLoadError extends Error {
  code: 'SHAZBOT_NO_BINARY' | 'SHAZBOT_BINARY_NOT_INSTALLED' | 'SHAZBOT_BINARY_UNLOADABLE';
  /** The error of the operating system or of Node's module loader. */
  cause?: unknown;
}

/**
 * Settings for {@link ShazbotStartOptions}, with the names of the environment variables. docs/configuration.md explains each. A
 * setting that is undefined leaves the environment variable as it is; an empty text counts as missing. Each value may also be a
 * string, as in the environment.
 */
export interface ShazbotConfig {
  /** Whether this server joins a cluster; default true. With false, for tests, the start resolves and the lists are empty. */
  SHAZBOT_ENABLED?: boolean | string | undefined;
  /** Secret that authorises gossip, the same on all servers. */
  SHAZBOT_SECRET?: string | undefined;
  /** A second gossip secret, which is accepted and never sent. */
  SHAZBOT_SECRET_ALSO?: string | undefined;
  /** Secret that authorises control requests and lets a caller see the offline servers. */
  SHAZBOT_CONTROL_SECRET?: string | undefined;
  /** A second control secret. */
  SHAZBOT_CONTROL_SECRET_ALSO?: string | undefined;
  /** Base URL at which the other servers reach this process. May have `{address}`, `{hostname}`, `{port}` and `{env:NAME}`. */
  SHAZBOT_BASE_URL?: string | undefined;
  /** URLs from which the master lists are read. */
  SHAZBOT_MASTER_LIST?: string | readonly string[] | undefined;
  /** `Authorization` header for reading the master lists. */
  SHAZBOT_MASTER_LIST_AUTH?: string | undefined;
  /** URLs to which the master lists are written. */
  SHAZBOT_MASTER_LIST_UPDATE?: string | readonly string[] | undefined;
  /** `Authorization` header for writing the master lists. */
  SHAZBOT_MASTER_LIST_UPDATE_AUTH?: string | undefined;
  /** More headers for writing the master lists. */
  SHAZBOT_MASTER_LIST_UPDATE_HEADERS?: string | Readonly<Record<string, string>> | undefined;
  /** File in which this server keeps the servers that it knows. */
  SHAZBOT_STATE_FILE?: string | undefined;
  /** Seconds between two gossip rounds. */
  SHAZBOT_GOSSIP_INTERVAL?: number | string | undefined;
  /** Seconds for which a server that left in order stays in the lists as offline. */
  SHAZBOT_FORGET_AFTER?: number | string | undefined;
  /** Minimum number of seconds between two updates of a master list. */
  SHAZBOT_MASTER_ANNOUNCE_MINIMUM?: number | string | undefined;
  /** Maximum number of seconds that are randomly added to that minimum. */
  SHAZBOT_MASTER_ANNOUNCE_INTERVAL?: number | string | undefined;
  /** Whether this server is a monitor. */
  SHAZBOT_MONITOR?: boolean | string | undefined;
  /** What this server says of itself. */
  SHAZBOT_TAGS?: string | Tags | undefined;
  /** `manual`: this server gets no work until the program calls {@link shazbotReady}. */
  SHAZBOT_READY?: 'manual' | (string & Record<never, never>) | undefined;
  /** Whether a shutdown also removes this server from the master lists. */
  SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN?: boolean | string | undefined;
  /** The only servers that may be listed and contacted: origins and networks. */
  SHAZBOT_ALLOWED_ORIGINS?: string | readonly string[] | undefined;
  /** How messages are authorised. Any text has the type, so that a value from a `ConfigService` fits; the start checks it. */
  SHAZBOT_AUTH?: 'plain' | 'sign' | 'signed' | (string & Record<never, never>) | undefined;
  /** Name of the cluster. */
  SHAZBOT_CLUSTER?: string | undefined;
  /** `required`: the list route requires one of the secrets. */
  SHAZBOT_LIST_AUTH?: 'required' | (string & Record<never, never>) | undefined;
  SHAZBOT_TLS_CERT?: string | undefined;
  SHAZBOT_TLS_KEY?: string | undefined;
}

/** `AbortSignal`, if the program has a type of that name: it needs neither `@types/node` nor the library `dom`. */
export type ShazbotSignal = typeof globalThis extends { AbortSignal: { prototype: infer Signal } }
  ? Signal
  : { readonly aborted: boolean };

export interface ShazbotStartOptions {
  /** Settings that override the environment variables of the same names. */
  config?: ShazbotConfig | undefined;
  /**
   * Returns base URLs of servers to begin with, for example from a cloud's API or a database. Called at the start, then every 5 s
   * while this server knows no other, and every 60 s after that. The servers are listed only once they answer. A failure is
   * reported once, in a warning `SHAZBOT_DISCOVER_FAILED`. Then `SHAZBOT_MASTER_LIST` is not required.
   *
   * A call that takes longer than 10 s has failed: `signal` is aborted then, and the function is called again later. Pass the signal
   * on. It is not called again while two such calls are still running.
   */
  discover?: ((options: { signal: ShazbotSignal }) => readonly string[] | Promise<readonly string[]>) | undefined;
  /**
   * Tags of this server, in addition to those of `SHAZBOT_TAGS`; the same key replaces theirs. The start is rejected if they are
   * not valid.
   */
  tags?: Tags | undefined;
  /** The value of `{port}` in `SHAZBOT_BASE_URL`; default: the environment variable `PORT`. */
  port?: number | undefined;
}

/**
 * Starts the engine with the configuration in `process.env` and in `options`, and joins the cluster: reads the master list,
 * gossips with some of its servers, then gossips in the background. Call it when the server listens, since the others call it
 * back.
 *
 * Resolves after the first gossip round, even if no server answered. Further calls while it runs return the same promise,
 * whatever their options are. Rejects with `SHAZBOT_INVALID_CONFIG` if variables or options are missing or wrong; the message names all of them. Rejects with
 * `SHAZBOT_NO_RESOURCES` if the operating system has no thread or file descriptor for it at present: call it again later. If
 * the engine has failed since the last start, the call starts a new one. The engine does not keep the process running.
 *
 * With `SHAZBOT_ENABLED=false` it resolves at once, checks no other setting, and starts nothing: lists are empty, new tags have
 * no effect, requests and {@link shazbotStatus} fail with `SHAZBOT_NOT_STARTED`.
 */
export declare function shazbotStart(): Promise<void>;
// Two declarations, so that it can still be a callback that gets something else.
export declare function shazbotStart(options: ShazbotStartOptions | undefined): Promise<void>;

/**
 * Leaves the cluster: tells the others that this server is offline, and stops the engine. Call it before the HTTP server
 * closes. Takes at most 6 s, or 12 s if the master list is updated too, even if nobody answers.
 *
 * Announces no leave if another process answers at the base URL of this server and no server has ever contacted this process
 * there.
 *
 * Also resolves if the engine is not running. {@link shazbotStart} can be called again afterwards.
 */
export declare function shazbotShutDown(): Promise<void>;
// Two declarations, for the same reason.
export declare function shazbotShutDown(options: ShazbotShutDownOptions | undefined): Promise<void>;

export interface ShazbotShutDownOptions {
  /**
   * Milliseconds for which this server is drained before it leaves: it goes on answering, while the others, and load balancers that
   * ask `GET /clustershazbot/health`, stop sending requests. Default: 0. The others know of a drain and of a leave within a second.
   */
  drainFor?: number | undefined;
}

/**
 * Says whether this server may be given work; the others know within a second. One that is not ready stays online, but
 * {@link shazbotPick} and {@link shazbotOwner} pass over it on all servers, and `GET /clustershazbot/health` answers 503. A server
 * starts ready, unless `SHAZBOT_READY=manual`. The others learn of at most one change a second; the
 * last one counts.
 *
 * Throws `SHAZBOT_NOT_STARTED` if the engine is not running.
 * @param isReady default: true
 */
export declare function shazbotReady(isReady?: boolean): void;

/**
 * Resolves with the servers that are online, ready, and match `where`, including this one, as soon as there are enough of them.
 *
 * Rejects with `SHAZBOT_TIMEOUT` if there are too few in time, with the reason of `signal` if that is aborted, and with
 * `SHAZBOT_NOT_STARTED` if the engine is not running or ends.
 */
export declare function shazbotWaitFor(options?: {
  /** How many servers; default: 1. */
  online?: number | undefined;
  /** Which ones; default: all. */
  where?: Where | undefined;
  /** Milliseconds; default: `Infinity`. */
  timeout?: number | undefined;
  /** Ends the wait. */
  signal?: ShazbotSignal | undefined;
}): Promise<ShazbotServer[]>;

/** Which server {@link shazbotPick} chooses. */
export interface PickOptions {
  /** Which servers may be chosen; default: all that are online and ready, including this one. */
  where?: Where | undefined;
  /** Which of them are preferred, best first: the own zone, for example. If none of them can be chosen, the others are. */
  prefer?: readonly Where[] | undefined;
  /**
   * The same server for the same key, while the servers stay the same: its owner, as {@link shazbotOwner} computes it. Without a
   * key, two servers are drawn at random, and the one with fewer requests of `shazbotFetch` and `ShazbotDispatcher` under way wins.
   */
  key?: string | undefined;
  /** Base URLs that are not chosen: of servers that were tried already. To leave out this server: `where: ({ self }) => !self`. */
  except?: Iterable<string> | undefined;
}

/**
 * Chooses a server to send a request to: online, ready, and one that answers, if there is one. Undefined if there is none at all.
 * Takes a few microseconds with 1 000 servers, unless a condition is a function, which is called for each server.
 *
 * Throws `SHAZBOT_NOT_STARTED` if the engine is not running, and a `TypeError` if a condition is malformed.
 */
export declare function shazbotPick(options?: PickOptions): ShazbotServer | undefined;

/** Among which servers {@link shazbotOwner} looks for the owner. */
export interface OwnerOptions {
  /** Which servers may own the key; default: all that are online and ready. All servers must ask with the same condition. */
  where?: Where | undefined;
  /**
   * How many servers that match must be online, ready or not; with fewer nobody owns anything. With more than half of a fixed number
   * of servers, only one side of a network partition has owners.
   */
  minOnline?: number | undefined;
}

/** The owner of a key. */
export interface ShazbotOwner {
  baseUrl: string;
  /** Whether it is this server. */
  self: boolean;
  /**
   * False while others may see another owner: for two gossip intervals after any server came, went or changed, and while this server
   * suspects one.
   */
  settled: boolean;
}

/** When this server runs a job that one server of the cluster is to run. */
export interface OneServerOptions extends OwnerOptions {
  /** Skips runs while the owner is not settled: fewer are done twice, more are missed. Default: false. */
  settled?: boolean | undefined;
}

/**
 * Returns the server that owns a key. Servers that list the same servers agree, whatever their platform; when a server joins or
 * leaves, only its share of the keys moves (rendezvous hashing, docs/ownership.md). Undefined if no server is online and ready, and
 * for as long as this server is not started or still looks for the others.
 *
 * **This is not a lock.** After a crash nobody owns the keys of the dead server until the others know, for 1 to 2 s, or until a job
 * runs next. While a server starts, stops or drains, two may own a key for about a second; on both sides of a network partition two
 * do until it heals, unless `minOnline` prevents it. docs/ownership.md has the measured rates. Anything that must happen exactly
 * once needs a lock or a unique key in your database.
 *
 * Throws a `TypeError` if the key or an option is malformed.
 */
export declare function shazbotOwner(key: string, options?: OwnerOptions): ShazbotOwner | undefined;
export declare namespace shazbotOwner {
  /**
   * Calls `listener` with the owner of a key: once soon after this call, and whenever another server owns it. Undefined: nobody
   * does, or the engine is not running. Not called when only `settled` changes. An exception in the listener becomes an uncaught
   * exception of the process, as with {@link shazbotEvents}. Throws a `TypeError` if an argument is wrong.
   * @returns a function that ends it
   */
  function watch(key: string, listener: (owner: ShazbotOwner | undefined) => void, options?: OwnerOptions): () => void;
}

/**
 * Returns the base URLs of the first `count` owners of a key: the owner, then the one that would own the key without it, and so on.
 * For copies of data, for example. Fewer if there are not so many servers, and
 * none where {@link shazbotOwner} returns undefined.
 */
export declare function shazbotOwners(key: string, count: number, options?: OwnerOptions): string[];

/**
 * Answers `POST /clustershazbot/gossip`. You need it only for a route that you write yourself: `clustershazbot/express`,
 * `/fastify` and `/nestjs` have the routes ready-made.
 *
 * Rejects with `SHAZBOT_UNAUTHORIZED` if the header is not the gossip secret (or a signature with it, depending on
 * `SHAZBOT_AUTH`), and with `SHAZBOT_INVALID_MESSAGE` if the body is not a gossip message.
 * @param authorizationHeader the request's `Authorization` header
 * @param body the request's body, parsed as JSON
 * @returns the body of the response
 */
export declare function shazbotGossipRequest(
  authorizationHeader: string | null | undefined,
  body: GossipMessage,
): Promise<GossipMessage>;

/**
 * Answers `GET /clustershazbot/list`, for a route that you write yourself. Anyone gets the online servers; a caller with the
 * control secret gets the offline servers too.
 *
 * Rejects with `SHAZBOT_UNAUTHORIZED` if `SHAZBOT_LIST_AUTH=required` and the header is neither of the secrets.
 * @param authorizationHeader the request's `Authorization` header; empty if it has none
 * @returns the body of the response
 */
export declare function shazbotListRequest(authorizationHeader: string | null | undefined): Promise<ServerList>;

/**
 * Answers `POST /clustershazbot/control`, for a route that you write yourself: drains this server (`online: false`), or lists
 * it online again (`online: true`).
 *
 * Rejects with `SHAZBOT_UNAUTHORIZED` if the header is not the control secret, and with `SHAZBOT_INVALID_MESSAGE` if the body
 * is not a control message.
 * @param authorizationHeader the request's `Authorization` header
 * @param message the request's body, parsed as JSON
 */
export declare function shazbotControlRequest(
  authorizationHeader: string | null | undefined,
  message: ControlMessage,
): Promise<void>;

/**
 * Returns the servers that this server knows now, including itself. The objects are copies, which you may change.
 *
 * Throws `SHAZBOT_NOT_STARTED` if the engine is not running.
 * @param includeOffline whether the result has `offline`; default false
 */
export declare function shazbotGetServerList(includeOffline?: boolean): ServerList;

/**
 * What a server says of itself, such as its role, zone and version: at most 16 keys of `a-z`, `0-9`, `_`, `.` and `-`, each 1
 * to 32 characters, with values of printable text; at most 512 bytes together.
 */
export type Tags = Readonly<Record<string, string>>;

/** A server that is online, as {@link shazbotServers} returns it. */
export interface ShazbotServer extends GossipServer {
  /** Its tags. Empty for a server that has none, and for servers of version 1. The object is frozen. */
  tags: Tags;
  /** Whether it is this server. */
  self: boolean;
  /** Whether it does not answer this server, which has asked others to try it. */
  suspect: boolean;
  /**
   * Whether it may be given work: {@link shazbotPick} and {@link shazbotOwner} pass over one that is not ready. True for servers of
   * version 1.
   */
  ready: boolean;
}

/**
 * Which servers are meant: those whose tags have these values, `{ role: 'api', zone: ['eu-1a', 'eu-1b'] }` (one value of each
 * array), or those for which a function returns true. A server without a tag does not match a condition on it.
 */
export type Where = Readonly<Record<string, string | readonly string[]>> | ((server: ShazbotServer) => boolean);

/**
 * Returns the servers that are online, including this one unless it is drained, with their tags. The objects are copies, apart
 * from `tags`. Cheap enough to be called for each request: with 1 000 servers it takes about 0.1 ms.
 *
 * Throws `SHAZBOT_NOT_STARTED` if the engine is not running, and a `TypeError` if `where` is malformed.
 * @param where default: all of them
 */
export declare function shazbotServers(where?: Where): ShazbotServer[];

/**
 * Replaces the tags of this server; those of `SHAZBOT_TAGS` are what it starts with. The others are told at once, but at most
 * once in a gossip interval: of several calls within it the last counts. The own lists show the tags when the others are told.
 *
 * Throws `SHAZBOT_INVALID_TAGS` if a key or a value is not allowed, or there are too many; the message names the key, and the
 * tags stay as they were. Throws `SHAZBOT_NOT_STARTED` if the engine is not running.
 */
export declare function shazbotSetTags(tags: Tags): void;

/**
 * Why a server is offline: it `left` (was shut down), was `drained`, or `failed` (the others cannot reach it). Missing if that
 * is not known: servers of version 1 do not report it.
 */
export type OfflineReason = 'left' | 'drained' | 'failed';

/** A change in the state of a server, as this server sees it. Events about this server itself are emitted too. */
export interface MemberEvent {
  /**
   * `online`, `offline`: the server is now listed so, and was not before. A server that this process first learns of as offline
   * causes no event, for example one that failed before this process started: it is in the lists and in the status.
   * `suspect`: it does not answer this server, which asks others to try it; it is still listed online. `offline` follows if
   * nobody reaches it. If somebody does, no event follows, and this server tries again: unless the server answers it, the next
   * `suspect` comes ten gossip intervals later at the earliest. {@link shazbotStatus} shows which servers are suspect now.
   * `tags`: a server that is online has other tags.
   * `ready`: a server that is online may be given work from now on, or may not any more.
   */
  type: 'online' | 'offline' | 'suspect' | 'tags' | 'ready';
  baseUrl: string;
  monitor: boolean;
  /**
   * `lastUpdate` of the server's new entry in the lists: ms since the epoch, by the clock of the server that wrote the entry.
   * A server that leaves sets it about 10 s and two gossip intervals into the future, so that no other entry is newer.
   */
  lastUpdate: number;
  /** Why the server is offline, if that is known. */
  reason?: OfflineReason;
  /** Base URL of the server that declared it `failed`. */
  by?: string;
  /**
   * On `suspect`, and on `offline` with the reason `failed`: why the last exchange of this server with it failed, see
   * {@link ExchangeFailure}. Missing if this server has not tried it since it last answered: others found the failure.
   */
  error?: { code: string; message: string };
  /** The tags of the server. Missing if it has none, or if they are not known. */
  tags?: Tags;
  /** In a `ready` event: whether the server is ready. */
  ready?: boolean;
  /** When this server learned of the change: ms since the epoch, by its own clock. */
  at: number;
  /**
   * Milliseconds between `lastUpdate` and `at`, corrected for the difference between the two clocks as far as it is known: how
   * late the news is. 0 for a server that leaves, unless the news is very late.
   */
  knownAfter: number;
}

/** A listener for {@link shazbotEvents}. It runs on the event loop; the event is frozen. */
export type MemberListener = (event: Readonly<MemberEvent>) => void;

/**
 * The names of the events. `change` is emitted after each `online` and each `offline`, with the same event. It is not emitted
 * for `suspect`, `tags` and `ready`.
 */
export type MemberEventName = MemberEvent['type'] | 'change';

/** What a listener for an event gets: `EventOf<'ready'>` always has `ready`, for example. */
export type EventOf<Name extends MemberEventName> = Readonly<MemberEvent> & {
  readonly type: Name extends 'change' ? 'online' | 'offline' : Name;
} & (Name extends 'ready' ? { readonly ready: boolean } : unknown) &
  (Name extends 'tags' ? { readonly tags: Tags } : unknown);

/** A Node `EventEmitter`, declared here so that programs do not need `@types/node`. */
export interface ShazbotEvents {
  on<Name extends MemberEventName>(name: Name, listener: (event: EventOf<Name>) => void): this;
  once<Name extends MemberEventName>(name: Name, listener: (event: EventOf<Name>) => void): this;
  off<Name extends MemberEventName>(name: Name, listener: (event: EventOf<Name>) => void): this;
  addListener<Name extends MemberEventName>(name: Name, listener: (event: EventOf<Name>) => void): this;
  removeListener<Name extends MemberEventName>(name: Name, listener: (event: EventOf<Name>) => void): this;
  prependListener<Name extends MemberEventName>(name: Name, listener: (event: EventOf<Name>) => void): this;
  prependOnceListener<Name extends MemberEventName>(name: Name, listener: (event: EventOf<Name>) => void): this;
  removeAllListeners(name?: MemberEventName): this;
  emit(name: MemberEventName, event: Readonly<MemberEvent>): boolean;
  setMaxListeners(count: number): this;
  getMaxListeners(): number;
  listeners(name: MemberEventName): MemberListener[];
  rawListeners(name: MemberEventName): MemberListener[];
  listenerCount(name: MemberEventName, listener?: MemberListener): number;
  eventNames(): MemberEventName[];
  /**
   * Returns the online and offline servers, after it has emitted all events that led to these lists: every later event is a
   * change of them. Use it to keep a list of your own up to date: subscribe, then call it. A list of the online servers that is
   * kept so is always complete. One of the offline servers lacks those that this process first learns of as offline, which
   * cause no event.
   *
   * If a listener calls it, the lists may be newer than the events emitted so far. Throws `SHAZBOT_NOT_STARTED` if the engine
   * is not running.
   */
  snapshot(): Required<ServerList>;
}

/**
 * Emits an event when a server comes online, goes offline, is suspected, or changes its tags or its readiness, in the order in
 * which this server learns of it.
 * Listeners stay registered when the engine is shut down and started again. An exception in a listener becomes an uncaught
 * exception of the process; the other events are still emitted.
 *
 * The same events are published to the channels `clustershazbot:member:online`, `clustershazbot:member:offline`,
 * `clustershazbot:member:suspect`, `clustershazbot:member:tags` and `clustershazbot:member:ready` of `node:diagnostics_channel`.
 */
export declare const shazbotEvents: ShazbotEvents;

/**
 * Why an exchange with a server failed. `code` is the code that Node users know, such as `ECONNREFUSED`, `ETIMEDOUT`,
 * `ENOTFOUND` or `CERT_HAS_EXPIRED`; or `HTTP_` with the status, such as `HTTP_404`; or one of this package, such as
 * `SHAZBOT_NO_ANSWER`. docs/errors.md explains each.
 */
export interface ExchangeFailure {
  code: string;
  /** In words, for people: at most 200 characters. May contain text of the other server; contains no secret. */
  message: string;
  /** When it failed: ms since the epoch, by the clock of this server. */
  at: number;
}

/** What this server knows about one server. Times are ms since the epoch, by the clock of this server. */
export interface MemberStatus extends GossipServer {
  /** `suspect`: listed online, but it does not answer this server, which has asked others to try it. */
  state: 'online' | 'suspect' | 'offline';
  /** Major version of this package that the server runs. */
  protocol: 1 | 2;
  /**
   * Version of the server's state. Only the server itself raises it, for example when it starts, drains, leaves, or denies
   * that it has failed. Servers of version 1 have none.
   */
  incarnation?: number;
  /** Why the server is offline, if that is known. */
  reason?: OfflineReason;
  /** Base URL of the server that declared it `failed`. */
  by?: string;
  /** When this server first learned of it, or of its last restart. */
  since: number;
  /**
   * Since when it is in its state, and for the same `reason`, as this server learned it. A server that was offline when this
   * process first learned of it: since then.
   */
  changedAt: number;
  /** When it last answered a gossip message of this server. Missing if it never did. */
  answered?: number;
  /** When this server last got a gossip message or an answer from it. Missing if it never did. */
  heard?: number;
  /** Failed exchanges with it since it last answered. */
  failures: number;
  /** Why the last exchange with it failed. Missing if it has answered since, or if this server has not tried. */
  lastError?: ExchangeFailure;
  /** Version of this package that it runs. Missing until this server gets a message from it. */
  version?: string;
  /** Its tags. Missing if they are not known: those of servers of version 1, for example. */
  tags?: Tags;
  /** Whether it may be given work, unless it is offline. True for servers of version 1. */
  ready: boolean;
}

/** One of the master lists. Times are ms since the epoch, by the clock of this server. */
export interface MasterListStatus {
  /** URL or file of the list, without its query, user name and password; a name in DNS; or `discover()`. */
  name: string;
  /** When it was last read. */
  read?: number;
  /** When this server last wrote it. */
  written?: number;
  /** Number of servers in the list when it was last read or written. */
  servers: number;
  /** Failed reads and writes since the last one that succeeded. */
  failures: number;
  /** Failed reads and writes since the start. */
  failed: number;
  /** Reason of the last failure. Missing if the last read or write succeeded. */
  error?: string;
}

/** Counters since the start of the engine. */
export interface ShazbotCounters {
  /** Exchanges (a gossip message and its answer) that this server began, by their result. */
  out: {
    answered: number;
    /** Connection refused. */
    refused: number;
    /** No answer in time. */
    timedOut: number;
    /** The name does not resolve, there is no route, or a proxy or the other program is not ready. */
    unreachable: number;
    /** The other server does not accept this server's secret, or belongs to another cluster. */
    rejected: number;
    /** Any other failure. */
    failed: number;
  };
  /**
   * Exchanges that other servers began, by their result: `rejected` with a wrong secret or from another cluster, `invalid`
   * messages, `limited` because there were too many per second. A server also counts its requests to its own base URL, which it
   * sends after its start, and for as long as it knows no other server of version 2.
   */
  in: { answered: number; rejected: number; invalid: number; limited: number };
  /**
   * Histogram of the duration of the answered exchanges that this server began, in seconds. `counts[i]` exchanges took longer
   * than `le[i - 1]` and at most `le[i]`; the last count is for those longer than the last `le`. `sum` is the total duration.
   */
  durations: { le: number[]; counts: number[]; sum: number };
  /** Bytes of message bodies. `in` counts only exchanges that servers of version 2 began. */
  bytes: { out: { sent: number; received: number }; in: { sent: number; received: number } };
  /** Updates about servers that this server passed on. */
  updates: number;
  /** Times that a server did not answer, so that this server asked others to try it. */
  suspicions: number;
  /** Times that this server declared another server failed. */
  deaths: number;
  /** Times that this server denied a report that it is offline. */
  refutations: number;
  /**
   * Silent connections to other servers, which the kernel closes as soon as their process ends: how many are `open` now, how
   * many others have `closed`, whose host `vanished`, or that were `notOpened`; and the `probes` that these and other hints
   * started.
   */
  watches: { open: number; closed: number; vanished: number; notOpened: number; probes: number };
  /** Seconds of event loop time spent on requests of other servers. */
  eventLoop: number;
}

/** A warning whose cause holds now. docs/errors.md has the codes. */
export interface ShazbotWarning {
  /** Stays the same between versions. */
  code: string;
  /** What is wrong, and what to do. Contains no secret. */
  message: string;
  /** Since when its cause holds: ms since the epoch, by the clock of this server. */
  since: number;
  /** What it is about, where there may be several with the same code: a server, a master list, an entry. */
  subject?: string;
}

/** The state of this server, and what it knows about the others. Times are ms since the epoch, by its clock. */
export interface ShazbotStatus {
  /** Base URL of this server. */
  baseUrl: string;
  /** State of this server. `left`: it is shutting down. */
  state: 'online' | 'drained' | 'left';
  /** Whether this server is a monitor. */
  monitor: boolean;
  /** Version of this package. */
  version: string;
  /** When this status was taken. */
  at: number;
  /** When the engine was started. */
  startedAt: number;
  /** Seconds between two gossip rounds. */
  interval: number;
  /** The last exchange that another server began. `baseUrl` is missing if that server is of version 1. */
  lastIn?: { at: number; baseUrl?: string };
  /** The last answered exchange that this server began. */
  lastOut?: { at: number; baseUrl: string };
  /**
   * The warnings whose cause holds now, oldest first: at most 8 with the same code, and at most 50. One whose cause is gone is
   * missing; docs/errors.md says what ends each.
   */
  warnings: ShazbotWarning[];
  /** How many more warnings hold. Missing if there are none. */
  moreWarnings?: number;
  /** All servers that this server knows, including itself. */
  members: MemberStatus[];
  /** The master lists, in the order of `SHAZBOT_MASTER_LIST`. */
  masterLists: MasterListStatus[];
  /** The last 200 events, oldest first. */
  recent: Readonly<MemberEvent>[];
  /** Counters since the start. */
  exchanges: ShazbotCounters;
}

/**
 * Returns the state of this server and of all servers that it knows: for dashboards and diagnosis. The ready-made routes serve
 * it as `GET /clustershazbot/status` to callers with the control secret.
 *
 * Throws `SHAZBOT_NOT_STARTED` if the engine is not running.
 */
export declare function shazbotStatus(): ShazbotStatus;

// Each interface of version 1 is also exported as a value. `import { shazbotStart, GossipMessage }` then works with compilers
// that see one file at a time and therefore keep the import of a type. At run time each value is `Object`.
export declare const GossipServer: ObjectConstructor;
export declare const ServerList: ObjectConstructor;
export declare const GossipMessage: ObjectConstructor;
export declare const ControlMessage: ObjectConstructor;
export declare const Config: ObjectConstructor;
