/// The two output streams of a command's session, and what their marks say about the command.
struct CommandStreams: Sendable {
    private(set) var out: MarkedStream
    private(set) var err: MarkedStream
    /// When the marks of the command's start and of its end came.
    private(set) var began: ContinuousClock.Instant?
    private(set) var finished: ContinuousClock.Instant?
    /// Whether the command wrote its last output to standard error.
    private var endsInError = false

    /// - Parameter limit: bytes that are kept of each stream.
    init(nonce: String, limit: Int) {
        out = MarkedStream(nonce: nonce, limit: limit)
        err = MarkedStream(nonce: nonce, limit: limit)
    }

    /// The marks that count. They come on standard error, but on standard output if something on the host joins the streams or
    /// takes standard error away.
    var marks: MarkedStream.Marks {
        out.marks.isJoined || !err.marks.started && out.marks.started ? out.marks : err.marks
    }

    /// Whether the host's server is one where sessions are opened one after the other. Each stream tells it before the start mark.
    var takesOneAtATime: Bool { out.marks.takesOneAtATime || err.marks.takesOneAtATime }

    /// Whether both streams have brought the mark of the command's end.
    var ended: Bool {
        if out.marks.isJoined || err.marks.isJoined { return marks.exitStatus != nil }
        return out.marks.ended && err.marks.ended
    }

    /// The last line of the command's output.
    var lastLine: String { (endsInError ? err : out).window.lastLine }

    /// What was printed before the command started, or instead of the command.
    var said: String { Self.trimmed([err, out].map { $0.preamble.output().text }.joined(separator: "\n")) }

    /// The last line that this stream printed before the command started.
    static func lastLineBefore(_ stream: MarkedStream) -> String {
        trimmed(stream.preamble.output().text.split(whereSeparator: \.isNewline).last.map(String.init) ?? "")
    }

    /// Takes bytes that came on one of the streams.
    /// - Returns: whether these bytes completed the mark of the command's start, and whether they completed that of its end.
    mutating func append(_ chunk: ArraySlice<UInt8>, isError: Bool) -> (started: Bool, ended: Bool) {
        let before = (started: marks.started, ended: ended, total: (isError ? err : out).window.total)
        if isError { err.append(chunk) } else { out.append(chunk) }
        if (isError ? err : out).window.total > before.total { endsInError = isError }
        let told = (started: marks.started && !before.started, ended: ended && !before.ended)
        if told.started { began = .now }
        if told.ended { finished = .now }
        return told
    }

    /// Takes notice that both streams have ended.
    mutating func finish() {
        out.finish()
        err.finish()
    }

    static func trimmed(_ text: String) -> String {
        String(text.split(whereSeparator: \.isNewline).joined(separator: "; ").suffix(2000))
    }
}
