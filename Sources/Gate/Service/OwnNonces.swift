internal import IPC

/// The nonces of the lines that a gate has sent to hosts. Processes are ended by these alone.
struct OwnNonces {
    /// As many as are remembered: commands that run, and those that ended a while ago.
    static let maximum = 4096

    private var known: Set<String> = []
    /// The oldest is at `oldest` once there are `maximum`.
    private var order: [String] = []
    private var oldest = 0

    /// A line with this nonce is sent.
    mutating func insert(_ nonce: String) {
        guard known.insert(nonce).inserted else { return }
        guard order.count == Self.maximum else { return order.append(nonce) }
        known.remove(order[oldest])
        order[oldest] = nonce
        oldest = (oldest + 1) % Self.maximum
    }

    /// Whether an errand is about lines of this gate, and for something that is on for the host. What runs may be ended when
    /// nothing is on any more.
    func allow(_ errand: Errand, _ capabilities: PolicySnapshot.Capabilities) -> Bool {
        switch errand {
        case .stop(let observers):
            !observers.isEmpty && observers.allSatisfy { $0.isPossible && known.contains($0.nonce) }
        case .sweep(let nonces): !nonces.isEmpty && nonces.allSatisfy { Nonce.isOne($0) && known.contains($0) }
        case .trial(let nonce): Nonce.isOne(nonce) && capabilities.exec
        case .probe(let nonce):
            Nonce.isOne(nonce) && (capabilities.exec || capabilities.fileRead || capabilities.fileWrite)
        case .question: true
        case .identity(let nonce):
            Nonce.isOne(nonce)
                && (capabilities.exec || capabilities.fileRead || capabilities.fileWrite || capabilities.portForward)
        }
    }
}
