internal import Dispatch
internal import Glibc
internal import IPC
internal import Synchronization
internal import Tools

/// The IPC channel as the serving worker uses it: one thread listens, any thread speaks.
final class SupervisorLink: Sendable {
    /// What the supervisor may say to a worker at work.
    enum Word: Sendable {
        case drain(milliseconds: UInt32)
        case policy(PolicySnapshot)
        /// To a worker whose client spoke late: whether it has the place, or why not.
        case place(refusal: String?)
        /// To a worker that reaps.
        case closeForward(forward: UInt32, ForwardRoute)
    }

    private struct Requests {
        var waiting: [UInt32: CheckedContinuation<LocalAnswer, Never>] = [:]
        var beginning: [UInt32: CheckedContinuation<UInt32?, Never>] = [:]
        var forwarding: [UInt32: CheckedContinuation<Result<ToWorker.Forwards, IPCError>, Never>] = [:]
        var nextID: UInt32 = 1
    }

    private let channel: Channel
    private let requests = Mutex(Requests())

    init(channel: consuming Channel) {
        self.channel = channel
    }

    /// The first message: what this worker is for, and the policy.
    func awaitSetup() throws(IPCError) -> (WorkerRole, PolicySnapshot) {
        guard var first = try channel.receive(ToWorker.self), case .life(.setup(let role)) = first.message else {
            throw .badValue
        }
        guard let memory = first.descriptor.take() else { throw .missingDescriptor }
        return (role, try PolicySnapshot(sealed: memory))
    }

    /// Calls `act` for every message, on a thread of its own. The end of the channel, or a message that a worker at work
    /// cannot get, is the end of the process group.
    func follow(_ act: @escaping @Sendable (Word) -> Void) {
        DispatchQueue(label: "supervisor.read").async {
            while true {
                do throws(IPCError) {
                    guard var incoming = try self.channel.receive(ToWorker.self) else { continue }
                    switch incoming.message {
                    case .life(.setup): throw .badValue
                    case .life(.proceed): act(.place(refusal: nil))
                    case .life(.refuseClient(let reason)): act(.place(refusal: reason))
                    case .life(.drain(let milliseconds)): act(.drain(milliseconds: milliseconds))
                    case .life(.policy):
                        guard let memory = incoming.descriptor.take() else { throw .missingDescriptor }
                        act(.policy(try PolicySnapshot(sealed: memory)))
                    case .files(.opened(let size)):
                        guard let file = incoming.descriptor.take() else { throw .missingDescriptor }
                        self.settle(incoming.requestID, .opened(SharedFD(file), size: size))
                    case .files(.created(let handle)):
                        guard let file = incoming.descriptor.take() else { throw .missingDescriptor }
                        self.settle(incoming.requestID, .created(SharedFD(file), handle: handle))
                    case .files(.committed): self.settle(incoming.requestID, .committed)
                    case .files(.refused(let rule, let reason)):
                        self.settle(incoming.requestID, .refused(reason, rule: rule))
                    case .audit(.begun):
                        let id = incoming.requestID
                        self.requests.withLock { $0.beginning.removeValue(forKey: id) }?.resume(returning: id)
                    case .forwards(.close(let forward, let route)) where incoming.requestID == 0:
                        act(.closeForward(forward: forward, route))
                    case .forwards(let answer):
                        let id = incoming.requestID
                        let waiting = self.requests.withLock { $0.forwarding.removeValue(forKey: id) }
                        waiting?.resume(returning: .success(answer))
                    }
                } catch {
                    kill(0, SIGKILL)
                }
            }
        }
    }

    /// A supervisor that cannot be told anything any more has ended; `follow` sees that.
    func send(_ message: ToSupervisor) {
        try? channel.send(message)
    }
}

extension SupervisorLink: LocalFileBroker {
    func ask(_ request: ToSupervisor.Files) async -> LocalAnswer {
        await withCheckedContinuation { continuation in
            let id = requests.withLock { requests in
                defer { requests.nextID &+= 1 }
                requests.waiting[requests.nextID] = continuation
                return requests.nextID
            }
            do throws(IPCError) {
                try channel.send(ToSupervisor.files(request), requestID: id)
            } catch {
                settle(id, .refused("The supervisor does not answer (\(error)).", rule: ""))
            }
        }
    }

    func abandon(handle: UInt32) { send(.files(.abandon(handle: handle))) }

    private func settle(_ id: UInt32, _ answer: LocalAnswer) {
        let waiting = requests.withLock { $0.waiting.removeValue(forKey: id) }
        waiting?.resume(returning: answer)
    }
}

extension SupervisorLink: AuditBroker {
    func begin(_ call: AuditCall) async -> UInt32? {
        await withCheckedContinuation { continuation in
            let id = requests.withLock { requests in
                defer { requests.nextID &+= 1 }
                requests.beginning[requests.nextID] = continuation
                return requests.nextID
            }
            do throws(IPCError) {
                try channel.send(ToSupervisor.audit(.begin(call)), requestID: id)
            } catch {
                requests.withLock { $0.beginning.removeValue(forKey: id) }?.resume(returning: nil)
            }
        }
    }

    func end(_ id: UInt32, _ outcome: AuditOutcome) {
        try? channel.send(ToSupervisor.audit(.end(outcome)), requestID: id)
    }
}

extension SupervisorLink: ForwardBroker {
    func ask(_ word: ToSupervisor.Forwards) async throws(IPCError) -> ToWorker.Forwards {
        let answer: Result<ToWorker.Forwards, IPCError> = await withCheckedContinuation { continuation in
            let id = requests.withLock { requests in
                defer { requests.nextID &+= 1 }
                requests.forwarding[requests.nextID] = continuation
                return requests.nextID
            }
            do throws(IPCError) {
                try channel.send(ToSupervisor.forwards(word), requestID: id)
            } catch {
                let waiting = requests.withLock { $0.forwarding.removeValue(forKey: id) }
                waiting?.resume(returning: .failure(error))
            }
        }
        return try answer.get()
    }
}
