/** Turns of the event loop that are counted, for tests of what must not hold it. */

import { Turns } from './turns.ts';

export class CountedTurns extends Turns {
  count = 0;

  override next(): Promise<void> {
    this.count += 1;
    return super.next();
  }
}
