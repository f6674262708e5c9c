/** One server, as the lists show it. */
export interface GossipServer {
  /** Base URL, absolute, ending in `/`: `https://<server>:<port>/`. */
  baseUrl: string;
  /** Whether the server is a monitor, which others prefer as gossip partner. */
  monitor: boolean;
  /** When the server last vouched for itself: ms since the epoch, by its own clock. */
  lastUpdate: number;
}

/** The servers that are up and, where asked for and allowed, those that are not; their order means nothing. */
export interface ServerList {
  online: GossipServer[];
  offline?: GossipServer[];
}

/**
 * The body of `POST clustershazbot/gossip`, and its answer. Between servers of version 2 a further field, `shazbot`,
 * carries what the lists do not: pass both on whole.
 */
export interface GossipMessage extends ServerList {
  message: 'gossip';
}

/** The body of `POST clustershazbot/control`. */
export interface ControlMessage {
  message: 'control';
  /** `false` drains this server: it is listed offline until `true` is sent, or until the next start. */
  online: boolean;
}

/**
 * The environment variables that version 1 had and {@link shazbotStart} reads, after parsing. The README has the further
 * ones: `SHAZBOT_ALLOWED_ORIGINS`, `SHAZBOT_AUTH`, and others.
 */
export interface Config {
  /** Secret that every server of the cluster shares: authorises gossip. */
  SHAZBOT_SECRET: string;
  /** Secret that authorises control requests and shows the offline list. */
  SHAZBOT_CONTROL_SECRET: string;
  /** Base URL under which the other servers reach this one. */
  SHAZBOT_BASE_URL: string;
  /** URL that the master list is read from: http, https or file. */
  SHAZBOT_MASTER_LIST: string;
  /** URL that the master list is written to: http, https or file. */
  SHAZBOT_MASTER_LIST_UPDATE: string;
  /** `Authorization` header of the master list's update; empty for none. */
  SHAZBOT_MASTER_LIST_UPDATE_AUTH: string;
  /** Seconds between two rounds of gossip, the same on all servers: 0.1 to 3600, default 30. Time-outs follow it. */
  SHAZBOT_GOSSIP_INTERVAL: number;
  /** Least seconds between two updates of the master list: up to 86400, default 300. */
  SHAZBOT_MASTER_ANNOUNCE_MINIMUM: number;
  /** Most seconds added to that at random: up to 86400, default 600. */
  SHAZBOT_MASTER_ANNOUNCE_INTERVAL: number;
  /** Whether this server is a monitor; default false. */
  SHAZBOT_MONITOR: boolean;
  /** Whether a shutdown takes this server out of the master list; default false. */
  SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN: boolean;
}

/**
 * What every call here rejects or throws with: an `Error` with these fields besides.
 * docs/errors.md lists the codes with cause and remedy.
 */
export interface ShazbotError extends Error {
  code:
    | 'SHAZBOT_UNAUTHORIZED'
    | 'SHAZBOT_MISDIRECTED'
    | 'SHAZBOT_WRONG_CLUSTER'
    | 'SHAZBOT_INVALID_MESSAGE'
    | 'SHAZBOT_TOO_LARGE'
    | 'SHAZBOT_LIMIT'
    | 'SHAZBOT_NOT_STARTED'
    | 'SHAZBOT_INVALID_CONFIG'
    | 'SHAZBOT_FAILED';
  /** HTTP status that says the same, as Express and Nest answer it. */
  status: number;
  /** The same as `status`. */
  statusCode: number;
  /** The message may be shown to the client. */
  expose: true;
}

/**
 * Starts the engine with the configuration in `process.env`: reads the master list, gossips with some of the
 * servers in it, then goes on by itself. Resolves when that first round is over, whoever was reached; a further call
 * while running resolves too. Rejects with `SHAZBOT_INVALID_CONFIG`, which names every variable that is wrong.
 */
export declare function shazbotStart(): Promise<void>;

/**
 * Lists this server offline, tells the others, and stops the engine: within 6 s whatever the others do, 12 s
 * where the master list is updated. Resolves when never started, and a second time. Start works again afterwards.
 */
export declare function shazbotShutDown(): Promise<void>;

/**
 * Answers `POST clustershazbot/gossip`. Rejects with `SHAZBOT_UNAUTHORIZED` when the header is neither the
 * shared secret nor a signature with it, whichever `SHAZBOT_AUTH` asks for, `SHAZBOT_INVALID_MESSAGE` when the body is no
 * gossip message; nothing is merged then.
 */
export declare function shazbotGossipRequest(authorizationHeader: string, body: GossipMessage): Promise<GossipMessage>;

/**
 * Answers `GET clustershazbot/list`: the online servers for anyone, the offline ones too for the control secret. Rejects
 * with `SHAZBOT_UNAUTHORIZED` where `SHAZBOT_LIST_AUTH` is `required` and the header is none of the secrets.
 */
export declare function shazbotListRequest(authorizationHeader: string): Promise<ServerList>;

/**
 * Answers `POST clustershazbot/control`: takes this server out of the cluster's online list or back into it.
 * Rejects with `SHAZBOT_UNAUTHORIZED` when the header is not the control secret, `SHAZBOT_INVALID_MESSAGE` when
 * the body is no control message.
 */
export declare function shazbotControlRequest(authorizationHeader: string, message: ControlMessage): Promise<void>;

/** The lists as this server has them now: copies, the caller's to change. Throws `SHAZBOT_NOT_STARTED` before start. */
export declare function shazbotGetServerList(includeOffline?: boolean): ServerList;

/** Why a server is offline. Where it is missing nobody has said: servers of version 1 do not. */
export type OfflineReason = 'left' | 'drained' | 'failed';

/** What has become of a server, as this one sees it; of itself too. Times are ms since the epoch, by its clock. */
export interface MemberEvent {
  /**
   * It is listed online or offline, and was not. `suspect`: it is listed online and does not answer this server, which asks
   * others; if nobody reaches it, `offline` follows. If somebody does, nothing follows: `shazbotStatus()` has who is suspected now.
   */
  type: 'online' | 'offline' | 'suspect';
  baseUrl: string;
  monitor: boolean;
  /** The stamp of what is listed of it now, by the clock of whoever stamped that. One who leaves stamps that some 10 s and two
   * intervals ahead, so that it is the later word. */
  lastUpdate: number;
  /** Why it is offline. */
  reason?: OfflineReason;
  /** Who called it `failed`: a base URL. */
  by?: string;
  /** When this server learned of it. */
  at: number;
  /** How long that was after `lastUpdate`, ms, by the clock that made it as far as this server knows that; 0 of a leave, unless
   * it was heard of late. */
  knownAfter: number;
}

/** Called with what has become of a server. */
export type MemberListener = (event: Readonly<MemberEvent>) => void;

/** The events of {@link shazbotEvents}; `change` comes after each `online` and `offline`. */
export type MemberEventName = MemberEvent['type'] | 'change';

/** A Node `EventEmitter`, declared without Node's types, which not every program has. */
export interface ShazbotEvents {
  on(name: MemberEventName, listener: MemberListener): this;
  once(name: MemberEventName, listener: MemberListener): this;
  off(name: MemberEventName, listener: MemberListener): this;
  addListener(name: MemberEventName, listener: MemberListener): this;
  removeListener(name: MemberEventName, listener: MemberListener): this;
  prependListener(name: MemberEventName, listener: MemberListener): this;
  prependOnceListener(name: MemberEventName, listener: MemberListener): this;
  removeAllListeners(name?: MemberEventName): this;
  emit(name: MemberEventName, event: Readonly<MemberEvent>): boolean;
  setMaxListeners(count: number): this;
  getMaxListeners(): number;
  listeners(name: MemberEventName): MemberListener[];
  rawListeners(name: MemberEventName): MemberListener[];
  listenerCount(name: MemberEventName, listener?: MemberListener): number;
  eventNames(): MemberEventName[];
  /**
   * The lists, once every event that led to them has been emitted: what is emitted after this is news to them. Within a
   * listener they are as they are, which may be ahead of what has been emitted. Throws `SHAZBOT_NOT_STARTED` before start.
   */
  snapshot(): Required<ServerList>;
}

/**
 * What becomes of servers, in the order in which this one learned of it. Listeners stay over a shutdown and a new start.
 * The same goes to the channels `clustershazbot:member:online`, `…:offline` and `…:suspect` of `node:diagnostics_channel`.
 */
export declare const shazbotEvents: ShazbotEvents;

/** What this server knows of one, itself included. Times are ms since the epoch, by this server's clock. */
export interface MemberStatus extends GossipServer {
  /** `suspect`: it is listed online and does not answer this server, which asks others. */
  state: 'online' | 'suspect' | 'offline';
  /** The major version of this package that it speaks. */
  protocol: 1 | 2;
  /** Number of its life and death, which it alone raises. Of protocol 2. */
  incarnation?: number;
  /** Why it is offline. */
  reason?: OfflineReason;
  /** Who called it `failed`: a base URL. */
  by?: string;
  /** Since when this process of it is known. */
  since: number;
  /** When it last answered this server. */
  answered?: number;
  /** When it last spoke to this server, asked or unasked. */
  heard?: number;
  /** Exchanges with it that failed since it last answered. */
  failures: number;
}

/** One of the master lists. Times are ms since the epoch. */
export interface MasterListStatus {
  /** Its URL or file, without query and user name. */
  name: string;
  /** When it was last read. */
  read?: number;
  /** When this server last wrote it. */
  written?: number;
  /** How many servers it named then. */
  servers: number;
  /** How often it could not be read or written since it last could. */
  failures: number;
  /** How often since the start. */
  failed: number;
  /** Why, the last time. */
  error?: string;
}

/** Figures since the start. */
export interface ShazbotFigures {
  /** Exchanges that this server began, by how they ended. */
  out: {
    answered: number;
    /** Nobody listened. */
    refused: number;
    timedOut: number;
    /** No such name, no route, a proxy or a program that is not ready. */
    unreachable: number;
    /** The other does not take our secret, or is of another cluster. */
    rejected: number;
    /** For another reason. */
    failed: number;
  };
  /** Exchanges that others began; and what this server asks itself while it knows no other of version 2. */
  in: { answered: number; rejected: number; invalid: number; limited: number };
  /**
   * How long those took that this server began and that were answered, s: `counts[i]` of them at most `le[i]` and longer
   * than `le[i - 1]`; the last count is of those that took longer than all.
   */
  durations: { le: number[]; counts: number[]; sum: number };
  /** Bytes of the bodies of exchanges that this server began, and of the messages of those that others of protocol 2 began. */
  bytes: { out: { sent: number; received: number }; in: { sent: number; received: number } };
  /** Changes of servers that were told on. */
  rumours: number;
  /** Servers that did not answer, so that others were asked. */
  suspicions: number;
  /** Servers that were called failed by this one. */
  deaths: number;
  /** Answers to what others said of this server. */
  refutations: number;
  /** Seconds of the event loop that were spent on requests. */
  eventLoop: number;
}

/** How a server sees itself and the others. Times are ms since the epoch, by its clock. */
export interface ShazbotStatus {
  /** Its base URL. */
  baseUrl: string;
  /** How it lists itself: `left` while it shuts down. */
  state: 'online' | 'drained' | 'left';
  monitor: boolean;
  /** Version of this package. */
  version: string;
  at: number;
  startedAt: number;
  /** Seconds between two rounds of gossip. */
  interval: number;
  /** The last exchange that another began, and who, where that is of protocol 2. */
  lastIn?: { at: number; baseUrl?: string };
  /** The last one that this server began and that was answered. */
  lastOut?: { at: number; baseUrl: string };
  /** Everybody known, this server included. */
  members: MemberStatus[];
  masterLists: MasterListStatus[];
  /** The last 200 events, the oldest first. */
  recent: Readonly<MemberEvent>[];
  exchanges: ShazbotFigures;
}

/** How this server sees itself and the others now. Throws `SHAZBOT_NOT_STARTED` before start. */
export declare function shazbotStatus(): ShazbotStatus;

// Each interface has a value of its name, so that `import { shazbotStart, GossipMessage }` also loads where a
// compiler keeps the import because it cannot see that GossipMessage is only a type. At run time each is `Object`.
export declare const GossipServer: ObjectConstructor;
export declare const ServerList: ObjectConstructor;
export declare const GossipMessage: ObjectConstructor;
export declare const ControlMessage: ObjectConstructor;
export declare const Config: ObjectConstructor;
