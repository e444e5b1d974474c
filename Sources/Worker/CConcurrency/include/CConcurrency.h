// Hooks of the Swift concurrency runtime (swift/Runtime/ConcurrencyHooks.def) that decide where tasks run.
#ifndef CCONCURRENCY_H
#define CCONCURRENCY_H

#include <stdint.h>

// From now on every job of the global executor goes to `enqueue`, which must see to it that `csd_run_job` runs it once,
// `nanoseconds` from now. Call this before the first task exists.
void csd_take_over_global_executor(void (*enqueue)(void *job, uint64_t nanoseconds));
// Runs a job on the calling thread.
void csd_run_job(void *job);

#endif
