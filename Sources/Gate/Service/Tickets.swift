internal import IPC

/// The tickets that a gate has given its worker, with `"transport": "ssh"`. Each stands for one judged request, can be shown once,
/// and ends with its request.
struct Tickets {
    /// What a ticket is worth that an `ssh` shows.
    enum Worth: Equatable {
        /// The request of this connection. The ticket is used up.
        case request(MasterRequests.ID)
        /// Nothing any more: its request ended before. An `ssh` that was slow shows such a ticket.
        case ended
        /// It was never given, or was shown before: no honest `ssh` shows it.
        case none
    }

    /// Tickets that are remembered although their requests have ended.
    static let maximumEnded = 1024

    private var live: [String: MasterRequests.ID] = [:]
    private var ended: Set<String> = []
    /// The oldest is at `oldest` once there are `maximumEnded`.
    private var order: [String] = []
    private var oldest = 0

    /// A new one for a request.
    mutating func issue(for id: MasterRequests.ID) -> String {
        let ticket = Nonce.make()
        live[ticket] = id
        return ticket
    }

    /// An `ssh` shows one.
    mutating func show(_ ticket: String) -> Worth {
        if let id = live.removeValue(forKey: ticket) { return .request(id) }
        // Shown once more it is worth as little.
        return ended.contains(ticket) ? .ended : .none
    }

    /// A request ends, with the ticket that it may have.
    mutating func end(_ id: MasterRequests.ID) {
        for (ticket, _) in live where live[ticket] == id {
            live[ticket] = nil
            ended.insert(ticket)
            guard order.count == Self.maximumEnded else {
                order.append(ticket)
                continue
            }
            ended.remove(order[oldest])
            order[oldest] = ticket
            oldest = (oldest + 1) % Self.maximumEnded
        }
    }
}
