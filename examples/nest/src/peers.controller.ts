// Lists the other servers, and logs which come and go.

import { Controller, Get, Logger } from '@nestjs/common';
import { ShazbotService } from 'clustershazbot/nestjs';

@Controller('peers')
export class PeersController {
  private readonly logger = new Logger('Cluster');

  constructor(private readonly cluster: ShazbotService) {
    cluster.events.on('change', ({ baseUrl, type, reason = '' }) => {
      this.logger.log(`${baseUrl} is ${type} ${reason}`);
    });
  }

  @Get()
  peers(): string[] {
    const others = this.cluster.servers(({ self }) => !self);
    return others.map(({ baseUrl }) => baseUrl);
  }
}
