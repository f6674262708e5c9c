// The module of the application: ShazbotModule gets its settings from the ConfigService.

import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { TerminusModule } from '@nestjs/terminus';
import { ShazbotModule } from 'clustershazbot/nestjs';
import { ShazbotHealthIndicator } from 'clustershazbot/nestjs/terminus';
import { HealthController } from './health.controller.js';

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true, envFilePath: 'development.env' }),
    ShazbotModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (env: ConfigService) => ({
        // Tests do not join a cluster: the service has empty lists then.
        enabled: env.get('NODE_ENV') !== 'test',
        config: {
          SHAZBOT_SECRET: env.get<string>('CLUSTER_SECRET'),
          SHAZBOT_CONTROL_SECRET: env.get<string>('CLUSTER_CONTROL_SECRET'),
          // A setting that is undefined leaves the variable SHAZBOT_… as it is.
          SHAZBOT_BASE_URL: env.get<string>('CLUSTER_URL'),
          SHAZBOT_MASTER_LIST: env.get<string>('CLUSTER_LIST'),
          SHAZBOT_GOSSIP_INTERVAL: env.get<string>('CLUSTER_INTERVAL'),
        },
      }),
    }),
    TerminusModule,
  ],
  controllers: [HealthController],
  providers: [ShazbotHealthIndicator],
})
export class AppModule {}
