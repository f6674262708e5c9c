// Starts the Nest application, which joins the cluster when it listens. PORT and the CLUSTER_* variables come from the environment.

import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

const app = await NestFactory.create(AppModule);
// Without this, Nest does not leave the cluster when the process gets SIGTERM.
app.enableShutdownHooks();
await app.listen(Number(process.env.PORT ?? 3000));
