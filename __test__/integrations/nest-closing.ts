// Nest applications that are closed while they start, or cannot listen, for __test__/nest-closing.test.js. CASE selects which.

import { createServer } from 'node:net';
import { Module, type OnModuleInit } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { shazbotGetServerList } from 'clustershazbot';
import { ShazbotModule } from 'clustershazbot/nestjs';

const { CASE, PORT = '3000' } = process.env;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

@Module({ imports: [ShazbotModule.forRoot()] })
class AppModule implements OnModuleInit {
  onModuleInit() {
    return sleep(200);
  }
}

const app = await NestFactory.create(AppModule, { logger: ['error'] });
const tellState = () => {
  try {
    console.log(`started, ${shazbotGetServerList().online.length} online`);
  } catch (error) {
    console.log((error as Error).message);
  }
};

if (CASE === 'closed before the start' || CASE === 'closed during the start') {
  const initialized = app.init().catch(() => {});
  await sleep(CASE === 'closed before the start' ? 50 : 210);
  await app.close();
  await initialized;
  await sleep(500);
  tellState();
} else {
  await new Promise<void>((resolve) => createServer().listen(Number(PORT), '127.0.0.1', resolve).unref());
  await app.init();
  tellState();
  if (CASE === 'cannot listen') {
    await app.listen(PORT, '127.0.0.1').catch((error) => console.log(error.code));
    while (true) {
      await sleep(100);
      tellState();
    }
  }
  await app.listen(PORT, '127.0.0.1');
}
