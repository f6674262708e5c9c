// A Nest application with the package's module and health check, for __test__/nest-module.test.js, which compiles it in two
// ways. Its global prefix, version, interceptor and guard must not affect the package's routes.
// HOOKS, PLATFORM, PAGE, CONTEXT, SECOND and PARSER select variants.

import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  Inject,
  Module,
  type NestInterceptor,
  type OnApplicationShutdown,
  Post,
  VersioningType,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { ShazbotController, ShazbotModule, ShazbotService } from 'clustershazbot/nestjs';
import { ShazbotHealthIndicator } from 'clustershazbot/nestjs/terminus';
import { map } from 'rxjs';

const { PORT = '3000', HOOKS = 'yes', PLATFORM, PAGE = 'yes', CONTEXT, SECOND, PARSER = 'yes' } = process.env;

@Controller({ version: '1' })
class AppController implements OnApplicationShutdown {
  constructor(
    @Inject(ShazbotService) private readonly cluster: ShazbotService,
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(ShazbotHealthIndicator) private readonly indicator: ShazbotHealthIndicator,
  ) {
    cluster.events.on('offline', ({ baseUrl, reason }) => console.log(`${baseUrl} ${reason}`));
  }

  @Get('peers')
  peers() {
    return this.cluster.servers({ role: 'nest' }).map(({ baseUrl }) => baseUrl);
  }

  @Get('health')
  @HealthCheck()
  check() {
    return this.health.check([
      async () => this.indicator.isHealthy('cluster', { minOnline: 2, where: { role: 'nest' } }),
    ]);
  }

  @Post('drain')
  drain() {
    this.cluster.drain();
    return this.cluster.status().state;
  }

  @Post('undrain')
  undrain() {
    this.cluster.undrain();
    return this.cluster.status().state;
  }

  onApplicationShutdown() {
    console.log('closed');
  }
}

class WrapInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(map((data) => ({ data })));
  }
}

class Guard {
  canActivate(context: ExecutionContext) {
    return context.getClass() === ShazbotController || context.switchToHttp().getRequest().headers.user === 'me';
  }
}

@Module({
  imports: [
    TerminusModule,
    PAGE === 'yes'
      ? ShazbotModule.forRoot({ isGlobal: true, tags: { role: 'nest' } })
      : ShazbotModule.forRootAsync({ inject: [], useFactory: async () => ({ page: false, tags: { role: 'nest' } }) }),
  ],
  controllers: [AppController],
  providers: [ShazbotHealthIndicator],
})
class AppModule {}

async function create() {
  if (PLATFORM !== 'fastify') return NestFactory.create(AppModule, { bodyParser: PARSER === 'yes' });
  const { FastifyAdapter } = await import('@nestjs/platform-fastify' as string);
  return NestFactory.create(AppModule, new FastifyAdapter());
}

async function main() {
  if (CONTEXT) {
    const context = await NestFactory.createApplicationContext(AppModule);
    console.log(JSON.stringify(context.get(ShazbotHealthIndicator).isHealthy('cluster')));
    return context.close();
  }
  const app = await create();
  app.setGlobalPrefix('api');
  app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
  app.useGlobalInterceptors(new WrapInterceptor());
  app.useGlobalGuards(new Guard());
  if (HOOKS === 'yes') app.enableShutdownHooks();
  await app.listen(PORT, '127.0.0.1');
  if (!SECOND) return;
  // A command in the same process may do this.
  await (await NestFactory.createApplicationContext(AppModule)).close();
  console.log('second context closed');
}
main();
