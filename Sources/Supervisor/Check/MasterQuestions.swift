internal import CLinux
internal import Glibc
internal import IPC

/// Has a gate ask the ControlMasters of all hosts whether they live. This process does for it what the supervisor and a worker do: it
/// makes the connections that the gate names, and sends it the questions.
final class MasterQuestions {
    /// Questions that are open at a time.
    private static let most = 8
    /// How long all may take, in milliseconds.
    private static let patience = 30_000

    private let gate: GateProcess
    private let worker: Channel
    private let connector = MasterConnector()
    private var connecting: [Int32: UInt64] = [:]
    private let hosts: [PolicySnapshot.Host]
    /// The gate's number in `connector`, and that of the policy.
    private static let gateNumber: UInt64 = 1
    private static let policyNumber: UInt32 = 1
    private var isReady = false
    private var open: Set<UInt32> = []
    private var next = 0

    /// What was seen of the master of each host; nil for those that were not asked.
    private(set) var states: [MasterState?]

    init(_ policy: PolicySnapshot, program: String) throws(StartError) {
        hosts = policy.hosts
        states = Array(repeating: nil, count: policy.hosts.count)
        let sealed: OwnedFD
        do throws(IPCError) {
            sealed = try policy.sealed()
        } catch {
            throw StartError(sentence: "\(program): its policy cannot be handed over: \(error)")
        }
        var end: OwnedFD?
        gate = try GateProcess.start(
            program: program, policy: sealed, number: Self.policyNumber, transport: policy.transport
        ) { given in end = consume given }
        guard let end = end.take() else { throw StartError(sentence: "\(program): it has no channel") }
        worker = Channel(taking: end)
        do throws(IPCError) {
            try worker.setNonBlocking()
        } catch {
            throw StartError(sentence: "\(program): its channel cannot be used: \(error)")
        }
    }

    deinit { gate.kill() }

    /// Asks them all.
    /// - Returns: what is wrong with the gate; nil if nothing is.
    func ask(_ program: String) -> String? {
        let deadline = Clock.milliseconds() + Self.patience
        let start = Clock.milliseconds() + PatternCheck.bound
        do throws(IPCError) {
            while states.contains(where: { $0 == nil }) || !isReady {
                let now = Clock.milliseconds()
                guard isReady || now < start else { return ProgramTrial.late(program) }
                guard now < deadline else { return nil }
                try sendQuestions()
                for asker in connector.advance(now: now) { try answer(asker, .failed(.hung)) }
                try wait(until: min(isReady ? deadline : start, connector.nextDeadline ?? deadline))
            }
        } catch {
            return ended(program, error)
        }
        return nil
    }

    private func sendQuestions() throws(IPCError) {
        while isReady, open.count < Self.most, next < hosts.count {
            let id = UInt32(next)
            try worker.send(GateRequest.alive(host: hosts[next].name), requestID: id)
            open.insert(id)
            next += 1
        }
    }

    /// Waits until something happens, and takes it.
    private func wait(until time: Int) throws(IPCError) {
        let processes = Array(connecting)
        let descriptors = [gate.channel.rawValue, worker.rawValue] + processes.map(\.key)
        var waiting = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let left = Int32(clamping: max(0, time - Clock.milliseconds()))
        guard uninterrupted({ poll(&waiting, nfds_t(waiting.count), left) }) >= 0 else {
            throw .system(call: "poll", errno: errno)
        }
        if waiting[0].revents != 0 { try hear() }
        if waiting[1].revents != 0 { try hearAnswers() }
        for (event, process) in zip(waiting.dropFirst(2), processes) where event.revents != 0 {
            connecting[process.key] = nil
            guard let ended = connector.ended(process.value) else { continue }
            let asker = ended.asker
            try answer(asker, ended.take())
        }
    }

    /// The gate asks for a connection.
    private func hear() throws(IPCError) {
        guard let incoming = try gate.channel.receive(FromGate.self) else { return }
        switch incoming.message {
        case .ready, .policyTaken: break
        case .connect(let index, _):
            guard Int(index) < hosts.count else { throw .badValue }
            let asker = MasterConnector.Asker(gate: Self.gateNumber, purpose: .request(incoming.requestID))
            switch connector.connect(to: hosts[Int(index)].master.socket, for: asker, now: Clock.milliseconds()) {
            case .started(let started): connecting[started.pidfd] = started.token
            case .failed(let failure): try answer(asker, .failed(failure))
            }
        // Nothing was asked for that any of these could come of.
        case .open, .refused, .admit, .opened, .violation, .forward, .sshConnected: throw .badValue
        }
    }

    private func answer(_ asker: MasterConnector.Asker, _ outcome: consuming MasterConnector.Outcome) throws(IPCError) {
        guard case .request(let id) = asker.purpose else { return }
        switch consume outcome {
        case .connected(let socket): try send(.connected, id, consume socket)
        case .failed(let failure): try send(.notConnected(failure), id, nil)
        }
    }

    private func send(_ message: ToGate, _ id: UInt32, _ descriptor: consuming OwnedFD?) throws(IPCError) {
        try gate.channel.send(message, requestID: id, descriptor: descriptor)
    }

    private func hearAnswers() throws(IPCError) {
        guard let incoming = try worker.receive(GateAnswer.self) else { return }
        switch incoming.message {
        case .ready: isReady = true
        case .master(let state):
            guard open.remove(incoming.requestID) != nil else { throw .badValue }
            states[Int(incoming.requestID)] = state
        case .ticket, .opened, .notOpened, .exited, .ended, .refused, .allowed: throw .badValue
        }
    }

    /// The gate has ended, or does not keep to the protocol.
    private func ended(_ program: String, _ error: IPCError) -> String {
        guard error == .closed else {
            return
                "it does not keep to the protocol (\(error)); install all programs of claude-ssh-daemon of one build (make install)"
        }
        var process = pollfd(fd: gate.pidfd.rawValue, events: Int16(POLLIN), revents: 0)
        if uninterrupted({ poll(&process, 1, Int32(PatternCheck.bound)) }) != 1 { gate.kill() }
        _ = uninterrupted { poll(&process, 1, -1) }
        let end = gate.reap() ?? .clean
        return ProgramTrial.sentence(end, program, said: gate.readLog().joined(separator: " "))
    }
}
