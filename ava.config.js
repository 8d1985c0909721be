export default {
  files: ['*/dist/**/*.test.js'],
  workerThreads: false,
  concurrency: 2,
  timeout: '60s',
};
