internal import IPC

/// Separates one stream of a command into what comes before the start mark, the command's own bytes, and the marks of the
/// gate's `Observer`. A mark may be split over any number of chunks.
struct MarkedStream {
    /// What the marks have said so far.
    struct Marks: Equatable {
        /// Whether the mark of the start has come.
        var started = false
        /// Whether the start marks of both streams came on this one, because something on the host has joined the streams.
        var isJoined = false
        /// Whether the directory could not be entered.
        var directoryFailed = false
        /// Whether the directory is outside its tree.
        var directoryOutside = false
        /// Whether the host's server is one where sessions are opened one after the other.
        var takesOneAtATime = false
        /// Whether the mark of the end has come.
        var ended = false
        /// The observer's process id, from the start mark.
        var processID: UInt32?
        /// Whether lines to the host may use `export`, from the start mark.
        var exports = false
        /// The shell's exit status, from the end mark.
        var exitStatus: Int?
        /// Whether the shell saw a signal, from the end mark.
        var signalled = false
        /// What the watchdog saw when it had ended the command; nil if it did not end it.
        var stopped: StopVerdict?
    }

    /// How many bytes a mark may have after its nonce.
    private static let maximumMark = 64
    /// How many bytes are kept of what comes before the start: enough for an error message.
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
        // Bytes are passed on in stretches that go up to the next mark. A separator that begins no mark ends no stretch, so that
        // a stream full of separators costs no more than another.
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

    /// Takes notice that the stream has ended, so that the bytes that were held back are no mark.
    mutating func finish() {
        pass(held[...])
        held = []
    }

    private mutating func pass(_ bytes: ArraySlice<UInt8>) {
        if marks.started { window.append(bytes) } else { preamble.append(bytes) }
    }

    private enum Mark {
        case start(processID: UInt32?, exports: Bool)
        case end(exitStatus: Int?, signalled: Bool, stopped: StopVerdict?)
        case directoryFailed
        case directoryOutside
        case takesOneAtATime
    }

    private enum Match {
        case whole(Mark, length: Int)
        case partial
        case none
    }

    private mutating func take(_ mark: Mark) {
        switch mark {
        case .start(let processID, let exports):
            marks.exports = exports
            marks.isJoined = marks.started
            marks.started = true
            marks.processID = marks.processID ?? processID
        case .end(let exitStatus, let signalled, let stopped):
            marks.ended = true
            // The end mark on standard output has no status, and changes nothing else.
            guard exitStatus != nil || stopped != nil else { return }
            marks.stopped = stopped
            marks.exitStatus = exitStatus
            marks.signalled = signalled
        case .directoryFailed: marks.directoryFailed = true
        case .directoryOutside: marks.directoryOutside = true
        case .takesOneAtATime: marks.takesOneAtATime = true
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
            // kill(2) would take 0 and 1 for other processes than the command's.
            mark = .start(
                processID: number.flatMap { UInt32(exactly: $0) }.flatMap { $0 > 1 ? $0 : nil },
                exports: words.dropFirst().first == "e")
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
        case UInt8(ascii: "="):
            guard !marks.started else { return .none }
            mark = .takesOneAtATime
        default: return .none
        }
        return .whole(mark, length: newline - candidate.startIndex + 1)
    }
}
