internal import CConcurrency
internal import Dispatch
internal import Synchronization

/// Where the worker's tasks run: a few serial Dispatch queues.
///
/// The runtime's own choice are Dispatch's global queues, whose pool is watched by reading `/proc/TID/stat` once a second;
/// Dispatch ends the process where that cannot be opened, and Landlock could allow it only with all of `/proc`. Serial
/// queues are not watched.
enum TaskThreads {
    private static let queues = (0..<4).map { DispatchQueue(label: "task.\($0)") }
    private static let next = Atomic<Int>(0)

    /// Call before the first task exists.
    static func takeOver() {
        csd_take_over_global_executor { job, nanoseconds in
            // The runtime hands each job over once.
            nonisolated(unsafe) let job = job
            let turn = TaskThreads.next.wrappingAdd(1, ordering: .relaxed).newValue
            let queue = TaskThreads.queues[turn & (TaskThreads.queues.count - 1)]
            if nanoseconds == 0 {
                queue.async { csd_run_job(job) }
            } else {
                queue.asyncAfter(deadline: .now() + .nanoseconds(Int(clamping: nanoseconds))) { csd_run_job(job) }
            }
        }
    }
}
