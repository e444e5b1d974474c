internal import IPC
internal import SSH
internal import Synchronization

/// One connection to an SFTP server, version 3. Requests are sent at once, in the order of the calls. Replies are
/// matched by their id and may come in any order.
final class SFTPClient: Sendable {
    private enum Phase {
        case connecting
        case ready
        case ended(SFTPError)
    }

    private struct State {
        var phase = Phase.connecting
        var transport: (any SFTPTransport)?
        /// When VERSION must have come.
        var due = ContinuousClock.now
        var greeting = Greeting()
        /// When something other than VERSION last came.
        var lastText: ContinuousClock.Instant?
        var framer = PacketFramer()
        var extensions: Set<SFTPExtension> = []
        var limits = Limits()
        var requests = RequestTable()
        var underWay = UnderWay()
        var deadline: ProgressDeadline
        /// The time up to which the deadline has been charged.
        var charged = ContinuousClock.now
        var watching = false
        var timer: Timer?
        /// Since when nothing has come, or since when something was asked again.
        var quietSince = ContinuousClock.now
        /// Whether there is a timer for that.
        var listening = false
        /// How many bytes have come from the host in all.
        var arrived: UInt64 = 0
        /// How many bytes of files and directories the calls have moved in all.
        var moved: UInt64 = 0
        /// How many bytes of files were sent since the last request that waits until they are written.
        var unsettled = 0
        var home: [UInt8]?
    }

    /// How long the server may be silent while requests are under way, see `ProgressDeadline`.
    let patience: Duration
    /// The way to the files.
    let way: FileTransport
    private let state: Mutex<State>
    private let opened = Slot<Void>()

    /// Asks whether the host is there at all, where it owes an answer and says nothing.
    private let whenQuiet: (@Sendable () async -> HostSessions.Reach)?

    /// A client that has no connection yet.
    init(
        deadline: Duration, way: FileTransport = .sftp, whenQuiet: (@Sendable () async -> HostSessions.Reach)? = nil
    ) {
        self.whenQuiet = whenQuiet
        patience = deadline
        self.way = way
        state = Mutex(State(deadline: ProgressDeadline(deadline)))
    }

    /// Begins the conversation. What the server sends must be given to `receive`, also if it comes before this call.
    /// The server must be ready at `due`; without it, within the patience.
    func start(_ transport: any SFTPTransport, due: ContinuousClock.Instant? = nil) {
        let due = due ?? .now + patience
        let ended = state.withLock { state in
            if case .ended = state.phase { return true }
            state.transport = transport
            state.due = due
            state.watching = true
            state.quietSince = .now
            state.listening = true
            return false
        }
        if ended { return transport.close() }
        transport.begin()
        listen(after: HostPulse.patience)
        watch(after: due - .now)
    }

    /// Waits for the server's VERSION. Only one caller may wait.
    func ready() async throws(SFTPError) { try await opened.value() }

    /// Why the connection is over; nil while it is not.
    var end: SFTPError? {
        state.withLock { state in
            if case .ended(let error) = state.phase { return error }
            return nil
        }
    }

    var limits: Limits { state.withLock { $0.limits } }

    /// The login directory, once the host has told it; see `RemoteFiles.home`.
    var home: [UInt8]? {
        get { state.withLock { $0.home } }
        set { state.withLock { $0.home = newValue } }
    }

    func offers(_ wanted: SFTPExtension) -> Bool { state.withLock { $0.extensions.contains(wanted) } }

    /// Ends the connection.
    func close() { fail(.lost(detail: "closed")) }

    // MARK: Requests

    /// Whether something of this cost may be asked for ahead, beyond the bytes that are needed next.
    func hasRoom(for cost: Int) -> Bool {
        state.withLock { $0.underWay.hasRoom(for: cost, unanswered: $0.requests.count) }
    }

    /// The length of the next READ or WRITE: `length` if there is room to ask ahead, else at most `UnderWay.shortest`.
    func length(upTo length: Int) -> Int { hasRoom(for: length) ? length : min(length, UnderWay.shortest) }

    /// Takes off a cost: the reply was taken, or nobody wants it any more.
    func settle(_ cost: Int) { state.withLock { $0.underWay.remove(cost) } }

    /// Sends a request at once. The caller waits for the reply when it needs it. A reply that nobody takes is dropped,
    /// and a handle in it is closed.
    func send(_ request: SFTPRequest, about path: [UInt8]? = nil) -> PendingReply {
        let slot = Slot<TimedReply>()
        let cost = request.cost
        var grant = Duration.zero
        var listens = false
        let (transport, id, watches) = state.withLock { state -> ((any SFTPTransport)?, UInt32, Bool) in
            state.underWay.add(cost)
            if case .ended(let error) = state.phase {
                _ = slot.fill(.failure(error))
                return (nil, 0, false)
            }
            if state.requests.isEmpty {
                state.deadline.restart()
                state.charged = .now
                state.quietSince = .now
            }
            grant = Self.grant(for: request, way, patience, &state.unsettled)
            guard let id = state.requests.add(request, slot, grant: grant, arrived: state.arrived) else {
                return (nil, 0, true)
            }
            defer { (state.watching, state.listening) = (true, true) }
            listens = !state.listening
            return (state.transport, id, !state.watching)
        }
        if listens { listen(after: HostPulse.patience) }
        if let transport {
            transport.send(request, id: id) { [weak self] bytes in self?.charge(bytes) }
            if watches { watch(after: patience) }
        } else if watches {
            let error = SFTPError.broken(detail: "\(UnderWay.mostUnanswered) requests without an answer")
            _ = slot.fill(.failure(error))
            fail(error)
        }
        return PendingReply(
            slot: slot, client: self, request: request, path: path ?? request.path, grant: grant)
    }

    /// The time that a request may take beyond the patience, for bytes that were sent before it. Over SFTP, FSYNC and
    /// CLOSE may take twice the patience more, and as long as a disk needs that writes 8 MiB a second. A shell answers
    /// only when all bytes are written: it may take as long as the slowest line needs for the bytes that pipes and the
    /// network hold, at most 4 MiB.
    private static func grant(
        for request: SFTPRequest, _ way: FileTransport, _ patience: Duration, _ unsettled: inout Int
    ) -> Duration {
        unsettled += request.content
        switch way {
        case .sftp:
            guard request.settles else { return .zero }
            defer { if case .fsync = request { unsettled = 0 } }
            return patience * 2 + ProgressDeadline.worth(of: unsettled, at: 8 << 20)
        case .shell:
            guard request.content == 0, unsettled > 0 else { return .zero }
            defer { unsettled = 0 }
            return ProgressDeadline.worth(of: min(unsettled, 4 << 20))
        }
    }

    /// Counts bytes that came from the host. Transports without packets call this; `receive` counts packets itself.
    func arrived(_ bytes: Int) { charge(bytes, arrived: true) }

    /// Charges the deadline with bytes that came from the host, or are on their way to it.
    private func charge(_ bytes: Int, arrived: Bool = false) {
        state.withLock { state in
            let now = ContinuousClock.now
            state.deadline.spend(now - state.charged, moved: bytes)
            state.charged = now
            state.quietSince = now
            if arrived { state.arrived += UInt64(bytes) }
        }
    }

    /// Counts bytes of files and directories that a call moved.
    /// - Returns: how many all calls had moved before.
    func count(_ bytes: Int) -> UInt64 {
        state.withLock { state in
            defer { state.moved += UInt64(bytes) }
            return state.moved
        }
    }

    /// The handle that an OpenSSH server is expected to give next; nil for other servers. A guess saves a round trip.
    /// Only the server's own answer shows whether it is right, see `RequestTable`.
    func nextHandle() -> [UInt8]? {
        state.withLock { $0.extensions.contains(.limits) ? $0.requests.nextHandle : nil }
    }

    /// Drops a reply that came after its caller had gone, and closes a handle in it.
    func discard(_ reply: SFTPReply, path: [UInt8]) {
        if case .handle(let handle) = reply { _ = SFTPHandle(bytes: handle, path: path, client: self) }
    }

    // MARK: Replies

    /// Takes what the server sent, in pieces of any size.
    func receive(_ chunk: ArraySlice<UInt8>) {
        arrived(chunk.count)
        var rest = chunk
        while true {
            var arrived: (slot: Slot<TimedReply>, reply: SFTPReply)?
            do throws(Malformed) {
                guard try next(&rest, &arrived) else { return }
            } catch {
                return broken(error.detail)
            }
            if let arrived { give(arrived.reply, to: arrived.slot) }
        }
    }

    private func give(_ reply: SFTPReply, to slot: Slot<TimedReply>) {
        if let unwanted = slot.fill(.success(TimedReply(reply: reply))) { discard(unwanted.reply, path: []) }
    }

    /// Takes a reply from a transport without packets.
    func receive(_ reply: SFTPReply, id: UInt32) {
        let matched = state.withLock { state -> Result<Slot<TimedReply>?, Malformed> in
            guard case .ready = state.phase else { return .success(nil) }
            do throws(Malformed) {
                return .success(try Self.match(id, reply, &state))
            } catch {
                return .failure(error)
            }
        }
        switch matched {
        case .success(let slot):
            if let slot { give(reply, to: slot) }
        case .failure(let error): broken(error.detail)
        }
    }

    /// Takes from a transport without packets why it could not carry out a request.
    func refuse(_ id: UInt32, _ error: SFTPError) {
        let slot = state.withLock { state -> Slot<TimedReply>? in
            guard case .ready = state.phase else { return nil }
            return try? Self.match(id, .status(.noConnection, ""), &state)
        }
        _ = slot?.fill(.failure(error))
    }

    /// A transport without packets calls this when it is ready.
    func opened(_ version: SFTPVersion, _ limits: Limits) {
        begin(version, limits)
    }

    /// Ends the connection because the other side sent what it may not send.
    func broken(_ detail: String) {
        let connecting = state.withLock { state in
            if case .connecting = state.phase { return true }
            return false
        }
        fail(connecting ? .noSubsystem(detail: "it answers with \(detail)") : .broken(detail: detail))
    }

    /// Takes one packet.
    /// - Returns: false if no whole packet is there.
    private func next(
        _ rest: inout ArraySlice<UInt8>, _ arrived: inout (slot: Slot<TimedReply>, reply: SFTPReply)?
    ) throws(Malformed) -> Bool {
        var version: SFTPVersion?
        var beginsText = false
        let outcome = state.withLock { state -> Result<Bool, Malformed> in
            do throws(Malformed) {
                switch state.phase {
                case .ended: return .success(false)
                case .connecting:
                    version = try state.greeting.next(&rest)
                    guard version != nil else {
                        beginsText = state.lastText == nil && state.greeting.hasText
                        if state.greeting.hasText { state.lastText = .now }
                        return .success(false)
                    }
                case .ready:
                    guard let packet = try state.framer.next(&rest) else { return .success(false) }
                    arrived = try Self.match(packet, &state)
                }
                return .success(true)
            } catch {
                return .failure(error)
            }
        }
        if beginsText { watchText(after: patience / 10) }
        guard try outcome.get() else { return false }
        if let version { begin(version) }
        return true
    }

    private static func match(
        _ packet: ArraySlice<UInt8>, _ state: inout State
    ) throws(Malformed) -> (Slot<TimedReply>, SFTPReply) {
        let (id, reply) = try SFTPReply.decode(packet)
        return (try match(id, reply, &state), reply)
    }

    private static func match(
        _ id: UInt32, _ reply: SFTPReply, _ state: inout State
    ) throws(Malformed) -> Slot<TimedReply> {
        let slot = try state.requests.match(id, reply, arrived: state.arrived)
        state.deadline.restart()
        state.charged = .now
        return slot
    }

    private func begin(_ version: SFTPVersion, _ limits: Limits = Limits()) {
        guard version.version == 3 else {
            return fail(.unsupported("SFTP version 3: the server answers with version \(version.version)"))
        }
        let begins = state.withLock { state in
            // A connection that has ended meanwhile stays ended.
            guard case .connecting = state.phase else { return false }
            state.phase = .ready
            state.extensions = version.extensions
            state.limits = limits
            state.greeting = Greeting()
            return true
        }
        guard begins else { return }
        // The timer before was for opening the connection, which may take longer.
        watch(after: patience)
        if version.extensions.contains(.limits) {
            let limits = send(.limits)
            // No call waits for this reply; until it comes, requests are shorter.
            Task {
                guard let reply = try? await limits.extended(), let told = Limits(reply) else { return }
                state.withLock { $0.limits = told }
            }
        }
        _ = opened.fill(.success(()))
    }

    // MARK: The end

    /// The transport calls this when the connection is over.
    func transportEnded(_ end: SessionEnd) {
        let text = state.withLock { state -> [UInt8]? in
            if case .connecting = state.phase { return Array(state.greeting.text.prefix(600)) }
            return nil
        }
        guard let text else { return fail(.lost(detail: end.text)) }
        let isText = text.contains { $0 > 0x20 }
        fail(.earlyEnd(isText ? end.saying(Malformed.text(text).detail) : end))
    }

    private func fail(_ error: SFTPError) {
        let ending = state.withLock { state -> (transport: (any SFTPTransport)?, slots: [Slot<TimedReply>])? in
            // Only the first reason counts: closing the transport brings another one.
            if case .ended = state.phase { return nil }
            state.phase = .ended(error)
            state.framer = PacketFramer()
            // The transport keeps this client alive, so the client lets it go.
            defer { state.transport = nil }
            return (state.transport, state.requests.removeAll())
        }
        guard let ending else { return }
        for slot in ending.slots { _ = slot.fill(.failure(error)) }
        _ = opened.fill(.failure(error))
        ending.transport?.close()
    }

    /// Starts the timer that judges how long the server has been silent. There is one while requests are under way.
    private func watch(after wait: Duration) {
        let timer = Timer(wait) { [weak self] in self?.judgeSilence() }
        state.withLock { state in
            state.timer?.cancel()
            state.timer = timer
        }
    }

    private func judgeSilence() {
        let patience = patience
        var text: [UInt8]?
        var transport: (any SFTPTransport)?
        let (next, dead) = state.withLock { state -> (Duration?, Bool) in
            state.watching = false
            let now = ContinuousClock.now
            let left: Duration
            switch state.phase {
            case .ended: return (nil, false)
            case .connecting:
                left = state.due - now
                if left <= .zero { (text, transport) = (Array(state.greeting.text.prefix(500)), state.transport) }
            case .ready:
                guard !state.requests.isEmpty else { return (nil, false) }
                state.deadline.spend(now - state.charged)
                state.charged = now
                let ofHead = state.requests.timeLeftOfHead(patience: patience, arrived: state.arrived, now: now)
                left = min(state.deadline.left, ofHead) + state.requests.longestGrant
            }
            state.watching = left > .zero
            return left > .zero ? (left, false) : (nil, true)
        }
        if let text {
            let said = [String(decoding: text, as: UTF8.self), transport?.said ?? ""]
            fail(.hung(patience, seen: said.filter { !$0.isEmpty }.joined(separator: "\n")))
        } else if dead {
            fail(.silent(patience))
        }
        if let next { watch(after: next) }
    }

    /// Starts the timer that notices a host of which nothing comes at all. There is one while an answer is owed.
    private func listen(after wait: Duration) {
        guard whenQuiet != nil else { return }
        _ = Timer(wait) { [weak self] in self?.judgeQuiet() }
    }

    private func judgeQuiet() {
        let left = state.withLock { state -> Duration? in
            guard Self.owesAnswer(state) else {
                state.listening = false
                return nil
            }
            return state.quietSince + HostPulse.patience - .now
        }
        guard let left, let whenQuiet else { return }
        guard left <= .zero else { return listen(after: left) }
        Task {
            let reach = await whenQuiet()
            let wasOpen = self.state.withLock { state -> Bool? in
                guard reach != .answers, Self.owesAnswer(state), .now - state.quietSince >= HostPulse.patience else {
                    return nil
                }
                if case .ready = state.phase { return true }
                return false
            }
            guard let wasOpen else { return self.listen(after: HostPulse.patience) }
            self.fail(.unanswered(reach, wasOpen: wasOpen))
        }
    }

    private static func owesAnswer(_ state: State) -> Bool {
        switch state.phase {
        case .connecting: true
        case .ready: !state.requests.isEmpty
        case .ended: false
        }
    }

    /// Starts the timer for text that came instead of VERSION. A start-up file may print before the server starts. If
    /// only text came and then nothing more, there is no server, and another transport is worth a try.
    private func watchText(after wait: Duration) {
        _ = Timer(wait) { [weak self] in self?.judgeText() }
    }

    private func judgeText() {
        let quiet = patience / 10
        let (next, text) = state.withLock { state -> (Duration?, [UInt8]?) in
            guard case .connecting = state.phase, let last = state.lastText else { return (nil, nil) }
            let left = last + quiet - .now
            return left > .zero ? (left, nil) : (nil, Array(state.greeting.text.prefix(200)))
        }
        if let text {
            let line = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline).joined(separator: "; ")
            fail(.noSubsystem(detail: "\"\(line)\""))
        }
        if let next { watchText(after: next) }
    }
}
