'use strict';

// A Nest application with the module of clustershazbot/nestjs whose routes are not found, for the reason that TEST_FAULT names.

const { HttpException, Module } = require('@nestjs/common');
const { APP_GUARD, NestFactory } = require('@nestjs/core');
const { ShazbotModule } = require('clustershazbot/nestjs');

const { TEST_FAULT, TEST_PORT } = process.env;

const guards = {
  'a guard': () => false,
  'a throttler': () => {
    throw new HttpException('ThrottlerException: Too Many Requests', 429);
  },
};
const canActivate = guards[/** @type {keyof typeof guards} */ (TEST_FAULT)];

class AppModule {}
Module({
  imports: [ShazbotModule.forRoot()],
  providers: canActivate ? [{ provide: APP_GUARD, useValue: { canActivate } }] : [],
})(AppModule);

NestFactory.create(AppModule, { logger: ['error'] }).then((app) => {
  if (TEST_FAULT === 'a global prefix') app.setGlobalPrefix('api');
  return app.listen(Number(TEST_PORT), '127.0.0.1');
});
