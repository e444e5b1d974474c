internal import Glibc
internal import IPC

/// One `ssh` child of the worker.
struct SSHProcess: Sendable {
    /// What the timers of whoever controls a child are for.
    enum Bound: Sendable {
        /// Its time is over.
        case deadline
        /// Its command should have told its start.
        case begin
        /// Its command has ended, and its streams stay open.
        case linger
        /// Nobody waits any longer.
        case giveUp
        /// A session that was refused may be asked for again.
        case retry
    }

    /// What happens to a running child, for whoever controls it.
    enum Event: Sendable {
        /// It and its streams have ended.
        case ended(ChildEnd)
        /// A timer of the controller ran out.
        case timer(Bound)
        /// The controller's caller was cancelled.
        case cancelled
        /// The command has told its start.
        case commandStarted
        /// The command has told its end on both streams.
        case commandEnded
        /// The command was to be stopped: what came of it, nil where the host could not be asked.
        case stopped(StopAnswer?)
    }

    /// Why no child could be started, or how it failed to do anything.
    struct SpawnFailure: Error {
        let detail: String

        init(detail: String) {
            self.detail = detail
            SSHTrouble.note(detail)
        }
    }

    /// The status of an `ssh` that failed by itself, ssh(1). A command of the host may end with it as well.
    static let ownFailure = 255

    let path: String
    let arguments: [String]

    /// Starts the child, feeds it `input` when that is let go, drains it, and hands `control` the events. When `control` returns, a child that has
    /// not ended is killed.
    /// - Returns: how it ended.
    func run(
        input: HeldInput = HeldInput([]),
        events: (stream: AsyncStream<Event>, continuation: AsyncStream<Event>.Continuation),
        stdout: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        stderr: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        control: @Sendable (inout AsyncStream<Event>.Iterator) async -> ChildEnd?
    ) async throws(SpawnFailure) -> ChildEnd {
        let child: Child
        do throws(IPCError) {
            child = try Child.start(
                path: path, arguments: arguments, environment: SSHInvocation.environment, stdout: stdout,
                stderr: stderr, ended: { events.continuation.yield(.ended($0)) })
        } catch {
            throw SpawnFailure(detail: "\(path): \(error)")
        }
        input.attach(to: child)
        defer { input.detach() }
        var iterator = events.stream.makeAsyncIterator()
        if let end = await control(&iterator) {
            // A filter that is too narrow for this ssh must not look like a dead master.
            if end == .signalled(SIGSYS) { throw SpawnFailure(detail: "the sandbox ended \(path) (SIGSYS)") }
            return end
        }
        child.abandon()
        while let event = await iterator.next() {
            if case .ended(let end) = event { return end }
        }
        return .signalled(SIGKILL)
    }

    /// Whether ssh found no master and went on to make a connection itself, which its options do not let it: nothing has
    /// run then.
    static func hasTriedToConnect(_ said: String) -> Bool {
        said.contains("kex_exchange_identification") || said.contains("/bin/sh:") || said.contains("/nonexistent")
    }

    /// Runs a short request to its end, within `limit`.
    /// - Returns: the end, both streams, at most 16 KiB of each, and whether it was killed because the time was over.
    static func collect(path: String, arguments: [String], limit: Duration) async throws(SpawnFailure) -> (
        end: ChildEnd, stdout: String, stderr: String, isLate: Bool
    ) {
        let events = AsyncStream.makeStream(of: Event.self)
        let out = StreamBox(OutputWindow(limit: 16_384))
        let err = StreamBox(OutputWindow(limit: 16_384))
        let timer = Timer(limit) { events.continuation.yield(.timer(.deadline)) }
        defer { timer.cancel() }
        let isLate = StreamBox(false)
        let end = try await SSHProcess(path: path, arguments: arguments).run(
            events: events, stdout: { chunk in out.with { $0.append(chunk) } },
            stderr: { chunk in err.with { $0.append(chunk) } },
            control: { events in
                guard let event = await events.next(), case .ended(let end) = event else {
                    isLate.with { $0 = true }
                    return nil
                }
                return end
            })
        let said = err.value.output().text
        // The loader's words and status, ld.so(8): no ssh has run. No host has a part in what a short request prints.
        if end == .exited(127), said.hasPrefix("\(path): error while loading shared libraries:") {
            throw SpawnFailure(detail: said.split(whereSeparator: \.isNewline).joined(separator: "; "))
        }
        return (end, out.value.output().text, said, isLate.value)
    }
}
