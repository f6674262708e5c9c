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

// Each interface has a value of its name, so that `import { shazbotStart, GossipMessage }` also loads where a
// compiler keeps the import because it cannot see that GossipMessage is only a type. At run time each is `Object`.
export declare const GossipServer: ObjectConstructor;
export declare const ServerList: ObjectConstructor;
export declare const GossipMessage: ObjectConstructor;
export declare const ControlMessage: ObjectConstructor;
export declare const Config: ObjectConstructor;
