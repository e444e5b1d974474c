internal import SSH

/// The requests of one connection that have no answer yet, by their ids, and what their order tells about the server.
struct RequestTable {
    private struct Entry {
        let slot: Slot<TimedReply>
        let answer: SFTPRequest.Answer
        let call: String
        /// Time that it may take beyond what every request may.
        let grant: Duration
        /// The handle that it closes, if it is a CLOSE.
        let closes: [UInt8]?
    }

    /// The request whose turn it is, because servers mostly answer in order, and since when.
    private struct Head {
        var id: UInt32 = 1
        var since = ContinuousClock.now
        /// How many bytes had come from the host by then.
        var arrivedBefore: UInt64 = 0
    }

    private var entries: [UInt32: Entry] = [:]
    private var nextID: UInt32 = 1
    private var head = Head()
    /// Handles that are open, being opened or being closed.
    private var handles = 0
    private var lastClosed: [UInt8]?

    var isEmpty: Bool { entries.isEmpty }

    var count: Int { entries.count }

    /// The longest time that one of them may take beyond what every request may.
    var longestGrant: Duration { entries.values.map(\.grant).max() ?? .zero }

    /// Adds a request that is sent now, after `arrived` bytes from the host.
    /// - Returns: its id; nil if more are unanswered than all calls together have under way.
    mutating func add(
        _ request: SFTPRequest, _ slot: Slot<TimedReply>, grant: Duration, arrived: UInt64
    ) -> UInt32? {
        guard entries.count < UnderWay.mostUnanswered else { return nil }
        while entries[nextID] != nil { nextID &+= 1 }
        let id = nextID
        nextID &+= 1
        if entries.isEmpty { head = Head(id: id, since: .now, arrivedBefore: arrived) }
        if request.answer == .handle { handles += 1 }
        var closes: [UInt8]?
        if case .close(let handle) = request { closes = handle }
        entries[id] = Entry(slot: slot, answer: request.answer, call: request.call.name, grant: grant, closes: closes)
        return id
    }

    /// Removes the request that a reply answers. `arrived` bytes have come from the host.
    /// - Throws: if the reply answers no request, or one that asked for something else. In the second case the request
    ///   stays, because its caller must be told as well.
    mutating func match(_ id: UInt32, _ reply: SFTPReply, arrived: UInt64) throws(Malformed) -> Slot<TimedReply> {
        guard let entry = entries[id] else { throw Malformed("an answer to nothing") }
        do throws(Malformed) {
            try reply.check(answers: entry.answer)
        } catch {
            throw Malformed("\(error.detail), to \(entry.call)")
        }
        entries[id] = nil
        if id == head.id {
            while head.id != nextID, entries[head.id] == nil { head.id &+= 1 }
            head.since = .now
            head.arrivedBefore = arrived
        }
        if case .status = reply, entry.answer == .handle { handles -= 1 }
        if let handle = entry.closes {
            handles -= 1
            lastClosed = handle
        }
        return entry.slot
    }

    /// How long the request whose turn it is may still take, after `arrived` bytes from the host. Answers to later
    /// requests are none to this one: their bytes explain why it waits, but not without end.
    func timeLeftOfHead(patience: Duration, arrived: UInt64, now: ContinuousClock.Instant) -> Duration {
        let others = ProgressDeadline.worth(of: Int(clamping: arrived - head.arrivedBefore))
        return head.since + patience + min(others, patience * 19) - now
    }

    /// The handle that an OpenSSH server is expected to give next: it numbers its handles, and gives the one first that
    /// was closed last. There is a guess only if no handle is open, so that a request with a wrong one cannot touch
    /// another file.
    var nextHandle: [UInt8]? {
        guard handles == 0 else { return nil }
        let guess = lastClosed ?? [0, 0, 0, 0]
        return guess.count == 4 ? guess : nil
    }

    /// Removes all requests, and returns their slots.
    mutating func removeAll() -> [Slot<TimedReply>] {
        defer { entries = [:] }
        return entries.values.map(\.slot)
    }
}
