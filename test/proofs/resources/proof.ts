/**
 * What the host may run out of: memory under a quota (quota.ts), anything over an hour (soak.ts),
 * and what the machine does not have to begin with, or not any more (limits.ts).
 */
export { limits } from './limits.js';
export { quota } from './quota.js';
export { soak } from './soak.js';
