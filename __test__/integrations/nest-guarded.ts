// A Nest application with guards, a throttler, a pipe and an OpenAPI document, for __test__/nest-guarded.test.js.
// EXEMPT selects how the package's controller is exempt from the guard; unset: it is not.

import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  Module,
  type PipeTransform,
  Query,
  SetMetadata,
  UnauthorizedException,
} from '@nestjs/common';
import { APP_GUARD, APP_PIPE, NestFactory, Reflector } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { ShazbotController, ShazbotModule } from 'clustershazbot/nestjs';

const { PORT = '3000', EXEMPT, PLATFORM } = process.env;

const Public = () => SetMetadata('isPublic', true);
if (EXEMPT === 'call') Public()(ShazbotController);
const extras = EXEMPT === 'option' ? { decorators: [Public()] } : {};

@Injectable()
class AuthGuard implements CanActivate {
  reflector = new Reflector();
  canActivate(context: ExecutionContext) {
    if (this.reflector.getAllAndOverride('isPublic', [context.getHandler(), context.getClass()])) return true;
    throw new UnauthorizedException('no token');
  }
}

@Injectable()
class NothingPasses implements PipeTransform {
  transform() {
    throw new Error('the pipe was called');
  }
}

@Public()
@Controller('cats')
class CatsController {
  @Get()
  cats(@Query('name') _name: string) {
    return [];
  }
}

@Module({
  imports: [
    ThrottlerModule.forRoot([{ ttl: 60_000, limit: 1 }]),
    PLATFORM === 'fastify'
      ? ShazbotModule.forRootAsync({ useFactory: () => ({}), ...extras })
      : ShazbotModule.forRoot(extras),
  ],
  controllers: [CatsController],
  providers: [
    { provide: APP_GUARD, useClass: AuthGuard },
    { provide: APP_GUARD, useClass: ThrottlerGuard },
    { provide: APP_PIPE, useClass: NothingPasses },
  ],
})
class AppModule {}

async function create() {
  if (PLATFORM !== 'fastify') return NestFactory.create(AppModule);
  const { FastifyAdapter } = await import('@nestjs/platform-fastify' as string);
  return NestFactory.create(AppModule, new FastifyAdapter());
}

const app = await create();
const document = SwaggerModule.createDocument(app, new DocumentBuilder().build());
console.log(JSON.stringify(document.paths));
app.enableShutdownHooks();
await app.listen(PORT, '127.0.0.1');
