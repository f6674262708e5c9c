// A test of a Nest application that replaces ShazbotService, for __test__/nest-override.test.js.

import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { ShazbotModule, ShazbotService } from 'clustershazbot/nestjs';
import { ShazbotHealthIndicator } from 'clustershazbot/nestjs/terminus';
import { createFakeCluster } from 'clustershazbot/testing';

// Like an application's health module: it does not import ShazbotModule itself.
@Module({ imports: [TerminusModule], providers: [ShazbotHealthIndicator] })
class HealthModule {}

@Module({ imports: [HealthModule, ShazbotModule.forRoot()] })
class AppModule {}

/** What the health check says in a test that replaces the service by `value`. */
async function health(value?: object) {
  const builder = Test.createTestingModule({ imports: [AppModule] });
  if (value) builder.overrideProvider(ShazbotService).useValue(value);
  const app = (await builder.compile()).createNestApplication();
  await app.init();
  const indicator = app.get(ShazbotHealthIndicator);
  const { cluster: all } = indicator.isHealthy('cluster', { minOnline: 2 });
  const { cluster: some } = indicator.isHealthy('cluster', { minOnline: 2, where: { role: 'db' } });
  await app.close();
  return [all, some];
}

const servers = [{ baseUrl: 'http://a/' }, { baseUrl: 'http://b/' }];
console.log(JSON.stringify(await health({ list: () => ({ online: servers }), servers: () => servers.slice(1) })));
const fake = createFakeCluster({ online: ['http://a/', { baseUrl: 'http://b/', tags: { role: 'db' } }] });
console.log(JSON.stringify(await health(fake.service)));
// Without a replacement, the module asks the fake cluster.
console.log(JSON.stringify(await health()));
