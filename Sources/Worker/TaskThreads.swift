internal import CConcurrency
internal import Dispatch
internal import Threads

/// Where the worker's tasks run: on a few threads of our own that share one queue, so that a job which takes long holds up
/// no other while a thread is free. What is known to take long runs elsewhere, see `Threads/Apart.swift`.
///
/// The runtime's own choice are Dispatch's global queues, whose pool is watched by reading `/proc/TID/stat` once a second;
/// Dispatch ends the process where that cannot be opened, and Landlock could allow it only with all of `/proc`.
enum TaskThreads {
    private static let queue = RunQueue(name: "tasks", threads: 4)
    /// Only tells time; the worker itself has its timers, see `SSH/Timer.swift`.
    private static let delays = DispatchQueue(label: "task.delays")

    /// Call before the first task exists.
    static func takeOver() {
        csd_take_over_global_executor { job, nanoseconds in
            // The runtime hands each job over once.
            nonisolated(unsafe) let job = job
            if nanoseconds == 0 {
                TaskThreads.queue.add { csd_run_job(job) }
            } else {
                TaskThreads.delays.asyncAfter(deadline: .now() + .nanoseconds(Int(clamping: nanoseconds))) {
                    TaskThreads.queue.add { csd_run_job(job) }
                }
            }
        }
    }
}
