internal import Dispatch

/// Gives waiting tasks their turn. `Task.yield()` cannot be used here: it goes to Dispatch's pool of threads, which ends a
/// confined process, see `Worker/TaskThreads.swift`.
enum OtherTasks {
    private static let queue = DispatchQueue(label: "yield")

    /// Returns after the tasks that wait now have had their turn.
    static func first() async {
        await withCheckedContinuation { continuation in queue.async { continuation.resume() } }
    }
}
