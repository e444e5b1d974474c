public import IPC
internal import SSH
internal import Synchronization

/// The SFTP connection of one host, which all calls share. It is opened when a call needs it, and again after it was lost. It is
/// closed when it has been idle for a while, or when something else waits for a session.
public final class SFTPChannel: Sendable {
    /// Makes a transport whose bytes and end go to the client.
    typealias Opener = @Sendable (_ client: SFTPClient) async throws(SFTPError) -> any SFTPTransport

    private enum Phase {
        case closed
        case opening([Slot<SFTPClient>])
        case open(SFTPClient)
    }

    private struct State {
        var phase = Phase.closed
        /// Calls that use the client.
        var uses = 0
        var idleSince = ContinuousClock.now
        var watching = false
        /// Whether something else waits for a session.
        var wanted = false
        /// The way that was opened. From then on no other way is tried.
        var way: FileTransport?
        /// The error if no way answered at the last opening, and when that was.
        var hung: (error: SFTPError, since: ContinuousClock.Instant)?
    }

    /// How long an opening that hung is remembered. Calls fail at once in that time.
    private static let memory = Duration.seconds(60)

    /// The ways, in the order in which they are tried.
    private let openers: [(way: FileTransport, open: Opener)]
    private let idle: Duration
    /// Called when the host has refused a session. It tells what holds the other sessions.
    private let whenRefused: (@Sendable () async -> SessionShortage)?
    /// Called when all ways have ended early. It returns the error if the host was not reached at all.
    private let whenEnded: (@Sendable () async -> SFTPError?)?
    /// Tells whether the host is there at all.
    private let whenQuiet: (@Sendable () async -> HostSessions.Reach)?
    private let deadline: Duration
    /// How long opening may take, all ways together.
    private let opening: Duration
    private let state = Mutex(State())
    /// The turns of calls that read a file, change the text and write it, by the path.
    let editing = Turns()
    /// How many files may be edited at once.
    static let editsAtOnce = 8
    private let editPlaces = Turns()
    private let nextEditPlace = Atomic<Int>(0)
    /// The turns of writes that replace a file, by the resolved path.
    let replacing = Turns()
    /// Where leftovers of writes are looked for.
    let sweeps = Sweeps()

    init(
        deadline: Duration, opening: Duration? = nil, idle: Duration, openers: [(way: FileTransport, open: Opener)],
        whenRefused: (@Sendable () async -> SessionShortage)? = nil,
        whenEnded: (@Sendable () async -> SFTPError?)? = nil,
        whenQuiet: (@Sendable () async -> HostSessions.Reach)? = nil
    ) {
        self.deadline = deadline
        self.opening = opening ?? deadline
        self.idle = idle
        self.whenRefused = whenRefused
        self.whenEnded = whenEnded
        self.whenQuiet = whenQuiet
        self.openers = openers
    }

    deinit {
        if case .open(let client) = state.withLock({ $0.phase }) { client.close() }
    }

    /// Runs a call on the connection, and opens that if it is not open. A cancelled caller stops waiting.
    func use<Result: Sendable>(
        _ body: @Sendable (SFTPClient) async throws(SFTPError) -> Result
    ) async throws(SFTPError) -> Result {
        if Task.isCancelled { throw .cancelled }
        state.withLock { $0.uses += 1 }
        defer { leave() }
        let client = try await client()
        let operation = HostOperation(client.patience)
        return try await HostOperation.$current.withValue(operation) { () async -> Swift.Result<Result, SFTPError> in
            do throws(SFTPError) {
                return .success(try await body(client))
            } catch {
                return .failure(error)
            }
        }.get()
    }

    /// Waits for one of the places for edits.
    func placeToEdit() async throws(SFTPError) -> Turn {
        let number = nextEditPlace.wrappingAdd(1, ordering: .relaxed).oldValue
        return try await editPlaces.wait(for: [UInt8(truncatingIfNeeded: number & (Self.editsAtOnce - 1))])
    }

    /// Closes the connection, because something else wants its session: now if no call uses it, else when the last call is
    /// done.
    public func closeIfIdle() {
        let client = state.withLock { state -> SFTPClient? in
            switch state.phase {
            case .closed: return nil
            case .open(let client) where state.uses == 0:
                state.phase = .closed
                return client
            case .opening, .open:
                state.wanted = true
                return nil
            }
        }
        client?.close()
    }

    /// Whether a connection is open.
    public var isOpen: Bool {
        state.withLock { state in
            if case .open(let client) = state.phase { return client.end == nil }
            return false
        }
    }

    /// The way to the host's files, where it is known.
    public var knownTransport: FileTransport? { state.withLock { $0.way } }

    /// The way to the host's files. If it is not known yet, the connection is opened to find out.
    public func transport() async throws(SFTPError) -> FileTransport? {
        if let known = knownTransport { return known }
        try await use { _ async throws(SFTPError) in }
        return state.withLock { $0.way }
    }

    private func leave() {
        let (client, watches) = state.withLock { state -> (SFTPClient?, Bool) in
            state.uses -= 1
            guard state.uses == 0, case .open(let client) = state.phase else { return (nil, false) }
            if state.wanted || client.end != nil {
                state.phase = .closed
                state.wanted = false
                return (client, false)
            }
            state.idleSince = .now
            defer { state.watching = true }
            return (nil, !state.watching)
        }
        client?.close()
        if watches { watch(after: idle) }
    }

    private func watch(after wait: Duration) {
        _ = Timer(wait) { [weak self] in self?.judgeIdleness() }
    }

    private func judgeIdleness() {
        let (client, next) = state.withLock { state -> (SFTPClient?, Duration?) in
            state.watching = false
            guard state.uses == 0, case .open(let client) = state.phase else { return (nil, nil) }
            let left = state.idleSince + idle - .now
            if left > .zero {
                state.watching = true
                return (nil, left)
            }
            state.phase = .closed
            return (client, nil)
        }
        client?.close()
        if let next { watch(after: next) }
    }

    /// The open connection; it is opened if there is none.
    /// - Throws: at once if the last opening hung less than a minute ago. Then the connection is opened beside the call, so that
    ///   the next call succeeds if the host was mended.
    private func client() async throws(SFTPError) -> SFTPClient {
        let slot = Slot<SFTPClient>()
        let (known, tries) = state.withLock { state -> (SFTPError?, Bool) in
            guard let hung = state.hung, ContinuousClock.now - hung.since < Self.memory else { return (nil, false) }
            guard case .closed = state.phase else { return (hung.error, false) }
            state.phase = .opening([])
            return (hung.error, true)
        }
        if tries { open() }
        if let known { throw known }
        let (ready, opens) = state.withLock { state -> (SFTPClient?, Bool) in
            switch state.phase {
            case .open(let client) where client.end == nil: return (client, false)
            case .opening(let waiting):
                state.phase = .opening(waiting + [slot])
                return (nil, false)
            case .open, .closed:
                state.phase = .opening([slot])
                return (nil, true)
            }
        }
        if let ready { return ready }
        if opens { open() }
        return try await slot.value()
    }

    /// Opens the connection in a task of its own, because it serves all callers that wait, and any of them may be cancelled.
    private func open() {
        let call = CallInHand.current
        call?.hold()
        Task {
            defer { call?.letGo() }
            let known = state.withLock { $0.way }
            let due = ContinuousClock.now + opening
            var missing: [String] = []
            let ways = openers.filter { known == nil || $0.way == known }
            for (way, opener) in ways {
                do throws(SFTPError) {
                    let client = try await openWhereThereIsRoom(way, opener, due: due)
                    state.withLock { $0.way = way }
                    return finish(client, .success(client))
                } catch .notAllowed(.filesOverShell) where !missing.isEmpty {
                    let error = SFTPError.shellNotAllowed(detail: missing.joined(separator: "; "))
                    return finish(nil, .failure(await whenEnded?() ?? error))
                } catch .noSubsystem(let detail) {
                    missing.append(detail)
                } catch .hung(let duration, let seen) {
                    let all = (missing + [seen]).filter { !$0.isEmpty }.joined(separator: "\n")
                    return finish(nil, .failure(.hung(duration, seen: all)))
                } catch {
                    return finish(nil, .failure(error))
                }
            }
            let detail = missing.joined(separator: "; ")
            let error: SFTPError =
                ways.contains { $0.way == .shell } ? .shellEnded(detail: detail) : .noSubsystem(detail: detail)
            finish(nil, .failure(await whenEnded?() ?? error))
        }
    }

    /// Opens one way. If the host refuses the session, this tries again until `due`, because other sessions may end or be given
    /// back.
    private func openWhereThereIsRoom(
        _ way: FileTransport, _ opener: @escaping Opener, due: ContinuousClock.Instant
    ) async throws(SFTPError) -> SFTPClient {
        var pause = Duration.milliseconds(50)
        var shortage: SessionShortage?
        while true {
            do throws(SFTPError) {
                return try await open(way, opener, due: due)
            } catch .noSession(nil) {
                guard let whenRefused, .now + pause < due else { throw .noSession(shortage) }
                shortage = await whenRefused()
                await Timer.pause(pause)
                pause = min(pause * 2, .milliseconds(500))
            }
        }
    }

    private func open(
        _ way: FileTransport, _ opener: @escaping Opener, due: ContinuousClock.Instant
    ) async throws(SFTPError) -> SFTPClient {
        let client = SFTPClient(deadline: deadline, way: way, whenQuiet: whenQuiet)
        let opening = Task { () -> Result<any SFTPTransport, SFTPError> in
            do throws(SFTPError) {
                return .success(try await opener(client))
            } catch {
                return .failure(error)
            }
        }
        // When the session is open, the client itself limits the wait for the server.
        let limit = Timer(due - .now) { opening.cancel() }
        defer { limit.cancel() }
        do throws(SFTPError) {
            client.start(try await opening.value.get(), due: due)
            try await client.ready()
            return client
        } catch {
            client.close()
            throw error
        }
    }

    private func finish(_ client: SFTPClient?, _ result: Result<SFTPClient, SFTPError>) {
        let (waiting, watches) = state.withLock { state -> ([Slot<SFTPClient>], Bool) in
            guard case .opening(let waiting) = state.phase else { return ([], false) }
            state.phase = client.map { .open($0) } ?? .closed
            if client == nil { state.wanted = false }
            if case .failure(.hung(let duration, let seen)) = result {
                state.hung = (.hung(duration, seen: seen), .now)
            } else {
                state.hung = nil
            }
            // The callers that waited may all be gone, so the idle time begins now.
            guard client != nil, state.uses == 0, !state.watching else { return (waiting, false) }
            state.idleSince = .now
            state.watching = true
            return (waiting, true)
        }
        for slot in waiting { _ = slot.fill(result) }
        if watches { watch(after: idle) }
    }
}
