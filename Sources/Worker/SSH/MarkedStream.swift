/// Follows one stream of an observed command: what comes before the start mark, the command's own bytes, and the marks.
/// The marks are `Observer`'s; a mark may be split over any number of chunks.
struct MarkedStream {
    /// What the marks have told so far.
    struct Marks: Equatable {
        var started = false
        var directoryFailed = false
        var ended = false
        /// Digits after the start mark.
        var processID: Int?
        /// Numbers after the end mark.
        var exitStatus: Int?
        var signalled = false
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
        opening = [Observer.separator] + Array(nonce.utf8)
        preamble = OutputWindow(limit: Self.maximumPreamble)
        window = OutputWindow(limit: limit)
    }

    mutating func append(_ chunk: ArraySlice<UInt8>) {
        var rest = held.isEmpty ? chunk : (held + chunk)[...]
        held = []
        while let separator = rest.firstIndex(of: Observer.separator) {
            pass(rest[..<separator])
            let candidate = rest[separator...]
            switch mark(in: candidate) {
            case .whole(let length): rest = candidate.dropFirst(length)
            case .none:
                pass(candidate.prefix(1))
                rest = candidate.dropFirst()
            case .partial:
                held = Array(candidate)
                return
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

    private enum Match {
        case whole(length: Int)
        case partial
        case none
    }

    private mutating func mark(in candidate: ArraySlice<UInt8>) -> Match {
        guard candidate.prefix(opening.count).elementsEqual(opening.prefix(candidate.count)) else { return .none }
        let body = candidate.dropFirst(opening.count).prefix(Self.maximumMark)
        guard let newline = body.firstIndex(of: UInt8(ascii: "\n")) else {
            return body.count < Self.maximumMark ? .partial : .none
        }
        guard let kind = body.first, newline > body.startIndex else { return .none }
        let words = String(decoding: body[(body.startIndex + 1)..<newline], as: UTF8.self).split(separator: " ")
        switch kind {
        case UInt8(ascii: "+"):
            marks.started = true
            // 0 and 1 would address other processes than the command's.
            marks.processID = words.first.flatMap { Int($0) }.flatMap { $0 > 1 ? $0 : nil }
        case UInt8(ascii: "-"):
            marks.ended = true
            marks.exitStatus = words.first.flatMap { Int($0) }.flatMap { (0...255).contains($0) ? $0 : nil }
            marks.signalled = words.dropFirst().first == "1"
        case UInt8(ascii: "?"): marks.directoryFailed = true
        default: return .none
        }
        return .whole(length: newline - candidate.startIndex + 1)
    }
}
