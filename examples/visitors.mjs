// People who walk around in the shop. They arrive at random, so many a second on average; each
// looks at a few pages, with pauses for thought between them, and leaves.

import { setMaxListeners } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';

const VISITORS_MAX = 200;
const PAGES = ['/', '/', '/', '/checkout', '/checkout', '/slow', '/broken', '/lost'];

export class Visitors {
  #url;
  #closing = new AbortController();
  #visits = new Set();
  #arrivals;

  constructor(url, perSecond) {
    this.#url = url;
    setMaxListeners(VISITORS_MAX + 1, this.#closing.signal); // Each pause listens to it.
    this.#arrivals = perSecond > 0 ? this.#arrive(perSecond) : Promise.resolve();
  }

  /** How many are in the shop. */
  get inside() {
    return this.#visits.size;
  }

  /** Lets nobody in any more, and waits until all have left. */
  async leave() {
    this.#closing.abort();
    await this.#arrivals;
    await Promise.all(this.#visits);
  }

  async #arrive(perSecond) {
    while (await this.#pause((-Math.log(1 - Math.random()) * 1000) / perSecond)) {
      if (this.#visits.size >= VISITORS_MAX) continue;
      const visit = this.#visit().finally(() => this.#visits.delete(visit));
      this.#visits.add(visit);
    }
  }

  async #visit() {
    const pages = 1 + Math.floor(Math.random() * 4);
    for (let page = 0; page < pages; page += 1) {
      const path = page === 0 ? '/' : PAGES[Math.floor(Math.random() * PAGES.length)];
      try {
        const response = await fetch(this.#url + path, { headers: { 'user-agent': 'visitor' } });
        await response.text();
      } catch (error) {
        console.error(`a visitor found the door shut: ${error.message}`);
        return;
      }
      if (!(await this.#pause(200 + Math.random() * 1500))) return;
    }
  }

  /** False when the shop closes meanwhile. */
  async #pause(ms) {
    try {
      await wait(ms, undefined, { signal: this.#closing.signal });
      return true;
    } catch {
      return false;
    }
  }
}
