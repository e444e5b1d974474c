internal import CLinux
internal import Dispatch
internal import Glibc
internal import IPC
internal import Synchronization

/// One thread that waits on the descriptors of all `ssh` children, epoll(7), and calls their handlers. Handlers do not block.
final class Reactor: Sendable {
    /// What a handler wants after an event.
    enum Next {
        case more
        /// Call the handler no more.
        case finished
    }

    /// A descriptor that is watched. When nobody has it any more its handler goes, and the descriptor is closed: neither
    /// outlives the other.
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

    /// epoll_ctl(2) `ADD`: epoll, descriptor, token, what is wanted. The kernel may have no memory or no watch left.
    typealias Adding = @Sendable (Int32, Int32, UInt64, UInt32) -> Int32

    static let shared = Reactor()

    private struct State {
        var handlers: [UInt64: @Sendable () -> Next] = [:]
        /// Numbers are never used again, so a late event of a closed descriptor finds no handler.
        var nextToken: UInt64 = 1
        var jobs: [@Sendable () -> Void] = []
    }

    /// That of the pipe whose only use is to wake the thread.
    private static let wakeToken: UInt64 = 0

    private let epoll: Int32
    private let wakeReader: Int32
    private let wakeWriter: Int32
    /// Why it can watch nothing.
    private let failure: IPCError?
    private let add: Adding
    private let state = Mutex(State())

    init(adding add: @escaping Adding = { csd_epoll_add($0, $1, $2, $3) }) {
        self.add = add
        epoll = csd_epoll_create()
        var reader: Int32 = -1
        var writer: Int32 = -1
        // Without them the next call fails, and nothing is ever watched.
        let hasPipe = epoll >= 0 && csd_pipe(&reader, &writer) == 0
        (wakeReader, wakeWriter) = (reader, writer)
        let isReady = hasPipe && add(epoll, reader, Self.wakeToken, CSD_EPOLL_READABLE) == 0
        failure = isReady ? nil : .system(call: "epoll", errno: errno)
        if isReady { DispatchQueue(label: "reactor").async { self.loop() } }
    }

    /// Calls `handler` whenever `descriptor` can be read or written (or has hung up), until it says otherwise or the result
    /// is let go of.
    /// - Throws: where the kernel does not take the descriptor, which is closed then.
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

    /// The handler goes when the lock is free again: it may be the last to hold what lets go of other watches.
    private func forget(_ token: UInt64) {
        let handler = state.withLock { $0.handlers.removeValue(forKey: token) }
        withExtendedLifetime(handler) {}
    }

    /// Runs `job` on the reactor's thread, where no handler runs beside it.
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
