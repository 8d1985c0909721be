export { scalingTables } from '../scaling/tables.ts';
export { costsOf } from './costs.ts';
export { writeDocs } from './docs.ts';
export { losses, readFigures, writeFigures } from './figures.ts';
export { profileProcesses, profileTables } from './profile-processes.ts';
export { checkedRatios, isScenario, playSuite, rowsOf } from './suite.ts';
export { markdownTable, terminalLines } from './table.ts';
