internal import CLinux
internal import Glibc
internal import IPC
internal import SFTPFilter

/// The request direction of an SFTP channel whose requests are judged: what the worker writes into its pipe goes through the filter
/// into a pipe that only the master reads. The content of a WRITE goes from pipe to pipe without a copy. It holds one piece at most: a master that takes nothing fills the worker's pipe. Answers do
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

    /// What is read at most at once: what needs judgement is small, and the content behind it need not be read.
    private static let piece = 4096
    /// Bytes that are held at most: a piece, and the beginning of a packet before that.
    private static let room = piece + SFTPFilter.longestUnjudged

    private var source: OwnedFD?
    private var sink: OwnedFD?
    private var filter: SFTPFilter
    /// What is waited for, as its owner keeps it.
    var waited = Next.nothing
    /// What the worker has written: `written..<judged` is allowed and not taken yet, `judged..<held` is not judged yet.
    private var bytes = [UInt8](repeating: 0, count: room)
    private var written = 0
    private var judged = 0
    private var held = 0

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
        if written == judged, filter.passing == 0 {
            keepUnjudged()
            switch read() {
            case .count(let count): held += count
            case .nothing: return .bytes
            case .over: return .nothing
            }
            judged = try filter.judge(bytes[..<held])
        }
        while written < judged {
            switch write() {
            case .count(let count): written += count
            case .nothing: return .room
            case .over: return .nothing
            }
        }
        guard filter.passing > 0 else { return .bytes }
        switch passContent() {
        case .count(let count): filter.passed(count)
        // Either pipe may be the cause. The one that was waited for was ready.
        case .nothing: return waited == .bytes ? .room : .bytes
        case .over: return .nothing
        }
        return .bytes
    }

    /// Moves the beginning of a packet to where the rest of it will follow.
    private func keepUnjudged() {
        let rest = judged..<held
        bytes.withUnsafeMutableBytes { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[rest])) }
        written = 0
        judged = 0
        held = rest.count
    }

    /// Ends the channel for both sides. Its owner waits on neither pipe by then: somebody else may have them as well, and a closed
    /// descriptor would still be told of.
    func close() {
        source = nil
        sink = nil
    }

    /// What a pipe took or gave.
    private enum Moved {
        case count(Int)
        /// Nothing now.
        case nothing
        /// The other side has closed it.
        case over
    }

    private func read() -> Moved {
        guard let number = sourceNumber else { return .over }
        let held = held
        let result = bytes.withUnsafeMutableBytes { buffer in
            let free = UnsafeMutableRawBufferPointer(rebasing: buffer[held..<held + Self.piece])
            return uninterrupted { Glibc.read(number, free.baseAddress, free.count) }
        }
        if result > 0 { return .count(result) }
        return result < 0 && errno == EAGAIN ? .nothing : .over
    }

    private func write() -> Moved {
        guard let number = sinkNumber else { return .over }
        let range = written..<judged
        let result = bytes.withUnsafeBytes { buffer in
            let allowed = UnsafeRawBufferPointer(rebasing: buffer[range])
            return uninterrupted { Glibc.write(number, allowed.baseAddress, allowed.count) }
        }
        if result >= 0 { return .count(result) }
        return errno == EAGAIN ? .nothing : .over
    }

    /// Moves content from the worker's pipe into the master's.
    private func passContent() -> Moved {
        guard let source = sourceNumber, let sink = sinkNumber else { return .over }
        let result = uninterrupted { csd_splice(source, sink, filter.passing) }
        if result > 0 { return .count(result) }
        return result < 0 && errno == EAGAIN ? .nothing : .over
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
