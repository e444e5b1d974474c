internal import CLinux
internal import Dispatch
internal import Glibc
internal import IPC
internal import Synchronization

/// One thread that waits on the pipes of all sessions, epoll(7), and calls their handlers, which must not block.
final class Reactor: Sendable {
    /// What a handler wants after an event.
    enum Next {
        /// Call the handler again at the next event.
        case more
        /// Do not call the handler again.
        case finished
    }

    /// A descriptor that is watched. When the last reference to this object goes, the handler is forgotten and the descriptor
    /// is closed, so that neither outlives the other.
    final class Watch: Sendable {
        private let descriptor: OwnedFD
        private let token: UInt64
        private let reactor: Reactor

        fileprivate init(_ descriptor: consuming OwnedFD, token: UInt64, of reactor: Reactor) {
            self.descriptor = descriptor
            self.token = token
            self.reactor = reactor
        }

        deinit { reactor.forget(token) }

        /// The descriptor's number.
        var number: Int32 { descriptor.rawValue }
    }

    /// Calls epoll_ctl(2) `ADD` with the epoll descriptor, the descriptor, its token and the wanted events. Tests replace it,
    /// because the kernel can fail here without memory or watches.
    typealias Adding = @Sendable (Int32, Int32, UInt64, UInt32) -> Int32

    /// The reactor of this process.
    static let shared = Reactor()

    private struct State {
        var handlers: [UInt64: @Sendable () -> Next] = [:]
        /// A token is never used again, so that a late event of a closed descriptor finds no handler.
        var nextToken: UInt64 = 1
        var jobs: [@Sendable () -> Void] = []
    }

    /// The token of the pipe that wakes the thread.
    private static let wakeToken: UInt64 = 0

    private let epoll: Int32
    private let wakeReader: Int32
    private let wakeWriter: Int32
    /// Why this reactor can watch nothing; nil if it can.
    private let failure: IPCError?
    private let add: Adding
    private let state = Mutex(State())

    init(adding add: @escaping Adding = { csd_epoll_add($0, $1, $2, $3) }) {
        self.add = add
        epoll = csd_epoll_create()
        var reader: Int32 = -1
        var writer: Int32 = -1
        // Without the pipe the thread cannot be woken, so that nothing is watched either.
        let hasPipe = epoll >= 0 && csd_pipe(&reader, &writer) == 0
        (wakeReader, wakeWriter) = (reader, writer)
        let isReady = hasPipe && add(epoll, reader, Self.wakeToken, CSD_EPOLL_READABLE) == 0
        failure = isReady ? nil : .system(call: "epoll", errno: errno)
        if isReady { DispatchQueue(label: "reactor").async { self.loop() } }
    }

    /// Calls `handler` whenever `descriptor` is ready as `wanted` says or has hung up, until the handler has finished or the
    /// last reference to the result goes.
    /// - Throws: if the kernel does not take the descriptor. Then the descriptor is closed.
    func watch(
        _ descriptor: consuming OwnedFD, for wanted: UInt32, _ handler: @escaping @Sendable () -> Next
    ) throws(IPCError) -> Watch {
        if let failure { throw failure }
        let token = state.withLock { state in
            defer { state.nextToken += 1 }
            state.handlers[state.nextToken] = handler
            return state.nextToken
        }
        guard add(epoll, descriptor.rawValue, token, wanted) == 0 else {
            let code = errno
            forget(token)
            throw .system(call: "epoll_ctl", errno: code)
        }
        return Watch(descriptor, token: token, of: self)
    }

    /// Releases the handler after the lock is free again: the handler may hold the last reference to another watch, whose end
    /// takes the lock.
    private func forget(_ token: UInt64) {
        let handler = state.withLock { $0.handlers.removeValue(forKey: token) }
        withExtendedLifetime(handler) {}
    }

    /// Runs `job` on the reactor's thread, so that no handler runs at the same time.
    func perform(_ job: @escaping @Sendable () -> Void) {
        state.withLock { $0.jobs.append(job) }
        var byte: UInt8 = 1
        _ = write(wakeWriter, &byte, 1)
    }

    private func performJobs() {
        var byte: UInt8 = 0
        _ = read(wakeReader, &byte, 1)
        let jobs = state.withLock { state in
            defer { state.jobs = [] }
            return state.jobs
        }
        for job in jobs { job() }
    }

    private func loop() -> Never {
        var ready = [csd_epoll_ready](repeating: csd_epoll_ready(), count: 64)
        while true {
            let count = csd_epoll_wait(epoll, &ready, ready.count, -1)
            for event in ready.prefix(Int(max(0, count))) {
                if event.token == Self.wakeToken {
                    performJobs()
                    continue
                }
                guard let handler = state.withLock({ $0.handlers[event.token] }) else { continue }
                switch handler() {
                case .more: break
                case .finished: forget(event.token)
                }
            }
        }
    }
}
