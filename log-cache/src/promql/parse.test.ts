import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import type { Expr } from './ast.ts';
import { childrenOf } from './ast.ts';
import { ParseError } from './errors.ts';
import { parse } from './parse.ts';

/** What promtool 2.42 says to each. */
const ERRORS: readonly (readonly [string, string])[] = [
  ['invalid.query', "1:8: parse error: unexpected character: '.'"],
  ['', '1:1: parse error: no expression found in input'],
  ['#', '1:1: parse error: no expression found in input'],
  ['sum(', '1:5: parse error: unclosed left parenthesis'],
  ['a{b=}', '1:5: parse error: unexpected "}" in label matching, expected string'],
  ['1 +', '1:4: parse error: unexpected end of input'],
  ['foo(x)', '1:1: parse error: unknown function with name "foo"'],
  ['a + bool b', '1:3: parse error: bool modifier can only be used on comparison operators'],
  ['foo{a="b"', '1:10: parse error: unexpected end of input inside braces'],
  ['1 2', '1:3: parse error: unexpected number "2"'],
  ['"abc', '1:1: parse error: unterminated quoted string'],
  ['on + on', '1:1: parse error: unexpected <on>'],
  [
    'rate(x)',
    '1:6: parse error: expected type range vector in call to function "rate", got instant vector',
  ],
  [
    'x[5m] + 1',
    '1:1: parse error: binary expression must contain only scalar and instant vector types',
  ],
  [
    'sum(x[5m])',
    '1:5: parse error: expected type instant vector in aggregation expression, got range vector',
  ],
  ['x{a=~"("}', '1:3: parse error: error parsing regexp: missing closing ): `^(?:()$`'],
  ['x[5m][5m]', '1:6: parse error: ranges only allowed for vector selectors'],
  ['{}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
  ['x{__name__="y"}', '1:1: parse error: metric name must not be set twice: "x" or "y"'],
  [
    'label_replace(x,"a")',
    '1:1: parse error: expected 5 argument(s) in call to "label_replace", got 2',
  ],
  ['round(x,1,2)', '1:1: parse error: expected at most 2 argument(s) in call to "round", got 3'],
  [
    'topk(x,x)',
    '1:6: parse error: expected type scalar in aggregation parameter, got instant vector',
  ],
  ['x and 1', '1:1: parse error: set operator "and" not allowed in binary scalar expression'],
  ['1 > 2', '1:3: parse error: comparisons between scalars must use BOOL modifier'],
  [
    'x > on(a) group_left(a) y',
    '1:3: parse error: label "a" must not occur in ON and GROUP clause at once',
  ],
  ['x offset 5m offset 1m', '1:1: parse error: offset may not be set multiple times'],
  ['x @ 1 @ 2', '1:1: parse error: @ <timestamp> may not be set multiple times'],
  [
    'sum(x) @ 5',
    '1:1: parse error: @ modifier must be preceded by an instant vector selector or range vector selector or a subquery',
  ],
  [
    'x{a="b" c="d"}',
    '1:9: parse error: unexpected identifier "c" in label matching, expected "," or "}"',
  ],
  ['sum(x) by a', '1:11: parse error: unexpected identifier "a" in grouping opts, expected "("'],
  ['sum by (1) (x)', '1:9: parse error: unexpected number "1" in grouping opts, expected label'],
  ['x{1="a"}', "1:3: parse error: unexpected character inside braces: '1'"],
  ['x[0s]', '1:3: parse error: duration must be greater than 0'],
  ['x[5m:0s]', '1:6: parse error: duration must be greater than 0'],
  [
    '-"a"',
    '1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "string"',
  ],
  ['x{a!b}', "1:4: parse error: unexpected character after '!' inside braces: 'b'"],
  ['x @ nan', '1:1: parse error: timestamp out of bounds for @ modifier: NaN'],
  ['foo bar', '1:5: parse error: unexpected identifier "bar"'],
  ['a = b', '1:3: parse error: unexpected "="'],
  [
    'a{b"c"}',
    '1:4: parse error: unexpected string "\\"c\\"" in label matching, expected label matching operator',
  ],
  [
    'sum by (a b) (x)',
    '1:11: parse error: unexpected identifier "b" in grouping opts, expected "," or ")"',
  ],
  ['"\\z"', "1:1: parse error: unknown escape sequence U+007A 'z'"],
  ['a and on() group_left() b', '1:1: parse error: no grouping allowed for "and" operation'],
  ['x[5m', '1:5: parse error: unclosed left bracket'],
  ['é', "1:1: parse error: unexpected character: 'é'"],
  ['sum(x,)', '1:6: parse error: trailing commas not allowed in function call args'],
  ['x @ start', '1:10: parse error: unexpected end of input in @, expected timestamp'],
  ['x offset foo', '1:10: parse error: unexpected identifier "foo" in offset, expected duration'],
  ['x)', "1:3: parse error: unexpected right parenthesis ')'"],
  ['x{a="b"}}', "1:9: parse error: unexpected character: '}'"],
  ['x[]', '1:3: parse error: missing unit character in duration'],
  ['x[5mm]', '1:3: parse error: bad duration syntax: "5mm"'],
  ['x[m]', '1:3: parse error: not a valid duration string: "m"'],
  ['x[1.5m]', '1:3: parse error: not a valid duration string: "1.5m"'],
  ['x[5m:1m:1m]', "1:8: parse error: unexpected colon ':'"],
  ['x offset 5x', '1:10: parse error: bad number or duration syntax: "5"'],
  ['x offset -', '1:11: parse error: unexpected end of input in offset, expected duration'],
  ['x @ Inf', '1:1: parse error: timestamp out of bounds for @ modifier: +Inf'],
  ['x =~ y', "1:3: parse error: unexpected character after '=': '~'"],
  ['!x', "1:1: parse error: unexpected character after '!': 'x'"],
  ['x \\ y', "1:3: parse error: unexpected character: '\\\\'"],
  [
    '1e+',
    '1:1: parse error: error parsing number: strconv.ParseFloat: parsing "1e+": invalid syntax',
  ],
  ['0x1g', '1:1: parse error: bad number or duration syntax: "0x1"'],
  ['abs(x,,y)', '1:6: parse error: trailing commas not allowed in function call args'],
  ['foo(x', '1:6: parse error: unclosed left parenthesis'],
  ['sum(x y)', '1:7: parse error: unexpected identifier "y" in aggregation'],
  ['sum by (a) by (b) (x)', '1:12: parse error: unexpected <by> in aggregation'],
  ['by(x)', '1:3: parse error: unexpected "("'],
  ['x{a:b="c"}', "1:4: parse error: unexpected character inside braces: ':'"],
  [
    'x{a="b" or c="d"}',
    '1:9: parse error: unexpected identifier "or" in label matching, expected "," or "}"',
  ],
  ['"a\\xq"', "1:1: parse error: illegal character U+0071 'q' in escape sequence"],
  ['"a\\777"', '1:1: parse error: escape sequence is an invalid Unicode code point'],
  ['"\\', '1:1: parse error: escape sequence not terminated'],
  ['x offset 5m[5m]', '1:12: parse error: no offset modifiers allowed before range'],
];

for (const [query, message] of ERRORS) {
  test(`refuses ${query || 'nothing'} as Prometheus does`, (t) => {
    t.is(t.throws(() => parse(query), { instanceOf: ParseError })?.message, message);
  });
}

test('counts lines, and columns in bytes', (t) => {
  t.regex(
    t.throws(() => parse('"ü" +\n  "é" $'))?.message ?? '',
    /^2:8: parse error: unexpected character/,
  );
});

/** An expression with all its parentheses. */
function shape(expr: Expr): string {
  switch (expr.type) {
    case 'number':
      return String(expr.value);
    case 'string':
      return JSON.stringify(expr.value);
    case 'selector': {
      const at = expr.at === undefined ? '' : ` @ ${expr.at}`;
      return `{${expr.matchers.join(',')}}${at}${expr.offsetMs ? ` offset ${expr.offsetMs}` : ''}`;
    }
    case 'matrix':
      return `${shape(expr.selector)}[${expr.rangeMs}]`;
    case 'subquery':
      return `(${shape(expr.expr)})[${expr.rangeMs}:${expr.stepMs ?? ''}]`;
    case 'unary':
      return `${expr.op}(${shape(expr.expr)})`;
    case 'binary':
      return `(${shape(expr.left)} ${expr.op} ${shape(expr.right)})`;
    default:
      return `${'name' in expr ? expr.name : expr.type}(${childrenOf(expr).map(shape).join(', ')})`;
  }
}

for (const [query, expected] of [
  ['1 + 2 offset 5m * 3', undefined],
  ['a + b offset 5m * 2', '({__name__="a"} + ({__name__="b"} offset 300000 * 2))'],
  ['-1 ^ 2', '-((1 ^ 2))'],
  ['2 ^ -1 * 3', '((2 ^ -1) * 3)'],
  ['2 ^ 3 ^ 2', '(2 ^ (3 ^ 2))'],
  ['1 - 2 - 3', '((1 - 2) - 3)'],
  ['1 -2', '(1 - 2)'],
  ['-a[5m:1m] @ 5', undefined],
  [
    'a or b and c == d + e * f',
    '({__name__="a"} or ({__name__="b"} and ({__name__="c"} == ({__name__="d"} + ({__name__="e"} * {__name__="f"})))))',
  ],
  ['x[1h30m] offset -1m', '{__name__="x"}[5400000] offset -60000'],
  ['x @ end() offset 1w', '{__name__="x"} @ end offset 604800000'],
  ['x[5]', '{__name__="x"}[5000]'],
  ['5m', '300'],
  ['5. * 2', '(5 * 2)'],
  ['0x1F + 1e3 + .5 + Inf', '(((31 + 1000) + 0.5) + Infinity)'],
  ['{"http.requests", "http.method"="GET"}', '{__name__="http_requests",http.method="GET"}'],
  ['a:b', '{__name__="a_b"}'],
  ["'it\\'s' == bool 'x'", undefined],
  ['# first\nsum # second\n(x)', 'aggregate({__name__="x"})'],
  ['holt_winters(x[5m], 0.5, 0.5)', 'holt_winters({__name__="x"}[300000], 0.5, 0.5)'],
] as const) {
  if (expected === undefined) {
    test(`refuses ${query}`, (t) => {
      t.throws(() => parse(query), { instanceOf: ParseError });
    });
  } else {
    test(`reads ${query.replaceAll('\n', ' ')} as ${expected}`, (t) => {
      const text = shape(parse(query)).replace(/^(.*\]) offset/, '$1 offset');
      t.is(moved(text), expected);
    });
  }
}

/** A range's offset is its selector's. */
function moved(text: string): string {
  return text.replace(/( offset -?\d+)(\[\d+\])$/, '$2$1');
}

for (const operator of ['+', 'or', '==', '*', '- -']) {
  test(`a chain of 2000 operands with ${operator} is read, and one of 5000 told to be too long`, (t) => {
    const chain = (length: number): string =>
      Array(length).fill('some_metric').join(` ${operator} `);
    t.is(parse(chain(2000)).type, 'binary');
    t.is(parse(`sum(${chain(1900)} + (${chain(50)}))`).type, 'aggregate');
    t.throws(() => parse(`1${'+1'.repeat(2500)}`), {
      instanceOf: ParseError,
      message: /^1:1: parse error: the expression is too long: a chain of operators may have 2000/,
    });
    t.throws(() => parse(chain(5000)), { message: /parse error: the expression is too long: / });
  });
}

for (const [what, nested] of [
  ['parentheses', (depth) => `${'('.repeat(depth)}1${')'.repeat(depth)}`],
  ['calls', (depth) => `${'abs('.repeat(depth)}x${')'.repeat(depth)}`],
  ['aggregations', (depth) => `${'sum('.repeat(depth)}x${')'.repeat(depth)}`],
  ['signs', (depth) => `${'-'.repeat(depth)}x`],
  ['powers', (depth) => Array(depth).fill('x').join('^')],
  ['subqueries', (depth) => `x${'[1m:1s]'.repeat(depth)}`],
  ['chains in parentheses', (depth) => `${'('.repeat(depth)}x${' + x)'.repeat(depth)}`],
] as const satisfies readonly (readonly [string, (depth: number) => string])[]) {
  test(`${what} that nest too deeply are refused, and nothing overflows`, (t) => {
    for (const depth of [600, 3000, 7000, 18_000]) {
      const error = t.throws(() => parse(nested(depth)), { instanceOf: ParseError });
      t.regex(error?.message ?? '', /parse error: /);
    }
  });
}

test('what nests less is read', (t) => {
  t.is(parse(`${'('.repeat(490)}1${')'.repeat(490)}`).type, 'paren');
  t.is(parse(`${'-'.repeat(490)}x`).type, 'unary');
  t.is(parse(Array(490).fill('x').join('^')).type, 'binary');
});

test('all regular expressions of a query together have a size', (t) => {
  const query = (count: number): string => `x{${Array(count).fill('a=~"(bc){900}"').join(',')}}`;
  t.is(parse(query(5)).type, 'selector');
  t.throws(() => parse(query(500)), {
    instanceOf: ParseError,
    message: /there are too many, or too large, regular expressions/,
  });
  t.is(parse(`x{a=~"${'some-id|'.repeat(10_000)}"}`).type, 'selector', 'lists are none');
});

test('escapes of all kinds are what they name, between other text', (t) => {
  const text = String.raw`"\xc3\xa9 ü\n\"x\" \101\u00e9\U0001F600\\ 'end'"`;
  t.like(parse(text), { type: 'string', value: 'é ü\n"x" Aé\u{1F600}\\ \'end\'' });
});

test('a query has a length', (t) => {
  t.throws(() => parse('1'.repeat(200_000)), {
    message: '1:1: parse error: the query is too long',
  });
});

// Whatever comes, it is an expression or an error that says where.
for (const seed of [1, 2, 3]) {
  test(`reads or refuses any text, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const parts = (
      'x rate sum by on ( ) [ ] { } 5m 1 -1 + - * / ^ == =~ != !~ = , "a" \'b\' `c` @ offset start() end() : bool ' +
      'group_left ignoring and or unless topk label_replace time() 0x 1e \\ " é \0 $ # \n step() </ fill limitk holt_winters( anchored'
    ).split(' ');
    let read = 0;
    for (let round = 0; round < 5000; round += 1) {
      const length = 1 + random(12);
      const query = Array.from({ length }, () => parts[random(parts.length)]).join(
        random(2) ? ' ' : '',
      );
      try {
        parse(query);
        read += 1;
      } catch (error) {
        t.true(error instanceof ParseError, `${query}: ${error}`);
      }
    }
    t.true(read > 20, `${read} of them are expressions`);
  });
}
