/// The two streams of a command's session, and what they have told of the command.
struct CommandStreams: Sendable {
    private(set) var out: MarkedStream
    private(set) var err: MarkedStream
    /// When its start and its end were told.
    private(set) var began: ContinuousClock.Instant?
    private(set) var finished: ContinuousClock.Instant?
    /// The command's last output went to stderr.
    private var endsInError = false

    /// - Parameter limit: bytes that are kept of each.
    init(nonce: String, limit: Int) {
        out = MarkedStream(nonce: nonce, limit: limit)
        err = MarkedStream(nonce: nonce, limit: limit)
    }

    /// What the marks of standard error have told, which come on standard output where something on the host sends both
    /// there; those of standard output where it takes standard error away.
    var marks: MarkedStream.Marks {
        out.marks.isJoined || !err.marks.started && out.marks.started ? out.marks : err.marks
    }

    /// The command has ended, and both streams have told it.
    var ended: Bool {
        if out.marks.isJoined || err.marks.isJoined { return marks.exitStatus != nil }
        return out.marks.ended && err.marks.ended
    }

    /// The command's last line of output.
    var lastLine: String { (endsInError ? err : out).window.lastLine }

    /// What was printed before the start of the command, or in its place.
    var said: String { Self.trimmed([err, out].map { $0.preamble.output().text }.joined(separator: "\n")) }

    /// The last line of what one of them printed before the start of the command.
    static func lastLineBefore(_ stream: MarkedStream) -> String {
        trimmed(stream.preamble.output().text.split(whereSeparator: \.isNewline).last.map(String.init) ?? "")
    }

    /// Takes what came on one of them.
    /// - Returns: whether the command's start, and its end, were told just now.
    mutating func append(_ chunk: ArraySlice<UInt8>, isError: Bool) -> (started: Bool, ended: Bool) {
        let before = (started: marks.started, ended: ended, total: (isError ? err : out).window.total)
        if isError { err.append(chunk) } else { out.append(chunk) }
        if (isError ? err : out).window.total > before.total { endsInError = isError }
        let told = (started: marks.started && !before.started, ended: ended && !before.ended)
        if told.started { began = .now }
        if told.ended { finished = .now }
        return told
    }

    /// No more will come.
    mutating func finish() {
        out.finish()
        err.finish()
    }

    private static func trimmed(_ text: String) -> String {
        String(text.split(whereSeparator: \.isNewline).joined(separator: "; ").suffix(2000))
    }
}
