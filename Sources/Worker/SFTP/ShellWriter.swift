internal import IPC
internal import SSH
internal import Synchronization

/// A session that writes what it is sent to one file, from an offset on.
final class ShellWriter: Sendable {
    /// Why not all of the content was written.
    struct Failure: Error {
        let error: SFTPError?
        let status: SFTPStatus
        let text: String
        /// Whether a reply has already told of it.
        var isTold = false
    }

    private struct State {
        var position: UInt64
        var isOver = false
    }

    private let end: Slot<SessionEnd>
    private let pipe: any ShellPipe
    private let state: Mutex<State>

    /// Opens the session, and returns when the script reads its standard input: until then start-up files of the login shell
    /// read the same stream, and one that starts another shell would have it run the content. If the file cannot be
    /// written, that shows only when the session ends.
    /// - Throws: `.notTaken` if the script does not begin within `limit`, or ends before.
    static func open(
        _ path: [UInt8], offset: UInt64, within limit: Duration, _ opener: ShellTransport.Opener
    ) async throws(SFTPError) -> ShellWriter {
        let nonce = Nonce.make()
        let end = Slot<SessionEnd>()
        let ready = Slot<Void>()
        let said = Said(nonce: nonce, ready: ready)
        let pipe = try await opener(
            .content(nonce: nonce, path: path, offset: offset),
            { said.append($0) },
            { reason in
                _ = end.fill(.success(reason))
                switch SFTPError.earlyEnd(reason) {
                case .noSubsystem(let detail): _ = ready.fill(.failure(.notTaken(nil, seen: detail)))
                case let error: _ = ready.fill(.failure(error))
                }
            })
        let late = Timer(limit) { _ = ready.fill(.failure(.notTaken(limit, seen: said.text))) }
        defer { late.cancel() }
        do throws(SFTPError) {
            try await ready.value()
        } catch {
            pipe.close()
            throw error
        }
        return ShellWriter(end: end, said: said, pipe: pipe, position: offset)
    }

    private let said: Said

    private init(end: Slot<SessionEnd>, said: Said, pipe: any ShellPipe, position: UInt64) {
        (self.end, self.said, self.pipe) = (end, said, pipe)
        state = Mutex(State(position: position))
    }

    /// The offset of the next byte.
    var position: UInt64 { state.withLock { $0.position } }

    var isOver: Bool { state.withLock { $0.isOver } }

    /// Sends bytes. Returns when they are on their way, or cannot be any more.
    func send(_ bytes: [UInt8]) async {
        state.withLock { $0.position += UInt64(bytes.count) }
        await withCheckedContinuation { continuation in pipe.send(bytes) { continuation.resume() } }
    }

    /// Ends the content and waits until it is written. Returns nil if all of it is.
    func finish() async -> Failure? {
        pipe.finishInput()
        let reason = (try? await end.value())?.text ?? "the session was given up"
        state.withLock { $0.isOver = true }
        let text: String
        switch said.answer {
        case .written: return nil
        case .failed(let told): text = told
        // The session ended without a result, so only the reason of its end can be told.
        case .none: text = reason
        }
        return Failure(error: nil, status: ShellResult.status(ofWriting: text), text: String(text.prefix(500)))
    }

    func close() {
        state.withLock { $0.isOver = true }
        pipe.close()
    }
}

/// Keeps what the session of a writer prints: somewhere in it are the nonce, which begins it, and the nonce with the result.
private final class Said: Sendable {
    enum Answer {
        case written
        case failed(String)
    }

    private struct State {
        /// What follows the last nonce, once both were found; before that, the last bytes, with which one may begin.
        var kept: [UInt8] = []
        var isReady = false
        var found = false
    }

    /// Most bytes after the nonce that are kept.
    private static let longestText = 500

    /// The last of what came before the nonce, for a person.
    var text: String {
        let kept = state.withLock { $0.isReady ? [] : $0.kept }
        return String(decoding: kept, as: UTF8.self).split(whereSeparator: \.isNewline).joined(separator: "; ")
    }

    private let nonce: [UInt8]
    private let ready: Slot<Void>
    private let state = Mutex(State())

    init(nonce: String, ready: Slot<Void>) {
        self.nonce = Array(nonce.utf8)
        self.ready = ready
    }

    func append(_ chunk: ArraySlice<UInt8>) {
        let begins = state.withLock { state -> Bool in
            let wasReady = state.isReady
            state.kept += chunk
            while !state.found, let place = state.kept.firstRange(of: nonce) {
                state.kept.removeSubrange(..<place.upperBound)
                state.found = state.isReady
                state.isReady = true
            }
            if state.found {
                state.kept.removeLast(max(0, state.kept.count - Self.longestText))
            } else {
                state.kept.removeFirst(max(0, state.kept.count - nonce.count + 1))
            }
            return state.isReady && !wasReady
        }
        if begins { _ = ready.fill(.success(())) }
    }

    /// The result; nil if it did not come.
    var answer: Answer? {
        let state = state.withLock { $0 }
        guard state.found, let first = state.kept.first else { return nil }
        if first == UInt8(ascii: "0") { return .written }
        let text = String(decoding: state.kept.dropFirst(), as: UTF8.self)
        return .failed(text.split(whereSeparator: \.isNewline).joined(separator: "; "))
    }
}
