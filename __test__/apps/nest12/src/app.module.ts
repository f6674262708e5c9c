import { Module } from '@nestjs/common';
import { ClustershazbotController, ClustershazbotService } from './clustershazbot.js';

@Module({
  controllers: [ClustershazbotController],
  // Without the service nobody starts the engine: what the routes answer then is tested too.
  providers: process.env.WITHOUT_SERVICE ? [] : [ClustershazbotService],
})
export class AppModule {}
