import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { Mistake, ParseError } from './errors.ts';
import { Lexer } from './lexer.ts';
import { randomText } from './oracle-mistakes.ts';
import { parse } from './parse.ts';
import { TOKENS_MAX, tokenStarts } from './token-count.ts';

const TOO_LONG =
  /^\d+:\d+: parse error: the expression is too long: there may be 6000 names, values, operators and brackets$/;

/** As long as a query may be. */
function filled(part: string): string {
  return part.repeat(Math.floor(130_000 / part.length));
}

for (const [what, text] of [
  ['arguments', `abs(${filled('x,')}x)`],
  ['matchers', `{${filled('a="b",')}a="b"}`],
  ['labels', `sum by (${filled('a,')}a) (x)`],
  ['quoted labels', `sum by (${filled('"a",')}a) (x)`],
  ['signs', `${filled('-')}x`],
  ['signs apart', `${filled('- ')}x`],
  ['brackets', filled('[')],
  ['comments', `${filled('#\n')}x`],
  ['strings', filled("''")],
  ['strings that end with their line', filled('"\n')],
  ['raw strings', filled('``')],
  ['letters that are none', filled('\u00e9')],
  ['what follows a comment with a quote', `#"\n${filled('x,')}`],
  ['what follows a quote in quotes', `"\\"'" + ${filled("'x', ")}`],
] as const) {
  test(`too many ${what} are refused before the grammar sees them`, (t) => {
    t.throws(() => parse(text), { instanceOf: ParseError, message: TOO_LONG });
  });
}

test('tells where there are too many', (t) => {
  t.throws(() => parse(`${'x,'.repeat(TOKENS_MAX / 2)}\ny`), {
    message: new RegExp(`^2:1: ${TOO_LONG.source.slice('^\\d+:\\d+: '.length)}`),
  });
});

test('a text of any length that is few tokens is read', (t) => {
  t.is(parse(`x{source_id=~"${filled('some-id|')}"}`).type, 'selector');
  t.is(parse(`x ${filled(' ')}`).type, 'selector');
  t.is(parse(`x # ${filled('"a", ')}`).type, 'selector');
  t.is(parse(`label_replace(x, "a", \`${filled('$1 ')}\`, "b", '\\'')`).type, 'call');
  t.is(parse(filled('x')).type, 'selector');
});

test('a chain may have as many selectors as there are tokens for', (t) => {
  t.is(parse(Array(800).fill('x{source_id="a"}').join(' or ')).type, 'binary');
});

// What is counted here is never less than what the grammar would see.
for (const seed of [1, 2, 3]) {
  test(`no token is missed, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    let compared = 0;
    for (let round = 0; round < 3000; round += 1) {
      const text = randomText(random);
      const starts = new Set(tokenStarts(text));
      const lexer = new Lexer(text);
      try {
        for (let token = lexer.next(); token.kind !== 'end'; token = lexer.next()) {
          compared += 1;
          // Operators of two characters have two, and in \`[5m:1m]\` all but the brackets is one.
          const isApart = /[\w.:]/.test(text.charAt(token.from - 1)) && /[\w.:]/.test(token.text);
          if (!isApart) t.true(starts.has(token.from), `${text}: ${token.from}`);
        }
      } catch (error) {
        if (!(error instanceof Mistake)) throw error;
      }
    }
    t.true(compared > 3000, `${compared}`);
  });
}
