internal import Glibc
internal import IPC
internal import SFTPFilter

/// The request direction of an SFTP channel whose requests are judged: what the worker writes into its pipe goes through the filter
/// into a pipe that only the master reads. It holds one piece at most: a master that takes nothing fills the worker's pipe. Answers do
/// not pass here.
final class SFTPRelay {
    /// What must come before it can go on.
    enum Next: Equatable {
        /// Bytes of the worker, or their end.
        case bytes
        /// Room in the pipe to the master.
        case room
        /// Nothing: the worker sends no more, or the master takes no more.
        case nothing
    }

    /// What is read at most at once: what a pipe holds, pipe(7).
    private static let piece = 65_536

    private var source: OwnedFD?
    private var sink: OwnedFD?
    private var filter: SFTPFilter
    /// What is waited for, as its owner keeps it.
    var waited = Next.nothing
    /// What is judged and was not taken yet.
    private var judged: [UInt8] = []
    private var written = 0

    /// - Parameters:
    ///   - source: the worker's pipe.
    ///   - sink: the pipe to the master.
    init(from source: consuming OwnedFD, to sink: consuming OwnedFD, _ rules: SFTPRules) throws(IPCError) {
        try source.setNonBlocking()
        try sink.setNonBlocking()
        self.source = consume source
        self.sink = consume sink
        filter = SFTPFilter(rules)
    }

    /// The worker's pipe, to wait on.
    var sourceNumber: Int32? { Self.number(source) }
    /// The master's pipe, to wait on.
    var sinkNumber: Int32? { Self.number(sink) }

    /// Moves a piece at most.
    /// - Throws: what the worker sent that it may not. Nothing of that goes on.
    func advance() throws(SFTPViolation) -> Next {
        if written == judged.count {
            guard let bytes = read() else { return .nothing }
            guard !bytes.isEmpty else { return .bytes }
            judged = try filter.take(bytes[...])
            written = 0
        }
        while written < judged.count {
            guard let count = write(judged[written...]) else { return .nothing }
            guard count > 0 else { return .room }
            written += count
        }
        return .bytes
    }

    /// Ends the channel for both sides. Its owner waits on neither pipe by then: somebody else may have them as well, and a closed
    /// descriptor would still be told of.
    func close() {
        source = nil
        sink = nil
    }

    /// What the worker has written, nothing where there is nothing now; nil at the end.
    private func read() -> [UInt8]? {
        guard let number = sourceNumber else { return nil }
        var result = 0
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.piece) { buffer, count in
            result = uninterrupted { Glibc.read(number, buffer.baseAddress, buffer.count) }
            code = errno
            count = max(0, result)
        }
        if result > 0 { return bytes }
        return result < 0 && code == EAGAIN ? [] : nil
    }

    /// How much the pipe to the master has taken; nil where nobody reads it any more.
    private func write(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard let number = sinkNumber else { return nil }
        let result = bytes.withUnsafeBytes { buffer in
            uninterrupted { Glibc.write(number, buffer.baseAddress, buffer.count) }
        }
        if result >= 0 { return result }
        return errno == EAGAIN ? 0 : nil
    }

    private static func number(_ descriptor: borrowing OwnedFD?) -> Int32? {
        switch descriptor {
        case .some(let owned): owned.rawValue
        case .none: nil
        }
    }
}

extension WorkerViolation {
    /// What it is to the supervisor, which is told no text of a worker's.
    init(_ violation: SFTPViolation) {
        switch violation {
        case .length, .malformed, .greeting, .type, .extension, .flags: self = .request
        case .writing: self = .writing
        case .outside: self = .outside
        }
    }
}
