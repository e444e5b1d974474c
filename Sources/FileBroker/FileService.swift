internal import Glibc
public import IPC

/// Opens local files for one worker: requests come from the supervisor, one at a time, and each answer goes to the worker,
/// with the descriptor, before the supervisor is told that it is there.
public struct FileService: ~Copyable {
    private let supervisor: Channel
    private let worker: Channel
    private var pending = PendingFiles()

    /// - Parameters:
    ///   - supervisor: where requests come from; it blocks.
    ///   - worker: where answers go; it does not block.
    public init(supervisor: consuming Channel, worker: consuming Channel) {
        self.supervisor = supervisor
        self.worker = worker
    }

    /// The first message: the policy.
    public func awaitSetup() throws(IPCError) -> FilePolicy {
        guard var first = try supervisor.receive(ToFileBroker.self), case .setup = first.message else {
            throw .badValue
        }
        guard let memory = first.descriptors.take() else { throw .missingDescriptor }
        return try FilePolicy(sealed: memory)
    }

    /// Tells the supervisor.
    public func tell(_ message: FromFileBroker) throws(IPCError) { try supervisor.send(message) }

    /// Serves until the supervisor closes its channel. What has no name by then vanishes.
    /// - Throws: what ended it otherwise.
    public mutating func run(_ files: LocalFiles) throws(IPCError) {
        defer { pending = PendingFiles() }
        var files = files
        while true {
            do throws(IPCError) {
                guard var incoming = try supervisor.receive(ToFileBroker.self) else { continue }
                try take(&incoming, &files)
            } catch .closed {
                return
            }
        }
    }

    private mutating func take(
        _ incoming: inout Incoming<ToFileBroker>, _ files: inout LocalFiles
    ) throws(IPCError) {
        let local = files
        let id = incoming.requestID
        switch incoming.message {
        case .setup: throw .badValue
        case .policy:
            guard let memory = incoming.descriptors.take() else { throw .missingDescriptor }
            files.update(own: OwnPath.all(try FilePolicy(sealed: memory).own))
        case .open(let path):
            if try hasChanged(path, id, local) { return }
            try answer(id) { service throws(LocalRefusal) in
                let opened = try local.open(path)
                return Answer(message: .opened(size: opened.size), descriptor: opened.file)
            }
        case .create(let handle, let path):
            if try hasChanged(path, id, local) { return }
            try answer(id, making: handle) { service throws(LocalRefusal) in
                guard service.pending.count < FilePolicy.maximumFiles else {
                    throw LocalRefusal(
                        sentence: "\(service.pending.count) downloads are under way; wait for one to end.")
                }
                let file = try local.create(path)
                let number = fcntl(file.file.rawValue, F_DUPFD_CLOEXEC, 0)
                guard number >= 0 else {
                    throw LocalRefusal(sentence: "No local file can be opened now (errno \(errno)).")
                }
                service.pending.keep(file, as: handle)
                return Answer(message: .created(handle: handle), descriptor: OwnedFD(taking: number))
            }
        case .commit(let handle, let mode):
            try answer(id) { service throws(LocalRefusal) in
                guard let file = service.pending.take(handle) else {
                    throw LocalRefusal(sentence: "There is no such download.")
                }
                return Answer(message: .committed(path: try local.commit(file, mode: mode_t(mode))), descriptor: nil)
            }
        case .abandon(let handle):
            _ = pending.take(handle)
            try supervisor.send(FromFileBroker.done, requestID: id)
        }
    }

    private struct Answer: ~Copyable {
        let message: FileAnswer
        let descriptor: OwnedFD?
    }

    /// A path in a root that is not what it was is for another broker: this one's confinement is for what was there.
    private func hasChanged(_ path: String, _ id: UInt32, _ files: LocalFiles) throws(IPCError) -> Bool {
        guard let root = files.rules.changedRoot(of: path) else { return false }
        try supervisor.send(FromFileBroker.rootChanged(root: UInt32(root)), requestID: id)
        return true
    }

    /// Does the work, and hands the worker its answer. An answer that cannot be sent is the supervisor's to tell.
    /// - Parameter making: the new file of a request that makes one. It is dropped where the worker does not get it.
    private mutating func answer(
        _ id: UInt32, making handle: UInt32? = nil, _ work: (inout FileService) throws(LocalRefusal) -> Answer
    ) throws(IPCError) {
        let outcome: FromFileBroker
        do throws(LocalRefusal) {
            let answer = try work(&self)
            outcome = deliver(answer, id, .done)
            if outcome != .done, let handle { _ = pending.take(handle) }
        } catch {
            let refusal = FileAnswer.refused(rule: error.rule, reason: error.sentence)
            outcome = deliver(Answer(message: refusal, descriptor: nil), id, .refused)
        }
        try supervisor.send(outcome, requestID: id)
    }

    /// - Returns: `outcome`, or why the worker does not have the answer.
    private func deliver(_ answer: consuming Answer, _ id: UInt32, _ outcome: FromFileBroker) -> FromFileBroker {
        do throws(IPCError) {
            try worker.send(answer.message, requestID: id, descriptor: answer.descriptor)
            return outcome
        } catch .system(_, let code) {
            return .undelivered(errno: UInt32(clamping: code))
        } catch {
            return .undelivered(errno: UInt32(clamping: EPIPE))
        }
    }
}
