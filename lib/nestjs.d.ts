import type {
  BeforeApplicationShutdown,
  ConfigurableModuleAsyncOptions,
  DynamicModule,
  OnApplicationBootstrap,
} from '@nestjs/common';
import type {
  OneServerOptions,
  OwnerOptions,
  PickOptions,
  ServerList,
  ShazbotEvents,
  ShazbotOwner,
  ShazbotServer,
  ShazbotStartOptions,
  ShazbotStatus,
  shazbotWaitFor,
  Tags,
  Where,
} from '../index.js';
import type { ShazbotFetchInit } from './fetch.js';

/** With `config`, `discover`, `tags` and `port` as `shazbotStart` takes them: by default the environment variables configure it. */
export interface ShazbotModuleOptions extends ShazbotStartOptions {
  /**
   * Whether this server joins the cluster; default true. With false, for tests, nothing starts: {@link ShazbotService} returns
   * empty lists, a drain and new tags do nothing, the routes answer 503, and the health indicator reports `up`.
   */
  enabled?: boolean | undefined;
  /**
   * Whether `GET /clustershazbot/` serves the page that shows the cluster; default true. The page itself contains no data: it
   * asks its user for the control secret.
   */
  page?: boolean | undefined;
  /**
   * Milliseconds for which this server is drained, and goes on answering requests, before it leaves the cluster when the application
   * closes. Default: 1500 if other servers are online, else 0.
   */
  drainFor?: number | undefined;
}

/** Given together with {@link ShazbotModuleOptions}. */
export interface ShazbotModuleExtras {
  /** Whether all modules of the application can inject {@link ShazbotService} without importing this one; default false. */
  isGlobal?: boolean | undefined;
  /**
   * Decorators for {@link ShazbotController}, such as one that exempts it from a guard of the whole application:
   * `decorators: [Public(), SkipThrottle({ short: true })]`. The same as `Public()(ShazbotController)`.
   */
  decorators?: readonly ClassDecorator[] | undefined;
}

/**
 * A module for Nest 11 and 12, on Express or Fastify: it answers the requests of the cluster below `/clustershazbot`, joins the
 * cluster when the application starts, and leaves it when the application closes, while that still answers requests. Import it
 * once:
 *
 * ```ts
 * @Module({ imports: [ShazbotModule.forRoot()] })
 * class AppModule {}
 * ```
 *
 * The options can come from other modules:
 *
 * ```ts
 * ShazbotModule.forRootAsync({
 *   inject: [ConfigService],
 *   useFactory: (env: ConfigService) => ({ config: { SHAZBOT_SECRET: env.getOrThrow('GOSSIP_SECRET') } }),
 * });
 * ```
 *
 * Call `app.enableShutdownHooks()` before `app.listen()`, so that Nest closes the application on SIGTERM and SIGINT. The start
 * of the application fails with `SHAZBOT_INVALID_CONFIG` if variables or options are missing or wrong.
 */
// biome-ignore lint/complexity/noStaticOnlyClass: a module of Nest is a class
export declare class ShazbotModule {
  static forRoot(options?: ShazbotModuleOptions & ShazbotModuleExtras): DynamicModule;
  static forRootAsync(
    options: ConfigurableModuleAsyncOptions<ShazbotModuleOptions> & ShazbotModuleExtras,
  ): DynamicModule;
}

/**
 * Injectable access to the cluster, from {@link ShazbotModule}. Its methods fail as the functions of the
 * package do: most throw `SHAZBOT_NOT_STARTED` before the application has started.
 */
export declare class ShazbotService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  /** Emits `online`, `offline`, `suspect`, `tags` and `change` events about servers. The same object as `shazbotEvents`. */
  readonly events: ShazbotEvents;
  /** Returns the servers that this server knows now, as copies; with `includeOffline` those that are offline too. */
  list(includeOffline?: boolean): ServerList;
  /** Returns the servers that are online, with their tags; with `where` those that match it. The same as `shazbotServers`. */
  servers(where?: Where): ShazbotServer[];
  /** Replaces the tags of this server. The same as `shazbotSetTags`. */
  setTags(tags: Tags): void;
  /** Chooses a server to send a request to. The same as `shazbotPick`. */
  pick(options?: PickOptions): ShazbotServer | undefined;
  /** Returns the server that owns a key. The same as `shazbotOwner`: it is not a lock. */
  owner(key: string, options?: OwnerOptions): ShazbotOwner | undefined;
  /** Returns the first `count` owners of a key. The same as `shazbotOwners`. */
  owners(key: string, count: number, options?: OwnerOptions): string[];
  /** Resolves as soon as enough servers are online. The same as `shazbotWaitFor`. */
  waitFor(options?: Parameters<typeof shazbotWaitFor>[0]): Promise<ShazbotServer[]>;
  /** Sends a request to one of the servers. The same as `shazbotFetch` of `clustershazbot/fetch`. */
  fetch(path: string, init?: ShazbotFetchInit): Promise<Response>;
  /** Says whether this server may be given work. The same as `shazbotReady`. */
  ready(isReady?: boolean): void;
  /** Returns the state of this server and of all servers that it knows. */
  status(): ShazbotStatus;
  /** Lists this server offline, until {@link undrain} or the next start. It goes on answering requests and gossiping. */
  drain(): void;
  /** Lists this server online again. */
  undrain(): void;
  /** Called by Nest: joins the cluster. */
  onApplicationBootstrap(): Promise<void>;
  /** Called by Nest: leaves the cluster. */
  beforeApplicationShutdown(): Promise<void>;
}

/**
 * Decorates a method that one server of the cluster is to run, such as one with `@Cron` of @nestjs/schedule: on the others a call
 * does nothing and returns undefined. The decorators may stand in any order.
 *
 * ```ts
 * @Cron('0 3 * * *')
 * @OnOneServer('nightly', { minOnline: 3 })
 * async nightly() {}
 * ```
 *
 * It is not a lock: see `shazbotOwner` for when a run is missed or done twice. Nothing runs before the application has joined the
 * cluster, nor after it has left. With `enabled: false` in the options of the module, each process runs the method.
 * @param key default: the names of the class and of the method
 */
export declare function OnOneServer(
  key?: string,
  options?: OneServerOptions,
): <T>(target: object, name: string | symbol, descriptor: TypedPropertyDescriptor<T>) => void;

/**
 * Lets one server of the cluster run each job of @nestjs/schedule 5, 6 or 12: wraps its module, so that no job needs a decorator.
 *
 * ```ts
 * imports: [ShazbotModule.forRoot(), scheduleOnOneServer(ScheduleModule.forRoot(), { minOnline: 3 })],
 * ```
 *
 * The key of a job is its name, or the names of its class and its method. A method with {@link OnOneServer} keeps the key and the
 * options of that; one with {@link OnEachServer} runs on each server. Only what the schedule starts is affected: the application
 * may call the methods on any server. Jobs that the application adds to the `SchedulerRegistry` are not affected either.
 *
 * A `@Timeout` begins when its own process starts: it runs only if this server is the owner at its end. As with
 * {@link OnOneServer}, nothing runs before the application has joined the cluster.
 * @param schedule what `ScheduleModule.forRoot()` or `forRootAsync()` returns
 */
export declare function scheduleOnOneServer(schedule: DynamicModule, options?: OneServerOptions): DynamicModule;

/** Decorates a method that each server is to run, in an application with {@link scheduleOnOneServer}. */
export declare function OnEachServer(): MethodDecorator;

/**
 * The controller of the routes. Exempt it from guards of the whole application, since the routes check their own secrets: with
 * `decorators` in the options of {@link ShazbotModule}, or in the guard with
 * `if (context.getClass() === ShazbotController) return true;`. It is exempt already from the throttler of `@nestjs/throttler` that
 * has no name, and left out of the document of `@nestjs/swagger`.
 */
export declare class ShazbotController {}
