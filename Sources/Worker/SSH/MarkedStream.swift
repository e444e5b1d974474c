internal import IPC

/// Follows one stream of an observed command: what comes before the start mark, the command's own bytes, and the marks.
/// The marks are the gate's `Observer`'s; a mark may be split over any number of chunks.
struct MarkedStream {
    /// What the marks have told so far.
    struct Marks: Equatable {
        var started = false
        /// The start marks of both streams came on this one: a wrapper on the host has joined them.
        var isJoined = false
        var directoryFailed = false
        var directoryOutside = false
        var ended = false
        /// Digits after the start mark.
        var processID: UInt32?
        /// Numbers after the end mark.
        var exitStatus: Int?
        var signalled = false
        /// The watchdog ended the command, with what it saw then.
        var stopped: StopVerdict?
    }

    /// Most bytes of a mark after the nonce; longer is no mark.
    private static let maximumMark = 64
    /// What is kept of the noise before the start: enough for an error message.
    private static let maximumPreamble = 16_384

    private let opening: [UInt8]
    private var held: [UInt8] = []
    private(set) var marks = Marks()
    private(set) var preamble: OutputWindow
    private(set) var window: OutputWindow

    init(nonce: String, limit: Int) {
        opening = [ObserverID.separator] + Array(nonce.utf8)
        preamble = OutputWindow(limit: Self.maximumPreamble)
        window = OutputWindow(limit: limit)
    }

    mutating func append(_ chunk: ArraySlice<UInt8>) {
        var rest = held.isEmpty ? chunk : (held + chunk)[...]
        held = []
        // Separators that begin no mark stay in the stretch that is passed on, so that a stream of them costs no more.
        var search = rest.startIndex
        while let separator = rest[search...].firstIndex(of: ObserverID.separator) {
            let candidate = rest[separator...]
            switch match(candidate) {
            case .none: search = separator + 1
            case .partial:
                pass(rest[..<separator])
                held = Array(candidate)
                return
            case .whole(let mark, let length):
                pass(rest[..<separator])
                take(mark)
                rest = candidate.dropFirst(length)
                search = rest.startIndex
            }
        }
        pass(rest)
    }

    /// The stream has ended: what was held back is no mark.
    mutating func finish() {
        pass(held[...])
        held = []
    }

    private mutating func pass(_ bytes: ArraySlice<UInt8>) {
        if marks.started { window.append(bytes) } else { preamble.append(bytes) }
    }

    private enum Mark {
        case start(processID: UInt32?)
        case end(exitStatus: Int?, signalled: Bool, stopped: StopVerdict?)
        case directoryFailed
        case directoryOutside
    }

    private enum Match {
        case whole(Mark, length: Int)
        case partial
        case none
    }

    private mutating func take(_ mark: Mark) {
        switch mark {
        case .start(let processID):
            marks.isJoined = marks.started
            marks.started = true
            marks.processID = marks.processID ?? processID
        case .end(let exitStatus, let signalled, let stopped):
            marks.ended = true
            // The mark of standard output has no status.
            guard exitStatus != nil || stopped != nil else { return }
            marks.stopped = stopped
            marks.exitStatus = exitStatus
            marks.signalled = signalled
        case .directoryFailed: marks.directoryFailed = true
        case .directoryOutside: marks.directoryOutside = true
        }
    }

    private func match(_ candidate: ArraySlice<UInt8>) -> Match {
        guard candidate.prefix(opening.count).elementsEqual(opening.prefix(candidate.count)) else { return .none }
        let body = candidate.dropFirst(opening.count).prefix(Self.maximumMark)
        guard let newline = body.firstIndex(of: UInt8(ascii: "\n")) else {
            return body.count < Self.maximumMark ? .partial : .none
        }
        guard let kind = body.first, newline > body.startIndex else { return .none }
        let words = String(decoding: body[(body.startIndex + 1)..<newline], as: UTF8.self).split(separator: " ")
        let number = words.first.flatMap { Int($0) }
        let mark: Mark
        switch kind {
        case UInt8(ascii: "+"):
            // 0 and 1 would address other processes than the command's.
            mark = .start(processID: number.flatMap { UInt32(exactly: $0) }.flatMap { $0 > 1 ? $0 : nil })
        case UInt8(ascii: "-"):
            mark = .end(
                exitStatus: number.flatMap { (0...255).contains($0) ? $0 : nil },
                signalled: words.dropFirst().first == "1",
                stopped: words.dropFirst(2).first.map { word in
                    switch word {
                    case "0": .confirmed
                    case "1": .signalled
                    default: .unknown
                    }
                })
        case UInt8(ascii: "?"): mark = .directoryFailed
        case UInt8(ascii: "/"): mark = .directoryOutside
        default: return .none
        }
        return .whole(mark, length: newline - candidate.startIndex + 1)
    }
}
