internal import Dispatch
internal import Synchronization

/// Lines that take long to read, one after the other on a thread of their own: what comes behind them need not wait.
final class LongLines: Sendable {
    /// Bytes of the longest line that is read where it came.
    static let short = 64 << 10
    /// What may wait here; whoever adds more waits.
    private static let maximumBytes = 64 << 20
    private static let maximumLines = 64
    /// Requests that a line can be told of as cancelled.
    private static let maximumCancelled = 512

    private struct Line {
        let size: Int
        /// Requests that were cancelled behind this line: one of them may be in it.
        var cancelled: Set<RequestID> = []
    }

    private let queue = DispatchQueue(label: "client.parse")
    private let lines = Mutex<[Line]>([])

    /// Whether none is left of which `take` has not been called.
    var isEmpty: Bool { lines.withLock(\.isEmpty) }

    /// Adds a line. `work` reads it, calls `take` once, and serves it.
    func add(size: Int, _ work: @escaping @Sendable () -> Void) {
        let isFull = lines.withLock { lines in
            lines.append(Line(size: size))
            return lines.count > Self.maximumLines || lines.reduce(0) { $0 + $1.size } > Self.maximumBytes
        }
        queue.async(execute: work)
        if isFull { queue.sync {} }
    }

    /// The line whose work this is will be served now.
    /// - Returns: the requests that were cancelled since it came.
    func take() -> Set<RequestID> {
        lines.withLock { $0.isEmpty ? [] : $0.removeFirst().cancelled }
    }

    /// A request that is not known was cancelled: it may be in a line that is not read yet.
    func cancel(_ id: RequestID) {
        lines.withLock { lines in
            for index in lines.indices where lines[index].cancelled.count < Self.maximumCancelled {
                lines[index].cancelled.insert(id)
            }
        }
    }

    /// Returns when all that were added have been served; blocks.
    func finish() { queue.sync {} }
}
