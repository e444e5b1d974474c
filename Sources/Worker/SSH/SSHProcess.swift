internal import Glibc
internal import IPC

/// One `ssh` child of the worker.
struct SSHProcess: Sendable {
    /// What a timer of the child's controller limits.
    enum Bound: Sendable {
        /// The whole run.
        case deadline
        /// The time until the command's start is told.
        case begin
        /// The time that the streams stay open after the command has ended.
        case linger
        /// The time that the controller still waits after the command was to be stopped.
        case giveUp
        /// The pause before a refused session is asked for again.
        case retry
    }

    /// What happens to a running child, as its controller sees it.
    enum Event: Sendable {
        /// The child and its streams have ended.
        case ended(ChildEnd)
        /// This timer of the controller has run out.
        case timer(Bound)
        /// The controller's caller has cancelled.
        case cancelled
        /// The mark of the command's start has come.
        case commandStarted
        /// Both streams have brought the mark of the command's end.
        case commandEnded
        /// The host was asked to stop the command, and answered this; nil if it could not be asked.
        case stopped(StopAnswer?)
    }

    /// Why no child could be started, or why it could do nothing. Each is written to the log.
    struct SpawnFailure: Error {
        let detail: String

        init(detail: String) {
            self.detail = detail
            SSHTrouble.note(detail)
        }
    }

    /// The exit status of an `ssh` that failed by itself, ssh(1). A command on the host may end with the same status.
    static let ownFailure = 255

    let path: String
    let arguments: [String]

    /// Starts the child, gives it `input` when that is no longer held back, reads its output, and passes the events to
    /// `control`. If `control` returns nil, the child is killed.
    /// - Returns: how the child ended.
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
            // If the system call filter is too narrow for this ssh, that must not look like a dead master.
            if end == .signalled(SIGSYS) { throw SpawnFailure(detail: "the sandbox ended \(path) (SIGSYS)") }
            return end
        }
        child.abandon()
        while let event = await iterator.next() {
            if case .ended(let end) = event { return end }
        }
        return .signalled(SIGKILL)
    }

    /// Whether `ssh` found no master and tried to connect by itself, which its options prevent. Then nothing has run.
    static func hasTriedToConnect(_ said: String) -> Bool {
        said.contains("kex_exchange_identification") || said.contains("/bin/sh:") || said.contains("/nonexistent")
    }

    /// Runs an `ssh` that ends soon, and kills it if it takes longer than `limit`.
    /// - Returns: how it ended, at most 16 KiB of each of its streams, and whether it was killed.
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
        // These are the status and the words of the loader, ld.so(8), which could not start ssh.
        if end == .exited(127), said.hasPrefix("\(path): error while loading shared libraries:") {
            throw SpawnFailure(detail: said.split(whereSeparator: \.isNewline).joined(separator: "; "))
        }
        return (end, out.value.output().text, said, isLate.value)
    }
}
