internal import Glibc
internal import IPC

/// Port forwards as the loop has them: the registry, its file, and the looks at what listens.
final class Forwards {
    /// How often the listeners are compared while there are forwards, in milliseconds.
    private static let interval = 2_000

    private var registry = ForwardRegistry(uid: geteuid())
    private let file: ForwardStateFile
    private(set) var nextLook: Int?

    /// - Parameter socket: the MCP socket, whose lock is held: nobody else uses the file of its forwards.
    init(socket: String, runtimeDirectory: String?, policy: PolicySnapshot) {
        file = ForwardStateFile(socket: socket, runtimeDirectory: runtimeDirectory)
        do throws(ForwardStateFile.Failure) {
            let left = try file.load()
            perform(registry.adopt(left, masters: Self.masters(policy), Listeners.current()))
        } catch {
            Log.write(.warning, "state of forwards", ["error": .text(error.sentence)])
            perform(registry.configure(Self.masters(policy), Listeners.current()))
        }
    }

    private static func masters(_ policy: PolicySnapshot) -> [String: ForwardMaster] {
        let able = policy.hosts.filter(\.capabilities.portForward)
        return Dictionary(
            able.map { ($0.name, ForwardMaster(socket: $0.socket, user: $0.user, address: $0.host)) }
        ) { $1 }
    }

    /// Forwards wait for a reaper, one that is at work or a new one.
    var hasWork: Bool { !registry.toReap.isEmpty }

    /// Does what a worker asks for, and answers it.
    func answer(
        _ message: ToSupervisor, _ requestID: UInt32, from session: SessionTable.ID, over channel: borrowing Channel
    ) throws(IPCError) {
        var clock = timespec()
        clock_gettime(CLOCK_REALTIME, &clock)
        let now = UInt64(max(0, clock.tv_sec))
        for reply in perform(registry.received(message, from: session, look(), now: now)) {
            try channel.send(reply, requestID: requestID)
        }
    }

    /// Compares the listeners, when it is time.
    func tick(now: Int) {
        guard !registry.isEmpty else { return nextLook = nil }
        if let time = nextLook, time > now { return }
        if nextLook != nil { perform(registry.observe(look())) }
        nextLook = now + Self.interval
    }

    func ended(_ session: SessionTable.ID) { perform(registry.ended(session)) }
    func configure(_ policy: PolicySnapshot) { perform(registry.configure(Self.masters(policy), look())) }
    func drain() { perform(registry.drain(look())) }
    func noReaper() { perform(registry.noReaper()) }
    func handOver(to reaper: SessionTable.ID) -> [ToWorker] { registry.handOver(to: reaper) }

    /// What listens now. A line that a changing table has left out must not look like the end of a forward.
    private func look() -> Listeners {
        let first = Listeners.current()
        return registry.misses(first) ? first.merging(.current()) : first
    }

    /// - Returns: the answers to the worker that asked.
    @discardableResult
    private func perform(_ actions: [ForwardRegistry.Action]) -> [ToWorker] {
        var answers: [ToWorker] = []
        var recorded = false
        for action in actions {
            switch action {
            case .answer(let message): answers.append(message)
            // `hasWork` tells the loop.
            case .reap: break
            case .record where recorded: break
            case .record:
                recorded = true
                do throws(ForwardStateFile.Failure) {
                    try file.save(registry.forwards)
                    registry.recorded()
                } catch {
                    Log.write(.error, "state of forwards not written", ["error": .text(error.sentence)])
                    if let refusal = registry.unrecorded(error.sentence) { return [refusal] }
                }
            case .note(let level, let text, let id, let forward):
                Log.write(
                    level, text,
                    [
                        "forward_id": .number(Int(id)), "host": .text(forward.host),
                        "forward": .text(forward.route.specification), "reason": .text(forward.reason),
                    ])
            }
        }
        return answers
    }
}
