internal import CLinux
internal import Glibc
internal import IPC
internal import Synchronization

/// This side's ends of the three pipes of a process or of a session of a host. They do not block.
final class SessionPipes: Sendable {
    /// What a pipe holds, pipe(7).
    private static let longestRead = 65_536

    private enum Stream {
        case output
        case error
    }

    private struct State {
        /// The other side's standard input; nil once it is closed.
        var input: Reactor.Watch?
        /// What the pipe has not taken yet, as it was queued: joining it would hold it several times over.
        var pending: [(rest: ArraySlice<UInt8>, then: @Sendable () -> Void)] = []
        /// Who is to be told that the pipe has taken theirs.
        var due: [@Sendable () -> Void] = []
        /// Close it when they are written.
        var finishing = false
        /// Its standard output and error, as long as they are open on our side. Closed on the reactor's thread only, where
        /// they are read.
        var outputs: [Stream: Reactor.Watch] = [:]
        /// Whom to tell when they are closed. Whoever it is holds these pipes, so it is let go of then.
        var closed: (@Sendable () -> Void)?
    }

    private let reactor: Reactor
    private let state = Mutex(State())

    init(reactor: Reactor) {
        self.reactor = reactor
    }

    /// Makes three pipes. `stdout` and `stderr` get each chunk that comes; `closed` is called once, when both have ended or are
    /// given up. All on the reactor's thread.
    /// - Returns: the other side's ends: its standard input, output and error.
    /// - Throws: where there are none, or the kernel does not watch them. Nothing is called then.
    func open(
        stdout: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        stderr: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        closed: @escaping @Sendable () -> Void
    ) throws(IPCError) -> PassedDescriptors {
        var inputPipe = try Pipe()
        var outputPipe = try Pipe()
        var errorPipe = try Pipe()
        guard let theirInput = inputPipe.readEnd.take(), let theirOutput = outputPipe.writeEnd.take(),
            let theirError = errorPipe.writeEnd.take(), let ownInput = inputPipe.writeEnd.take(),
            let ownOutput = outputPipe.readEnd.take(), let ownError = errorPipe.readEnd.take()
        else { throw .badValue }
        try ownInput.setNonBlocking()
        try ownOutput.setNonBlocking()
        try ownError.setNonBlocking()
        try watch(
            input: ownInput.release(), output: ownOutput.release(), error: ownError.release(), stdout: stdout,
            stderr: stderr, closed: closed)
        return PassedDescriptors(theirInput, theirOutput, theirError)
    }

    /// Takes ownership of the descriptors. No handler gets past the lock before all of them are watched; where one cannot
    /// be, none is, so that nothing can fail later.
    private func watch(
        input: Int32, output: Int32, error: Int32,
        stdout: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        stderr: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        closed: @escaping @Sendable () -> Void
    ) throws(IPCError) {
        try state.withLock { state throws(IPCError) in
            let input = OwnedFD(taking: input)
            let output = OwnedFD(taking: output)
            let error = OwnedFD(taking: error)
            do throws(IPCError) {
                // Told at the edge only: most of the time the pipe has room, and nothing is to be written.
                state.input = try reactor.watch(input, for: CSD_EPOLL_WRITABLE | CSD_EPOLL_EDGE) { self.feed() }
                let (first, second) = (output.rawValue, error.rawValue)
                state.outputs[.output] = try reactor.watch(output, for: CSD_EPOLL_READABLE) {
                    self.read(.output, first, stdout)
                }
                state.outputs[.error] = try reactor.watch(error, for: CSD_EPOLL_READABLE) {
                    self.read(.error, second, stderr)
                }
                state.closed = closed
            } catch {
                state = State()
                throw error
            }
        }
    }

    /// Whether both outputs have ended, or are given up.
    var isClosed: Bool { state.withLock { $0.outputs.isEmpty } }

    /// Lets go of the outputs. They need not end by themselves: others may hold their other ends.
    func letGo() {
        reactor.perform { self.close { $0.outputs = [:] } }
    }

    /// The same, and nobody is told: there is nothing at the other end.
    func discard() {
        state.withLock { $0.closed = nil }
        closeInput()
        letGo()
    }

    private func close(_ update: (inout State) -> Void) {
        let closed = state.withLock { state in
            update(&state)
            return state.outputs.isEmpty ? state.closed.take() : nil
        }
        closed?()
    }

    /// Nobody reads the input any more.
    func closeInput() { tell { $0.input = nil } }

    private func read(
        _ stream: Stream, _ descriptor: Int32, _ take: @Sendable (ArraySlice<UInt8>) -> Void
    ) -> Reactor.Next {
        // An event from before `letGo`.
        guard state.withLock({ $0.outputs[stream] != nil }) else { return .finished }
        var count = 0
        let chunk = [UInt8](unsafeUninitializedCapacity: Self.longestRead) { buffer, filled in
            count = uninterrupted { Glibc.read(descriptor, buffer.baseAddress, buffer.count) }
            filled = max(0, count)
        }
        if count > 0 {
            take(chunk[...])
            return .more
        }
        if count < 0 && errno == EAGAIN { return .more }
        close { $0.outputs[stream] = nil }
        return .finished
    }

    /// Queues bytes for the other side's standard input, in pieces that nobody else's bytes come between. It may end, or close its
    /// input, without reading them. The caller bounds what it queues; `then` is called for each piece, with its length, once the
    /// pipe has taken it, or takes none any more.
    func write(_ pieces: [ArraySlice<UInt8>], then: @escaping @Sendable (Int) -> Void) {
        tell { state in
            for piece in pieces {
                let told: @Sendable () -> Void = { then(piece.count) }
                if state.finishing { state.due.append(told) } else { state.pending.append((piece, told)) }
            }
            Self.pump(&state)
        }
    }

    /// Closes the other side's standard input when all that is queued is written.
    func finishInput() {
        tell { state in
            state.finishing = true
            Self.pump(&state)
        }
    }

    /// Changes the state and tells those whose bytes are gone by then.
    private func tell(_ update: (inout State) -> Void) {
        let due = state.withLock { state in
            update(&state)
            if state.input == nil {
                state.due += state.pending.map(\.then)
                state.pending = []
            }
            defer { state.due = [] }
            return state.due
        }
        for then in due { then() }
    }

    /// The pipe takes more, or nobody reads it any more.
    private func feed() -> Reactor.Next {
        tell { Self.pump(&$0) }
        return state.withLock { $0.input == nil } ? .finished : .more
    }

    /// Writes what the pipe takes; where that is not all, the reactor goes on when it takes more.
    private static func pump(_ state: inout State) {
        guard let input = state.input else { return }
        while let next = state.pending.first {
            guard !next.rest.isEmpty else {
                state.due.append(state.pending.removeFirst().then)
                continue
            }
            let count = next.rest.withUnsafeBytes { rest in
                uninterrupted { Glibc.write(input.number, rest.baseAddress, rest.count) }
            }
            if count < 0 && errno == EAGAIN { return }
            guard count > 0 else {
                state.input = nil
                return
            }
            state.pending[0].rest = next.rest.dropFirst(count)
        }
        if state.finishing { state.input = nil }
    }
}
