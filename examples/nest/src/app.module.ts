// The module of the application: ShazbotModule serves the routes of the cluster, joins it and leaves it.

import { Module } from '@nestjs/common';
import { ShazbotModule } from 'clustershazbot/nestjs';
import { PeersController } from './peers.controller.js';

@Module({ imports: [ShazbotModule.forRoot()], controllers: [PeersController] })
export class AppModule {}
