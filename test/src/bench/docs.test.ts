import test from 'ava';
import { withSection } from './docs.ts';

const TEXT = 'before\n<!-- a -->\nold\n<!-- end -->\nbetween\n<!-- b -->\n<!-- end -->\nafter\n';

test('a section is replaced, and nothing around it', (t) => {
  const once = withSection(TEXT, 'a', 'new');
  t.is(once, TEXT.replace('\nold\n', '\n\nnew\n\n'));
  t.is(withSection(once, 'a', 'new'), once);
  t.is(withSection(TEXT, 'b', 'new'), TEXT.replace('<!-- b -->\n', '<!-- b -->\n\nnew\n\n'));
});

test('a section that is not there is a mistake', (t) => {
  t.throws(() => withSection(TEXT, 'c', 'new'), { message: /no section c/ });
});
