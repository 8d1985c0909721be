export { scalingTables } from '../scaling/tables.ts';
export { shortRows, twice } from './check.ts';
export { costsOf } from './costs.ts';
export { writeDocs } from './docs.ts';
export { readFigures, writeFigures } from './figures.ts';
export { profileProcesses, profileTables } from './profile-processes.ts';
export { rowsOf } from './row.ts';
export { isScenario, playSuite, scenarioNames } from './suite.ts';
export { markdownTable, runOf, terminalLines } from './table.ts';
