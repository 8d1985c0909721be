/** Checks that an expression's types fit, with the words of Prometheus. Throws a Mistake. */

import {
  type Aggregate,
  type Binary,
  type Call,
  COMPARISONS,
  childrenOf,
  type Expr,
  SET_OPERATORS,
  type ValueType,
} from './ast.ts';
import { Mistake } from './errors.ts';
import { SIGNATURES } from './signatures.ts';

const TYPE_NAMES: Readonly<Record<ValueType, string>> = {
  scalar: 'scalar',
  vector: 'instant vector',
  matrix: 'range vector',
  string: 'string',
};

export function typeName(type: ValueType): string {
  return TYPE_NAMES[type];
}

export function typeOf(expr: Expr): ValueType {
  switch (expr.type) {
    case 'number':
      return 'scalar';
    case 'string':
      return 'string';
    case 'matrix':
    case 'subquery':
      return 'matrix';
    case 'selector':
    case 'aggregate':
      return 'vector';
    case 'call':
      return SIGNATURES.get(expr.name)?.returns ?? 'vector';
    case 'binary':
      return typeOf(expr.left) === 'scalar' && typeOf(expr.right) === 'scalar'
        ? 'scalar'
        : 'vector';
    case 'paren':
    case 'unary':
      return typeOf(expr.expr);
  }
}

export function check(expr: Expr): void {
  for (const child of childrenOf(expr)) check(child);
  if (expr.type === 'call') checkCall(expr);
  else if (expr.type === 'aggregate') checkAggregate(expr);
  else if (expr.type === 'binary') checkBinary(expr);
  else if (expr.type === 'unary') {
    const type = typeOf(expr.expr);
    if (type === 'scalar' || type === 'vector') return;
    const text = 'unary expression only allowed on expressions of type scalar or instant vector';
    throw new Mistake(expr, `${text}, got "${typeName(type)}"`);
  } else if (expr.type === 'subquery' && typeOf(expr.expr) !== 'vector') {
    const type = typeOf(expr.expr); // As it is called here alone.
    throw new Mistake(expr, `subquery is only allowed on instant vector, got ${type} instead`);
  }
}

function checkCall(call: Call): void {
  const { name, args } = call;
  const signature = SIGNATURES.get(name);
  if (signature === undefined) throw new Mistake(call, `unknown function with name "${name}"`);
  const { args: types, optional } = signature;
  const most = types.length;
  const least = optional < 0 ? most - 1 : most - optional;
  const got = `argument(s) in call to "${name}", got ${args.length}`;
  if (optional === 0 && args.length !== most) throw new Mistake(call, `expected ${most} ${got}`);
  if (args.length < least) throw new Mistake(call, `expected at least ${least} ${got}`);
  if (optional >= 0 && args.length > most) {
    throw new Mistake(call, `expected at most ${most} ${got}`);
  }
  for (const [index, arg] of args.entries()) {
    expectType(arg, types[Math.min(index, most - 1)] ?? 'vector', `call to function "${name}"`);
  }
}

function checkAggregate({ op, param, expr }: Aggregate): void {
  expectType(expr, 'vector', 'aggregation expression');
  if (param === undefined) return;
  expectType(param, op === 'count_values' ? 'string' : 'scalar', 'aggregation parameter');
}

function checkBinary(binary: Binary): void {
  const { op, opSpan, left, right, bool, matching } = binary;
  const leftType = typeOf(left);
  const rightType = typeOf(right);
  const isComparison = COMPARISONS.has(op);
  const isSet = SET_OPERATORS.has(op);
  if (bool && !isComparison) {
    throw new Mistake(opSpan, 'bool modifier can only be used on comparison operators');
  }
  if (isComparison && !bool && leftType === 'scalar' && rightType === 'scalar') {
    throw new Mistake(opSpan, 'comparisons between scalars must use BOOL modifier');
  }
  if (isSet && matching?.isGrouped) {
    throw new Mistake(binary, `no grouping allowed for "${op}" operation`);
  }
  for (const label of matching?.on ? matching.labels : []) {
    if (!matching?.include.includes(label)) continue;
    throw new Mistake(opSpan, `label "${label}" must not occur in ON and GROUP clause at once`);
  }
  for (const side of [left, right]) {
    const type = typeOf(side);
    if (type === 'scalar' || type === 'vector') continue;
    const text = 'binary expression must contain only scalar and instant vector types';
    throw new Mistake(side, text);
  }
  if (leftType === 'vector' && rightType === 'vector') return;
  if (matching !== undefined && (matching.labels.length > 0 || matching.isGrouped)) {
    throw new Mistake(binary, 'vector matching only allowed between instant vectors');
  }
  if (isSet) {
    throw new Mistake(binary, `set operator "${op}" not allowed in binary scalar expression`);
  }
}

function expectType(expr: Expr, wanted: ValueType, context: string): void {
  const type = typeOf(expr);
  if (type === wanted) return;
  const text = `expected type ${typeName(wanted)} in ${context}, got ${typeName(type)}`;
  throw new Mistake(expr, text);
}
