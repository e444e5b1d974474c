internal import Dispatch
internal import Glibc
internal import IPC
internal import Synchronization
internal import Tools

/// The IPC channel to the supervisor. One thread reads from it, and any thread may send.
final class SupervisorLink: Sendable {
    /// The messages of the supervisor that are no answers to requests.
    enum Word: Sendable {
        case drain(milliseconds: UInt32)
        case policy(PolicySnapshot)
        /// The client has the place, and this is the way to its gate, which may not be ready.
        case proceed(GateLink)
        /// The client is in line for the place.
        case wait
        /// The client is not served, for this reason.
        case refused(ClientRefusal)
        /// Why the call with this number is not done, see `ToSupervisor.Life.callWaited`.
        case callRefused(UInt32, ClientRefusal)
    }

    /// The channels of file brokers. Only the thread that reads uses them.
    private final class Brokers {
        /// A class around a value that cannot be copied, so that a dictionary can hold it.
        final class Answers {
            let channel: Channel
            init(_ channel: consuming Channel) { self.channel = channel }
        }

        var answers: [UInt32: Answers] = [:]
    }

    private struct Requests {
        var waiting: [UInt32: CheckedContinuation<LocalAnswer, Never>] = [:]
        var beginning: [UInt32: CheckedContinuation<UInt32?, Never>] = [:]
        var forwarding: [UInt32: CheckedContinuation<Result<ToWorker.Forwards, IPCError>, Never>] = [:]
        var nextID: UInt32 = 1
    }

    private let channel: Channel
    private let requests = Mutex(Requests())
    private let delays = DispatchQueue(label: "files.cancelled")

    init(channel: consuming Channel) {
        self.channel = channel
    }

    /// Reads the first message, which has the role of this worker and the policy.
    func awaitSetup() throws(IPCError) -> (WorkerRole, PolicySnapshot) {
        guard var first = try channel.receive(ToWorker.self), case .life(.setup(let role)) = first.message else {
            throw .badValue
        }
        guard let memory = first.descriptors.take() else { throw .missingDescriptor }
        return (role, try PolicySnapshot(sealed: memory))
    }

    /// Reads messages on a thread of its own, and calls `act` for those that are no answers. If the channel ends, or a message comes
    /// that such a worker cannot get, the process group is killed.
    func follow(_ act: @escaping @Sendable (Word) -> Void) {
        DispatchQueue(label: "supervisor.read").async {
            let brokers = Brokers()
            while true {
                do throws(IPCError) {
                    guard var incoming = try self.channel.receive(ToWorker.self) else { continue }
                    switch incoming.message {
                    case .life(.setup): throw .badValue
                    case .life(.proceed):
                        guard let gate = incoming.descriptors.take() else { throw .missingDescriptor }
                        act(.proceed(GateLink(channel: Channel(taking: gate))))
                    case .life(.wait): act(.wait)
                    case .life(.refuseClient(let refusal)): act(.refused(refusal))
                    case .life(.refuseCall(let refusal)): act(.callRefused(incoming.requestID, refusal))
                    case .life(.drain(let milliseconds)): act(.drain(milliseconds: milliseconds))
                    case .life(.policy):
                        guard let memory = incoming.descriptors.take() else { throw .missingDescriptor }
                        act(.policy(try PolicySnapshot(sealed: memory)))
                    case .files(.broker(let number)):
                        guard let answers = incoming.descriptors.take() else { throw .missingDescriptor }
                        brokers.answers[number] = Brokers.Answers(Channel(taking: answers))
                    case .files(.answered(let number, let handle)):
                        self.take(
                            self.answer(to: incoming.requestID, brokers.answers[number]), incoming.requestID, handle)
                    case .files(.failed(let failure)): self.settle(incoming.requestID, .failed(failure))
                    case .files(.brokerEnded(let number)): brokers.answers[number] = nil
                    case .audit(.begun):
                        let id = incoming.requestID
                        self.requests.withLock { $0.beginning.removeValue(forKey: id) }?.resume(returning: id)
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

    /// How many answers of a broker are read for one request. An honest broker has sent one.
    private static let maximumAnswers = 64

    /// Reads the answer that a broker has sent for the request of this id. The channel does not block, because the answer is there
    /// when the supervisor says so.
    private func answer(to id: UInt32, _ answers: Brokers.Answers?) -> LocalAnswer {
        do throws(IPCError) {
            for _ in 0..<Self.maximumAnswers {
                guard let answers, var incoming = try answers.channel.receive(FileAnswer.self) else { break }
                var file: DiskFD?
                if let descriptor = incoming.descriptors.take() { file = DiskFD(descriptor) }
                // The answer is to an earlier request, for which nobody waits any more.
                guard incoming.requestID == id else { continue }
                switch (incoming.message, file) {
                case (.opened(let size), .some(let file)): return .opened(file, size: size)
                case (.created(let handle), .some(let file)): return .created(file, handle: handle)
                case (.committed(let path), _): return .committed(path: path)
                case (.refused(let rule, let reason), _): return .refused(reason, rule: rule)
                case (.opened, .none), (.created, .none): return .unanswered
                }
            }
        } catch {
            // A broker that breaks the protocol counts as one that did not answer.
        }
        return .unanswered
    }

    /// Sends a message that has no answer. If that fails, the supervisor has ended, which `follow` notices.
    func send(_ message: ToSupervisor, _ requestID: UInt32 = 0) {
        try? channel.send(message, requestID: requestID)
    }
}

extension SupervisorLink: LocalFileBroker {
    func ask(_ request: ToSupervisor.Files) async -> LocalAnswer {
        let id = requests.withLock { requests in
            defer { requests.nextID &+= 1 }
            return requests.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                requests.withLock { $0.waiting[id] = continuation }
                // The task was cancelled before the request was registered.
                if Task.isCancelled {
                    settle(id, .cancelled)
                    return
                }
                do throws(IPCError) {
                    try channel.send(ToSupervisor.files(request), requestID: id)
                } catch {
                    settle(id, .refused("The supervisor does not answer (\(error)).", rule: ""))
                }
            }
        } onCancel: {
            cancel(id, request)
        }
    }

    /// How long a cancelled call waits for a file to get its name, so that it knows the outcome if the file system answers.
    private static let naming = DispatchTimeInterval.seconds(1)

    private func cancel(_ id: UInt32, _ request: ToSupervisor.Files) {
        switch request {
        case .open, .create, .abandon: settle(id, .cancelled)
        case .commit:
            delays.asyncAfter(deadline: .now() + Self.naming) { self.settle(id, .cancelled) }
        }
    }

    /// Gives a broker's answer to the call that waits. A new file that no call gets is dropped: its call was cancelled, or its
    /// descriptor did not come.
    private func take(_ answer: LocalAnswer, _ id: UInt32, _ handle: UInt32) {
        let isTaken = settle(id, answer)
        guard handle != 0 else { return }
        if case .created = answer, isTaken { return }
        abandon(handle: handle)
    }

    func abandon(handle: UInt32) { send(.files(.abandon(handle: handle))) }

    /// Gives the call that waits its answer.
    /// - Returns: whether a call waited.
    @discardableResult private func settle(_ id: UInt32, _ answer: LocalAnswer) -> Bool {
        let waiting = requests.withLock { $0.waiting.removeValue(forKey: id) }
        waiting?.resume(returning: answer)
        return waiting != nil
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
