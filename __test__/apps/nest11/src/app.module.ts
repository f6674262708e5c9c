// The module of a Nest application with the README's controller and service.

import { Module } from '@nestjs/common';
import { ClustershazbotController, ClustershazbotService } from './clustershazbot';

@Module({
  controllers: [ClustershazbotController],
  // Without the service the engine is not started, and the routes answer 503.
  providers: process.env.WITHOUT_SERVICE ? [] : [ClustershazbotService],
})
export class AppModule {}
