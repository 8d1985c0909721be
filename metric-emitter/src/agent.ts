/** The agent beside a process, and how it is dialed. */

import type { Client } from '@grpc/grpc-js';
import { dial, type Tls } from '@standpipe/plumbing';

export interface Agent {
  /** `host:port` of its gRPC; '' if there is none, and nothing is sent. */
  readonly address: string;
  readonly tls: Tls | undefined;
}

/**
 * A client whose writes call back when the connection took them. By default grpc-js calls back at
 * once for the first MiB of a stream, connected or not, since it keeps that much to try again.
 */
export function dialAgent(agent: Agent): Client {
  return dial({
    ...agent,
    serverName: 'metron',
    channelOptions: { 'grpc.per_rpc_retry_buffer_size': 0 },
  });
}
