import test from 'ava';
import { nearestName, slipsBetween } from './spelling.ts';

for (const [a, b, slips] of [
  ['ROUTER_PORT', 'ROUTER_PORT', 0],
  ['ROUTER_PROT', 'ROUTER_PORT', 1],
  ['ROUTERPORT', 'ROUTER_PORT', 1],
  ['ROUTERS_PORT', 'ROUTER_PORT', 1],
  ['ROUTER_PART', 'ROUTER_PORT', 1],
  ['ROTUER_PROT', 'ROUTER_PORT', 2],
  ['', 'ABC', 3],
] as const) {
  test(`counts ${slips} slips between "${a}" and "${b}"`, (t) => {
    t.is(slipsBetween(a, b), slips);
    t.is(slipsBetween(b, a), slips);
  });
}

test('finds the nearest name, not the first near one', (t) => {
  t.is(nearestName('ROUTER_ADDRR', ['ROUTER_ADDRS', 'ROUTER_ADDR', 'ROUTER']), 'ROUTER_ADDRS');
  t.is(nearestName('ROUTERR_ADDR', ['ROUTER_ADDRS', 'ROUTER_ADDR']), 'ROUTER_ADDR');
});

test('finds nothing near short or distant names', (t) => {
  t.is(nearestName('PATH', ['PORT']), undefined);
  t.is(nearestName('AGENT_TAGS', ['ROUTER_PORT']), undefined);
  t.is(nearestName('HOMES', ['HOMIER']), undefined);
});

test('is not near to itself', (t) => {
  t.is(nearestName('ROUTER_PORT', ['ROUTER_PORT']), undefined);
});
