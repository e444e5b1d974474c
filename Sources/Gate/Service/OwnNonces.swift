internal import IPC

/// The nonces of the lines that a gate has sent to hosts. Processes are ended by these alone.
///
/// A worker makes them, as it must know them. Each begins with the mark of the gate, which is new with every gate and random: so none
/// stands in the arguments of a process that is not the gate's, whatever the worker would like to end.
struct OwnNonces {
    /// What each begins with.
    let mark = Nonce.makeMark()

    /// As many as are remembered: commands that run, and those that ended a while ago.
    static let maximum = 4096

    private var known: Set<String> = []
    /// The oldest is at `oldest` once there are `maximum`.
    private var order: [String] = []
    private var oldest = 0

    /// Whether a line may have this nonce.
    func isOwn(_ nonce: String) -> Bool { Nonce.isOne(nonce, marked: mark) }

    /// A line with this nonce is sent.
    mutating func insert(_ nonce: String) {
        guard isOwn(nonce), known.insert(nonce).inserted else { return }
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
        case .sweep(let nonces): !nonces.isEmpty && nonces.allSatisfy(known.contains)
        case .trial(let nonce): isOwn(nonce) && capabilities.exec
        case .probe(let nonce):
            isOwn(nonce) && (capabilities.exec || capabilities.fileRead || capabilities.fileWrite)
        case .question: true
        case .identity(let nonce):
            isOwn(nonce)
                && (capabilities.exec || capabilities.fileRead || capabilities.fileWrite || capabilities.portForward)
        }
    }
}
