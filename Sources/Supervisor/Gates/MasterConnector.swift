internal import CLinux
internal import Glibc
internal import IPC

/// Connects to the sockets of ControlMasters, and checks who listens there.
///
/// connect(2) of AF_UNIX takes no time by itself, but it looks its path up, and that may wait for a file system, for ever. So it
/// happens in a child process, which costs some 0.1 ms: this process waits for nothing, and gives one up that lasts too long.
final class MasterConnector {
    /// What a connection is for.
    enum Purpose: Equatable {
        /// The gate's request of this id.
        case request(UInt32)
        /// The order to the gate of this number.
        case order(UInt32)

        var isRequest: Bool {
            switch self {
            case .request: true
            case .order: false
            }
        }
    }

    /// Who wants a connection, and for what.
    struct Asker: Equatable {
        /// The gate's number.
        let gate: UInt64
        let purpose: Purpose
    }

    /// What became of it.
    enum Outcome: ~Copyable {
        /// A connection to somebody who may be a master of this user.
        case connected(OwnedFD)
        case failed(ConnectFailure)
    }

    /// An end of one.
    struct Ended: ~Copyable {
        let asker: Asker
        private let outcome: Outcome

        fileprivate init(asker: Asker, outcome: consuming Outcome) {
            self.asker = asker
            self.outcome = outcome
        }

        /// What became of it, with the descriptor, if there is one.
        consuming func take() -> Outcome { outcome }
    }

    /// What is watched until it has ended.
    struct Started {
        let token: UInt64
        /// Readable when it has ended, pidfd_open(2).
        let pidfd: Int32
    }

    /// How a request begins.
    enum Beginning {
        case started(Started)
        case failed(ConnectFailure)
    }

    /// How long one may take, in milliseconds: less than a gate waits.
    static let patience = 1_500
    /// Processes that connect at the same time for all gates, those included that were given up and have not ended.
    static let maximum = 64

    private final class Attempt {
        let path: String
        let process: OwnedFD
        /// Where the process works.
        private let memory: UnsafeMutableRawPointer
        var socket: OwnedFD?
        /// nil for one that was given up.
        var asker: Asker?
        let deadline: Int

        init(
            path: String, process: consuming OwnedFD, memory: UnsafeMutableRawPointer,
            socket: consuming OwnedFD, asker: Asker, deadline: Int
        ) {
            self.path = path
            self.process = process
            self.memory = memory
            self.socket = consume socket
            self.asker = asker
            self.deadline = deadline
        }

        /// Once the process is reaped.
        deinit { memory.deallocate() }

        /// What lies at the path at which nobody listens.
        func place(of userID: UInt32) -> MasterSocket {
            var owner: UInt32 = 0
            switch csd_connect_found(memory, &owner) {
            case CSD_FOUND_NO_DIRECTORY: return .noDirectory
            case CSD_FOUND_SOCKET: return owner == userID ? .own : .foreign(userID: owner)
            case CSD_FOUND_LINK: return .link
            case CSD_FOUND_OTHER: return .other
            default: return .absent
            }
        }

        func giveUp() {
            asker = nil
            socket = nil
            _ = csd_pidfd_send_signal(process.rawValue, SIGKILL)
        }
    }

    /// Whose masters are asked, besides those of root.
    private let userID: UInt32
    private var attempts: [UInt64: Attempt] = [:]
    private var nextToken: UInt64 = 1

    /// - Parameter userID: whose masters may be asked, besides those of root, who can be anybody.
    init(userID: UInt32 = geteuid()) {
        self.userID = userID
    }

    /// When `advance` must be called next, if nothing happens before.
    var nextDeadline: Int? { attempts.values.filter { $0.asker != nil }.map(\.deadline).min() }

    /// How many of this gate's requests are under way.
    func count(of gate: UInt64) -> Int {
        attempts.values.count { $0.asker?.gate == gate && $0.asker?.purpose.isRequest == true }
    }

    /// Begins to connect to what listens at this path. What does not fail at once is over when `ended` says so.
    func connect(to path: String, for asker: Asker, now: Int) -> Beginning {
        // That file system is known to hang; a second process would hang there too.
        if attempts.values.contains(where: { $0.asker == nil && $0.path == path }) { return .failed(.hung) }
        guard attempts.count < Self.maximum else { return .failed(.unavailable(errno: UInt32(EAGAIN))) }
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let number = socket(AF_UNIX, kind, 0)
        guard number >= 0 else { return .failed(.unavailable(errno: UInt32(errno))) }
        let socket = OwnedFD(taking: number)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Int(CSD_CONNECT_MEMORY), alignment: 16)
        let pidfd = csd_connect_apart(memory, socket.rawValue, path)
        guard pidfd >= 0 else {
            let code = errno
            memory.deallocate()
            return .failed(
                code == ENAMETOOLONG ? .dead(errno: UInt32(code), .absent) : .unavailable(errno: UInt32(code)))
        }
        let token = nextToken
        nextToken += 1
        attempts[token] = Attempt(
            path: path, process: OwnedFD(taking: pidfd), memory: memory, socket: socket, asker: asker,
            deadline: now + Self.patience)
        return .started(Started(token: token, pidfd: pidfd))
    }

    /// The process of this token has ended, or seems so.
    /// - Returns: what became of the request; nil where it still runs, or nobody waits for it any more.
    func ended(_ token: UInt64) -> Ended? {
        guard let attempt = attempts[token] else { return nil }
        var code: Int32 = 0
        var status: Int32 = 0
        guard csd_pidfd_reap(attempt.process.rawValue, &code, &status) == 1 else { return nil }
        attempts[token] = nil
        guard let asker = attempt.asker, let socket = attempt.socket.take() else { return nil }
        guard code == CSD_CLD_EXITED else {
            return Ended(asker: asker, outcome: .failed(.unavailable(errno: UInt32(EINTR))))
        }
        switch status {
        case 0: return Ended(asker: asker, outcome: judged(socket))
        // The backlog is full: it takes no connections.
        case EAGAIN: return Ended(asker: asker, outcome: .failed(.hung))
        default: return Ended(asker: asker, outcome: .failed(.dead(errno: UInt32(status), attempt.place(of: userID))))
        }
    }

    /// In /tmp, and wherever others may write, anybody may listen at a master's path and be taken for it.
    private func judged(_ socket: consuming OwnedFD) -> Outcome {
        var credentials = csd_peer_credentials()
        guard csd_peer_credentials(socket.rawValue, &credentials) == 0 else {
            return .failed(.unavailable(errno: UInt32(errno)))
        }
        guard credentials.uid == userID || credentials.uid == 0 else {
            return .failed(.foreign(userID: credentials.uid))
        }
        return .connected(socket)
    }

    /// Gives up what has lasted too long.
    /// - Returns: who is to be told that there was no answer.
    func advance(now: Int) -> [Asker] {
        var late: [Asker] = []
        for attempt in attempts.values where attempt.deadline <= now {
            guard let asker = attempt.asker else { continue }
            late.append(asker)
            attempt.giveUp()
        }
        return late
    }

    /// A gate has ended: nobody waits for what it asked.
    func forget(_ gate: UInt64) {
        for attempt in attempts.values where attempt.asker?.gate == gate { attempt.giveUp() }
    }
}
