#include "CConcurrency.h"

#include <time.h>

#define SWIFTCALL __attribute__((swiftcall))

// The names and the calling convention are the runtime's. Two null words refer to the default executor.
struct executor_reference {
    void *identity;
    uintptr_t implementation;
};
extern SWIFTCALL void swift_job_run(void *job, struct executor_reference executor);
extern SWIFTCALL void (*swift_task_enqueueGlobal_hook)(void *job, void *original);
extern SWIFTCALL void (*swift_task_enqueueGlobalWithDelay_hook)(unsigned long long nanoseconds, void *job, void *original);
extern SWIFTCALL void (*swift_task_enqueueGlobalWithDeadline_hook)(long long seconds, long long nanoseconds,
                                                                  long long tolerance_seconds,
                                                                  long long tolerance_nanoseconds, int clock, void *job,
                                                                  void *original);

static void (*enqueue_job)(void *job, uint64_t nanoseconds);

static SWIFTCALL void enqueue(void *job, void *original) {
    (void)original;
    enqueue_job(job, 0);
}

static SWIFTCALL void enqueue_with_delay(unsigned long long nanoseconds, void *job, void *original) {
    (void)original;
    enqueue_job(job, nanoseconds);
}

static SWIFTCALL void enqueue_with_deadline(long long seconds, long long nanoseconds, long long tolerance_seconds,
                                            long long tolerance_nanoseconds, int clock, void *job, void *original) {
    (void)tolerance_seconds;
    (void)tolerance_nanoseconds;
    (void)original;
    // swift_clock_id is 1 for ContinuousClock, which counts suspended time, and 2 for SuspendingClock.
    struct timespec now;
    clock_gettime(clock == 1 ? CLOCK_BOOTTIME : CLOCK_MONOTONIC, &now);
    long long left = (seconds - now.tv_sec) * 1000000000LL + nanoseconds - now.tv_nsec;
    enqueue_job(job, left > 0 ? (uint64_t)left : 0);
}

void csd_take_over_global_executor(void (*enqueue_function)(void *job, uint64_t nanoseconds)) {
    enqueue_job = enqueue_function;
    swift_task_enqueueGlobal_hook = enqueue;
    swift_task_enqueueGlobalWithDelay_hook = enqueue_with_delay;
    swift_task_enqueueGlobalWithDeadline_hook = enqueue_with_deadline;
}

void csd_run_job(void *job) { swift_job_run(job, (struct executor_reference){0, 0}); }
