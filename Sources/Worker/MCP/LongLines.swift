internal import Dispatch
internal import Synchronization

/// Parses long lines one after the other on a thread of their own, so that the lines after them need not wait.
final class LongLines: Sendable {
    /// Bytes of the longest line that the reader's thread parses.
    static let short = 64 << 10
    /// How many bytes of lines may wait here. The caller who adds more waits.
    private static let maximumBytes = 64 << 20
    /// How many lines may wait here.
    private static let maximumLines = 64
    /// How many cancelled requests are remembered for a line.
    private static let maximumCancelled = 512

    private struct Line {
        let size: Int
        /// Requests that were cancelled after this line came. One of them may be in this line.
        var cancelled: Set<RequestID> = []
    }

    private let queue = DispatchQueue(label: "client.parse")
    private let lines = Mutex<[Line]>([])

    /// Whether `take` was called for all lines.
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

    /// Called by the work of a line, when it serves the line.
    /// - Returns: the requests that were cancelled since the line came.
    func take() -> Set<RequestID> {
        lines.withLock { $0.isEmpty ? [] : $0.removeFirst().cancelled }
    }

    /// Takes notice that a request was cancelled that is not known. It may be in a line that waits here.
    func cancel(_ id: RequestID) {
        lines.withLock { lines in
            for index in lines.indices where lines[index].cancelled.count < Self.maximumCancelled {
                lines[index].cancelled.insert(id)
            }
        }
    }

    /// Blocks until all lines that were added have been served.
    func finish() { queue.sync {} }
}
