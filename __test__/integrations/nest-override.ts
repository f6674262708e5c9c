// A test of a Nest application that replaces ShazbotService, for __test__/nest-override.test.js.

import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { ShazbotModule, ShazbotService } from 'clustershazbot/nestjs';
import { ShazbotHealthIndicator } from 'clustershazbot/nestjs/terminus';

// Like an application's health module: it does not import ShazbotModule itself.
@Module({ imports: [TerminusModule], providers: [ShazbotHealthIndicator] })
class HealthModule {}

@Module({ imports: [HealthModule, ShazbotModule.forRoot()] })
class AppModule {}

const servers = [{ baseUrl: 'http://a/' }, { baseUrl: 'http://b/' }];
const fake = { list: () => ({ online: servers }), servers: () => servers.slice(1) };
const testing = await Test.createTestingModule({ imports: [AppModule] })
  .overrideProvider(ShazbotService)
  .useValue(fake)
  .compile();
const app = testing.createNestApplication();
await app.init();
const indicator = app.get(ShazbotHealthIndicator);
console.log(
  JSON.stringify([
    indicator.isHealthy('cluster', { minOnline: 2 }).cluster,
    indicator.isHealthy('cluster', { minOnline: 2, where: { role: 'db' } }).cluster,
  ]),
);
await app.close();
