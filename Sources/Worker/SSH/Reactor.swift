internal import CLinux
internal import Dispatch
internal import Glibc
internal import Synchronization

/// One thread that waits on the descriptors of all `ssh` children, epoll(7), and calls their handlers. Handlers do not block.
final class Reactor: Sendable {
    /// What a handler wants after an event.
    enum Next {
        case more
        /// Call the handler no more: it has closed its descriptor, or taken it back by `unwatch`.
        case finished
    }

    static let shared = Reactor()

    private struct State {
        var handlers: [UInt64: @Sendable () -> Next] = [:]
        /// Numbers are never used again, so a late event of a closed descriptor finds no handler.
        var nextToken: UInt64 = 1
        var jobs: [@Sendable () -> Void] = []
    }

    private let epoll: Int32
    /// A pipe whose only use is to wake the thread.
    private let wakeWriter: Int32
    private let state = Mutex(State())

    private init() {
        epoll = csd_epoll_create()
        var reader: Int32 = -1
        var writer: Int32 = -1
        _ = csd_pipe(&reader, &writer)
        wakeWriter = writer
        let descriptor = reader
        _ = watch(descriptor, for: CSD_EPOLL_READABLE) {
            var byte: UInt8 = 0
            _ = read(descriptor, &byte, 1)
            for job in self.state.withLock({ state in
                defer { state.jobs = [] }
                return state.jobs
            }) { job() }
            return .more
        }
        DispatchQueue(label: "reactor").async { self.loop() }
    }

    /// Calls `handler` whenever `descriptor` can be read or written (or has hung up), until it says otherwise.
    /// - Returns: false where the kernel does not take it.
    func watch(_ descriptor: Int32, for wanted: UInt32, _ handler: @escaping @Sendable () -> Next) -> Bool {
        let token = state.withLock { state in
            defer { state.nextToken += 1 }
            state.handlers[state.nextToken] = handler
            return state.nextToken
        }
        if csd_epoll_add(epoll, descriptor, token, wanted) == 0 { return true }
        state.withLock { $0.handlers[token] = nil }
        return false
    }

    /// Takes a descriptor back that stays open. Call under the lock that also guards its closing.
    func unwatch(_ descriptor: Int32) {
        _ = csd_epoll_remove(epoll, descriptor)
    }

    /// Runs `job` on the reactor's thread, where no handler runs beside it.
    func perform(_ job: @escaping @Sendable () -> Void) {
        state.withLock { $0.jobs.append(job) }
        var byte: UInt8 = 1
        _ = write(wakeWriter, &byte, 1)
    }

    private func loop() -> Never {
        var ready = [csd_epoll_ready](repeating: csd_epoll_ready(), count: 64)
        while true {
            let count = csd_epoll_wait(epoll, &ready, ready.count, -1)
            for event in ready.prefix(Int(max(0, count))) {
                guard let handler = state.withLock({ $0.handlers[event.token] }) else { continue }
                switch handler() {
                case .more: break
                case .finished: state.withLock { $0.handlers[event.token] = nil }
                }
            }
        }
    }
}
