internal import Glibc
internal import IPC

/// A short request to a ControlMaster by way of an `ssh` child of the worker.
enum SSHProcess {
    private enum Event: Sendable {
        /// It and its streams have ended.
        case ended(ChildEnd)
        /// Its time is over.
        case late
    }

    /// Why no child could be started, or why it could do nothing. Each is written to the log.
    struct SpawnFailure: Error {
        let detail: String

        init(detail: String) {
            self.detail = detail
            SSHTrouble.note(detail)
        }
    }

    /// Runs a short request to its end, within `limit`.
    /// - Returns: the end, both streams, at most 16 KiB of each, and whether it was killed because the time was over.
    static func collect(path: String, arguments: [String], limit: Duration) async throws(SpawnFailure) -> (
        end: ChildEnd, stdout: String, stderr: String, isLate: Bool
    ) {
        let events = AsyncStream.makeStream(of: Event.self)
        let out = StreamBox(OutputWindow(limit: 16_384))
        let err = StreamBox(OutputWindow(limit: 16_384))
        let child: Child
        do throws(IPCError) {
            child = try Child.start(
                path: path, arguments: arguments, environment: SSHInvocation.environment,
                stdout: { chunk in out.with { $0.append(chunk) } },
                stderr: { chunk in err.with { $0.append(chunk) } },
                ended: { events.continuation.yield(.ended($0)) })
        } catch {
            throw SpawnFailure(detail: "\(path): \(error)")
        }
        child.finishInput()
        let timer = Timer(limit) { events.continuation.yield(.late) }
        defer { timer.cancel() }
        var end = ChildEnd.unseen
        var isLate = false
        events: for await event in events.stream {
            switch event {
            case .ended(let seen):
                end = seen
                break events
            case .late:
                isLate = true
                child.abandon()
            }
        }
        // A filter that is too narrow for this ssh must not look like a dead master.
        if !isLate, end == .signalled(SIGSYS) { throw SpawnFailure(detail: "the sandbox ended \(path) (SIGSYS)") }
        let said = err.value.output().text
        // These are the status and the words of the loader, ld.so(8), which could not start ssh.
        if end == .exited(127), said.hasPrefix("\(path): error while loading shared libraries:") {
            throw SpawnFailure(detail: said.split(whereSeparator: \.isNewline).joined(separator: "; "))
        }
        return (end, out.value.output().text, said, isLate)
    }
}
