// The health check of the application: the cluster beside whatever else the application depends on.

import { Controller, Get } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { ShazbotHealthIndicator } from 'clustershazbot/nestjs/terminus';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly cluster: ShazbotHealthIndicator,
  ) {}

  // Answers 503 while fewer than two servers are online.
  @Get()
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([async () => this.cluster.isHealthy('cluster', { minOnline: 2 })]);
  }
}
