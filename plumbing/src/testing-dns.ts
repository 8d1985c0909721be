/**
 * A DNS server over UDP for tests, whose answers change when it is told.
 *
 * What it has no records for is NXDOMAIN; a name with records of other types only, an empty answer.
 */

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import dnsPacket from 'dns-packet';

const NXDOMAIN = 3;

/** As an answer says how it went: the low bits of its flags. */
const RCODES = { SERVFAIL: 2, REFUSED: 5 };

export class TestDns implements AsyncDisposable {
  /** `IP:PORT`. */
  readonly address: string;
  readonly #socket: Socket;
  readonly #records = new Map<string, dnsPacket.Answer[]>();
  readonly #failures = new Map<string, keyof typeof RCODES>();
  #queries = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.address = `127.0.0.1:${socket.address().port}`;
    socket.on('message', (bytes, { port, address }) => {
      const answer = this.#answer(dnsPacket.decode(bytes));
      socket.send(dnsPacket.encode(answer), port, address);
    });
  }

  static async listen(): Promise<TestDns> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new TestDns(socket);
  }

  /** How many questions have come. */
  get queries(): number {
    return this.#queries;
  }

  /** The addresses of a host, of either family; none is NXDOMAIN. */
  setHost(name: string, ips: readonly string[]): void {
    this.#set(
      name,
      ips.map((data) => ({ name, type: data.includes(':') ? 'AAAA' : 'A', ttl: 0, data })),
    );
  }

  /** Who offers a service. */
  setService(name: string, hosts: readonly { target: string; port: number }[]): void {
    this.#set(
      name,
      hosts.map((data) => ({
        name,
        type: 'SRV',
        ttl: 0,
        data: { ...data, priority: 0, weight: 0 },
      })),
    );
  }

  /** Answers questions about a name with an error, until it is set again. */
  fail(name: string, how: keyof typeof RCODES = 'SERVFAIL'): void {
    this.#failures.set(name, how);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#socket, 'close');
    this.#socket.close();
    await closed;
  }

  #set(name: string, records: dnsPacket.Answer[]): void {
    this.#failures.delete(name);
    if (records.length > 0) this.#records.set(name, records);
    else this.#records.delete(name);
  }

  #answer({ id, questions = [] }: dnsPacket.Packet): dnsPacket.Packet {
    this.#queries += 1;
    const [{ name, type } = { name: '', type: 'A' }] = questions;
    const failure = this.#failures.get(name);
    const records = this.#records.get(name);
    let rcode = records === undefined ? NXDOMAIN : 0;
    if (failure !== undefined) rcode = RCODES[failure];
    const answers = failure === undefined ? (records ?? []) : [];
    return {
      type: 'response',
      id: id ?? 0,
      flags: dnsPacket.RECURSION_AVAILABLE | rcode,
      questions,
      answers: answers.filter((record) => record.type === type),
    };
  }
}
