internal import Synchronization

/// A session that writes what it is sent to one file, from one offset on.
final class ShellWriter: Sendable {
    /// Why not all of it is written.
    struct Failure: Error {
        let status: SFTPStatus
        let text: String
        /// Somebody knows of it.
        var isTold = false
    }

    private struct State {
        var position: UInt64
        var isOver = false
    }

    private let nonce: String
    private let end: Slot<String>
    private let pipe: any ShellPipe
    private let state: Mutex<State>

    /// Opens the session; that the file cannot be written shows when it ends.
    static func open(
        _ path: [UInt8], offset: UInt64, _ opener: ShellTransport.Opener
    ) async throws(SFTPError) -> ShellWriter {
        let nonce = ShellTransport.makeNonce()
        let end = Slot<String>()
        let said = Said()
        let pipe = try await opener(
            ShellScript.write(nonce: nonce, path, offset: offset),
            { chunk in said.bytes.withLock { if $0.count < 256 { $0 += chunk.prefix(256) } } },
            { reason in _ = end.fill(.success(reason)) })
        return ShellWriter(nonce: nonce, end: end, said: said, pipe: pipe, position: offset)
    }

    /// What it prints: the nonce, where all is written.
    private final class Said: Sendable {
        let bytes = Mutex<[UInt8]>([])
    }

    private let said: Said

    private init(nonce: String, end: Slot<String>, said: Said, pipe: any ShellPipe, position: UInt64) {
        (self.nonce, self.end, self.said, self.pipe) = (nonce, end, said, pipe)
        state = Mutex(State(position: position))
    }

    /// Where the next byte goes.
    var position: UInt64 { state.withLock { $0.position } }

    var isOver: Bool { state.withLock { $0.isOver } }

    /// Sends bytes and returns when they are on their way.
    func send(_ bytes: [UInt8]) async {
        state.withLock { $0.position += UInt64(bytes.count) }
        await withCheckedContinuation { continuation in pipe.send(bytes) { continuation.resume() } }
    }

    /// Ends the content and waits until it is written.
    func finish() async -> Failure? {
        pipe.finishInput()
        let reason = (try? await end.value()) ?? "the session was given up"
        state.withLock { $0.isOver = true }
        if said.bytes.withLock({ $0 }) == Array(nonce.utf8) { return nil }
        return Failure(status: ShellResult.status(ofWriting: reason), text: String(reason.prefix(500)))
    }

    func close() {
        state.withLock { $0.isOver = true }
        pipe.close()
    }
}
