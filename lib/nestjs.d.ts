import type {
  BeforeApplicationShutdown,
  ConfigurableModuleAsyncOptions,
  DynamicModule,
  OnApplicationBootstrap,
} from '@nestjs/common';
import type { ServerList, ShazbotEvents, ShazbotStatus } from '../index.js';

export interface ShazbotModuleOptions {
  /** Whether the page is served, at `/clustershazbot`; default true. It asks for the control secret. */
  page?: boolean | undefined;
}

/** Beside the options: whether the whole application can inject {@link ShazbotService}; default false. */
export interface ShazbotModuleExtras {
  isGlobal?: boolean;
}

/**
 * The routes of this package, and the engine's life: it starts with the application, whose start fails with
 * `SHAZBOT_INVALID_CONFIG` where a variable is wrong, and it leaves the cluster when the application is closed, while that
 * still answers. `app.enableShutdownHooks()` closes it on signals. Import it once.
 */
// biome-ignore lint/complexity/noStaticOnlyClass: a module of Nest is a class
export declare class ShazbotModule {
  static forRoot(options?: ShazbotModuleOptions & ShazbotModuleExtras): DynamicModule;
  static forRootAsync(
    options: ConfigurableModuleAsyncOptions<ShazbotModuleOptions> & ShazbotModuleExtras,
  ): DynamicModule;
}

/** What a program asks of the cluster. All but `events` throws `SHAZBOT_NOT_STARTED` before start. */
export declare class ShazbotService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  /** What becomes of servers. */
  readonly events: ShazbotEvents;
  /** The lists as this server has them now: copies. */
  list(includeOffline?: boolean): ServerList;
  /** How this server sees itself and the others. */
  status(): ShazbotStatus;
  /** Has this server listed offline, until {@link undrain} or the next start. It goes on answering and gossiping. */
  drain(): void;
  /** Has it listed online again. */
  undrain(): void;
  onApplicationBootstrap(): Promise<void>;
  beforeApplicationShutdown(): Promise<void>;
}

/** The routes. To exempt them from a guard of the whole application: `context.getClass() === ShazbotController`. */
export declare class ShazbotController {}
