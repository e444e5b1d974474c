internal import CConcurrency
internal import Dispatch
internal import Threads

/// Runs the worker's tasks on a few threads of our own that share one queue, so that a long job delays no other while a thread is
/// free. Work that is known to take long runs elsewhere, see `Threads/Apart.swift`.
///
/// The runtime would use Dispatch's global queues. Dispatch watches their threads by reading `/proc/TID/stat` once a second, and
/// ends the process if it cannot open that file. Landlock could allow it only together with all of `/proc`.
enum TaskThreads {
    private static let queue = RunQueue(name: "tasks", threads: 4)
    /// Serves the runtime's delays. The worker itself uses `SSH/Timer.swift`.
    private static let delays = DispatchQueue(label: "task.delays")

    /// Sets the hooks of the runtime. It must be called before the first task exists.
    static func takeOver() {
        csd_take_over_global_executor { job, nanoseconds in
            // The runtime passes each job on once.
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
