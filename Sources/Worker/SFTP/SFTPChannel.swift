internal import IPC
public import SSH
internal import Synchronization

/// The SFTP connection of one host: opened when it is needed, shared by all calls, opened anew after it was lost, closed
/// when it is idle for long or when another call waits for a session.
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
        /// Another call waits for a session.
        var wanted = false
        /// The way that was open last: the only one from then on.
        var way: FileTransport?
        /// Neither way answered when it was opened last, and that since when.
        var hung: (error: SFTPError, since: ContinuousClock.Instant)?
    }

    /// How long calls are told at once that neither way answered.
    private static let memory = Duration.seconds(60)

    /// Where the first way is not there, the second is tried.
    private let openers: [(way: FileTransport, open: Opener)]
    private let idle: Duration
    /// Called when the host has refused a session; it tells what holds the others.
    private let whenRefused: (@Sendable () async -> SessionShortage)?
    /// Called when all ways have ended early; it tells whether the cause lies before the host.
    private let whenEnded: (@Sendable () async -> SFTPError?)?
    private let deadline: Duration
    /// How long opening may take, all ways together.
    private let opening: Duration
    private let state = Mutex(State())
    /// Of calls that read a file, change the text and write it.
    let editing = Turns()
    /// Files that are edited at once.
    static let editsAtOnce = 8
    private let editPlaces = Turns()
    private let nextEditPlace = Atomic<Int>(0)
    /// Of what takes the place of a file, by the resolved path.
    let replacing = Turns()

    /// Files over `sessions`, whose shortages it listens to from the first call on.
    ///
    /// - Parameters:
    ///   - deadline: how long the host may move nothing, see `ProgressDeadline`, and how long opening may take in all.
    ///   - idle: how long the connection stays open without a call.
    public convenience init(
        sessions: HostSessions, deadline: Duration = ProgressDeadline.patience, idle: Duration = .seconds(60)
    ) {
        let channel = Mutex(WeakChannel())
        @Sendable func open(
            _ peer: HostSessions.Peer, besideOwn: Bool = false,
            _ receive: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
            _ ended: @escaping @Sendable (SessionEnd) -> Void
        ) async throws(SFTPError) -> SSHChannel {
            await sessions.onShortage {
                let channel = channel.withLock { $0.channel }
                channel?.closeIfIdle()
                return channel != nil
            }
            do throws(ExecFailure) {
                return try await sessions.open(
                    peer, besideOwn: besideOwn, within: deadline * 0.9, receive: receive, ended: ended)
            } catch {
                switch error {
                case .noSession(let shortage): throw .noSession(shortage)
                case .cancelled: throw .noSession(nil)
                case .spawn(let detail): throw .spawn(detail: detail)
                case .masterDown(let why): throw .masterDown(why)
                // These are of commands.
                case .directory, .outside, .tooLong, .notStarted, .notBegun, .lost, .notAllowed, .notOpened:
                    throw .unreachable(detail: "")
                }
            }
        }
        let packets: Opener = { client async throws(SFTPError) in
            try await open(.files, { client.receive($0) }, { client.transportEnded($0) })
        }
        let shell: Opener = { client async throws(SFTPError) in
            // The first is for the requests, the others for content beside them.
            let opened = Mutex(false)
            return try await ShellTransport.open(client) { line, receive, ended async throws(SFTPError) in
                let besideOwn = opened.withLock { opened in
                    defer { opened = true }
                    return opened
                }
                return try await open(.command(line), besideOwn: besideOwn, receive, ended)
            }
        }
        self.init(
            deadline: deadline, idle: idle, openers: [(.sftp, packets), (.shell, shell)],
            whenRefused: { await sessions.wasRefused() },
            whenEnded: {
                switch await sessions.masterState() {
                case .alive: nil
                case .down(let why): .masterDown(why)
                }
            })
        channel.withLock { $0.channel = self }
    }

    init(
        deadline: Duration, opening: Duration? = nil, idle: Duration, openers: [(way: FileTransport, open: Opener)],
        whenRefused: (@Sendable () async -> SessionShortage)? = nil,
        whenEnded: (@Sendable () async -> SFTPError?)? = nil
    ) {
        self.deadline = deadline
        self.opening = opening ?? deadline
        self.idle = idle
        self.whenRefused = whenRefused
        self.whenEnded = whenEnded
        self.openers = openers
    }

    deinit {
        if case .open(let client) = state.withLock({ $0.phase }) { client.close() }
    }

    /// Runs a call on the connection, opening it where it is not open. The caller's cancellation ends the waiting.
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

    /// Closes the connection if no call uses it, else when the last of them is done. For when a session is wanted.
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

    /// The way to the host's files, found by opening it where it is not known yet.
    public func transport() async throws(SFTPError) -> FileTransport? {
        if let known = state.withLock({ $0.way }) { return known }
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

    /// - Throws: at once where the host hung a short while ago. Then it is tried anew beside the call, so that one that was
    ///   mended serves the next.
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

    /// Opens in a task of its own: it serves all who wait, whoever of them is cancelled.
    private func open() {
        Task {
            let known = state.withLock { $0.way }
            let due = ContinuousClock.now + opening
            var missing: [String] = []
            let ways = openers.filter { known == nil || $0.way == known }
            for (way, opener) in ways {
                do throws(SFTPError) {
                    let client = try await openWhereThereIsRoom(way, opener, due: due)
                    state.withLock { $0.way = way }
                    return finish(client, .success(client))
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

    /// Tries again while the host refuses a session, until `due`: others give theirs back, or end.
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
        let client = SFTPClient(deadline: deadline, way: way)
        let opening = Task { () -> Result<any SFTPTransport, SFTPError> in
            do throws(SFTPError) {
                return .success(try await opener(client))
            } catch {
                return .failure(error)
            }
        }
        // From there on the client itself bounds the waiting.
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
            // All who waited may have gone.
            guard client != nil, state.uses == 0, !state.watching else { return (waiting, false) }
            state.idleSince = .now
            state.watching = true
            return (waiting, true)
        }
        for slot in waiting { _ = slot.fill(result) }
        if watches { watch(after: idle) }
    }
}

/// A channel that is not kept alive.
private struct WeakChannel {
    weak var channel: SFTPChannel?
}
