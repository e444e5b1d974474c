internal import Synchronization

/// A directory that the shell lists in parts. Each part answers one READDIR.
final class ShellListing: Sendable {
    /// Most bytes of parts that no READDIR has asked for yet, with the memory that their names take.
    private static let longestBacklog = 32 << 20
    /// Bytes of memory that a name takes beyond its own.
    private static let costOfName = 160

    private struct State {
        var begun = false
        var parts: [(names: [SFTPName], cost: Int)] = []
        var backlog = 0
        var waiting: [UInt32] = []
        var end: (status: SFTPStatus, text: String)?
    }

    let path: [UInt8]
    /// Whether only the names of temporary files are wanted.
    let temporaries: Bool
    private let state = Mutex(State())

    init(path: [UInt8], temporaries: Bool = false) {
        self.path = path
        self.temporaries = temporaries
    }

    /// Takes a READDIR. Returns the answer, nil if it must wait, and whether the shell must be asked for the list.
    func ask(_ id: UInt32) -> (answer: SFTPReply?, begins: Bool) {
        state.withLock { state in
            if !state.parts.isEmpty {
                let part = state.parts.removeFirst()
                state.backlog -= part.cost
                return (.names(part.names), false)
            }
            if let end = state.end { return (.status(end.status, end.text), false) }
            state.waiting.append(id)
            defer { state.begun = true }
            return (nil, !state.begun)
        }
    }

    /// Takes a part, or the end. Returns the READDIRs that it answers, with their replies.
    func take(_ answer: ShellAnswer) throws(Malformed) -> [(UInt32, SFTPReply)] {
        guard let status = answer.status else {
            let names = try ShellResult.names(answer.payload)
            let outcome = state.withLock { state -> (UInt32?, Bool) in
                if !state.waiting.isEmpty { return (state.waiting.removeFirst(), true) }
                let cost = answer.payload.count + names.count * Self.costOfName
                state.parts.append((names, cost))
                state.backlog += cost
                return (nil, state.backlog <= Self.longestBacklog)
            }
            guard outcome.1 else { throw Malformed("a directory faster than it is read") }
            return outcome.0.map { [($0, .names(names))] } ?? []
        }
        let end = status == .ok ? (SFTPStatus.endOfFile, "") : (status, answer.text)
        return state.withLock { state in
            state.end = end
            defer { state.waiting = [] }
            return state.waiting.map { ($0, .status(end.0, end.1)) }
        }
    }
}
