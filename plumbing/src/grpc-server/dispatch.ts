/**
 * From an HTTP/2 stream to the handler of its method.
 *
 * Whatever is refused before a handler hears of it is refused in the words of Loggregator's
 * servers: a method that nobody serves, an encoding that nobody installed, a call that is none.
 */

import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import { status } from '@grpc/grpc-js';
import type { GrpcHandler, GrpcService } from '../grpc.ts';
import { ServerCall } from './call.ts';
import { timeoutMs } from './headers.ts';

interface Method {
  readonly requestStream: boolean;
  readonly handler: GrpcHandler | undefined;
  readonly messageBytesMax: number;
}

export interface DispatcherOptions {
  /** The largest message of services that don't say their own. */
  readonly messageBytesMax: number;
  readonly services: readonly GrpcService[];
  /** Hears how each call ended. */
  readonly onStatus: (code: status) => void;
}

export class Dispatcher {
  readonly #methods = new Map<string, Method>();
  readonly #services = new Set<string>();
  readonly #options: DispatcherOptions;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    for (const { definition, implementation, ...service } of options.services) {
      const messageBytesMax = service.messageBytesMax ?? options.messageBytesMax;
      for (const [name, { path, requestStream }] of Object.entries(definition)) {
        const handler = implementation[name];
        this.#methods.set(path, { requestStream, handler, messageBytesMax });
        this.#services.add(serviceOf(path));
      }
    }
  }

  readonly serve = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    if (!headers['content-type']?.startsWith('application/grpc')) {
      stream.respond({ ':status': 415 }, { endStream: true });
      stream.close(constants.NGHTTP2_NO_ERROR);
      return;
    }
    const { onStatus } = this.#options;
    const path = String(headers[':path']);
    const method = this.#methods.get(path);
    const call = new ServerCall(stream, {
      path,
      peer: peerOf(stream),
      headers,
      onStatus,
      messageBytesMax: method?.messageBytesMax ?? this.#options.messageBytesMax,
    });

    const encoding = headers['grpc-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      const details = `grpc: Decompressor is not installed for grpc-encoding "${encoding}"`;
      call.fail({ code: status.UNIMPLEMENTED, details });
      return;
    }
    const limitMs = timeoutMs(headers['grpc-timeout'] as string | undefined);
    if (Number.isNaN(limitMs)) {
      call.fail({ code: status.INTERNAL, details: 'malformed grpc-timeout' });
      return;
    }
    if (limitMs !== undefined) call.expireIn(limitMs);
    const { handler, requestStream } = method ?? {};
    if (handler === undefined) {
      call.fail({ code: status.UNIMPLEMENTED, details: this.#unknown(path) });
    } else if (requestStream) {
      begin(call, handler);
    } else {
      readOne(call, () => begin(call, handler));
    }
  };

  #unknown(path: string): string {
    const service = serviceOf(path);
    if (service === '') return `malformed method name: "${path}"`;
    if (!this.#services.has(service)) return `unknown service ${service}`;
    return `unknown method ${path.slice(path.lastIndexOf('/') + 1)} for service ${service}`;
  }
}

function serviceOf(path: string): string {
  return path.slice(1, Math.max(1, path.lastIndexOf('/')));
}

function peerOf({ session }: ServerHttp2Stream): string {
  const { remoteAddress = 'unknown', remotePort } = session?.socket ?? {};
  return remotePort === undefined ? remoteAddress : `${remoteAddress}:${remotePort}`;
}

/** A handler that throws has met a request that it can't read: its call ends, others go on. */
function begin(call: ServerCall, handler: GrpcHandler): void {
  try {
    // The handler knows by its method which of the call's sides it has, and whether it is to answer.
    handler(call as never, call.answer as never);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    call.fail({ code: status.UNKNOWN, details: `Server method handler threw error ${text}` });
  }
}

/** Waits for the only message of a call and the end of its request. */
function readOne(call: ServerCall, then: () => void): void {
  let count = 0;
  const take = (message: Buffer): void => {
    count += 1;
    call.request = message;
  };
  call.on('data', take);
  call.once('end', () => {
    call.off('data', take);
    if (count === 1) then();
    else if (count === 0) call.fail({ code: status.INTERNAL, details: 'unexpected EOF' });
    else call.fail({ code: status.INTERNAL, details: 'a request of more than one message' });
  });
}
