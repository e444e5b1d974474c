internal import Dispatch
internal import Glibc
internal import IPC
internal import SSH
internal import Synchronization

/// The channel to the gate as the serving worker uses it: one thread listens, any thread asks.
final class GateLink: Sendable {
    private typealias Asker = CheckedContinuation<MasterState, Never>

    private struct State {
        var isEnded = false
        /// Requests that the gate has, by their ids; nil for one that was given up, and still has its place there.
        var asked: [UInt32: Asker?] = [:]
        /// Requests for which it has no room yet.
        var queue: [(id: UInt32, host: String, asker: Asker)] = []
        var nextID: UInt32 = 1
    }

    /// How long a gate may take to answer: more than it gives a ControlMaster, and one that hangs is none.
    private static let patience = Duration.seconds(10)

    private let channel: Channel
    private let state = Mutex(State())

    init(channel: consuming Channel) {
        self.channel = channel
    }

    /// The first message, which comes when the gate is confined.
    func awaitReady() throws(IPCError) {
        guard let first = try channel.receive(GateAnswer.self), first.message == .ready else { throw .badValue }
    }

    /// Hears answers, on a thread of its own. `ended` is called when there will be no more: the gate has ended, or broken the
    /// protocol. Whoever waits for an answer is told before that.
    func follow(ended: @escaping @Sendable () -> Void) {
        DispatchQueue(label: "gate.read").async {
            do throws(IPCError) {
                while true {
                    guard let incoming = try self.channel.receive(GateAnswer.self) else { continue }
                    switch incoming.message {
                    case .ready: throw .badValue
                    case .master(let state): self.settle(incoming.requestID, state)
                    }
                }
            } catch {
                let left = self.state.withLock { state in
                    defer { (state.asked, state.queue) = ([:], []) }
                    state.isEnded = true
                    return state.asked.values.compactMap { $0 } + state.queue.map(\.asker)
                }
                for asker in left { asker.resume(returning: .down(.noGate)) }
                ended()
            }
        }
    }

    private func settle(_ id: UInt32, _ answer: MasterState) {
        let asker = state.withLock { state in
            defer { advance(&state) }
            return state.asked.removeValue(forKey: id) ?? nil
        }
        asker?.resume(returning: answer)
    }

    /// Sends what the gate has room for. Under the lock, so that what it has is never more: it need not wait for room then.
    private func advance(_ state: inout State) {
        while state.asked.count < GateRequest.maximumUnderWay, !state.queue.isEmpty {
            let next = state.queue.removeFirst()
            state.asked[next.id] = next.asker
            // A gate that cannot be told anything any more has ended; `follow` sees that.
            try? channel.send(GateRequest.alive(host: next.host), requestID: next.id)
        }
    }
}

extension GateLink: MasterGate {
    func state(of host: String) async -> MasterState {
        let id = state.withLock { state in
            defer { state.nextID &+= 1 }
            return state.nextID
        }
        let timer = Timer(Self.patience) { self.giveUp(id) }
        defer { timer.cancel() }
        return await withCheckedContinuation { asker in
            let isEnded = state.withLock { state in
                guard !state.isEnded else { return true }
                state.queue.append((id, host, asker))
                advance(&state)
                return false
            }
            if isEnded { asker.resume(returning: .down(.noGate)) }
        }
    }

    private func giveUp(_ id: UInt32) {
        let asker = state.withLock { state -> Asker? in
            if let place = state.queue.firstIndex(where: { $0.id == id }) { return state.queue.remove(at: place).asker }
            return state.asked.updateValue(nil, forKey: id) ?? nil
        }
        asker?.resume(returning: .down(.noGate))
    }
}
