internal import CLinux
internal import Glibc
internal import IPC

/// The listening MCP socket, unix(7): mode 0600, owned by this user, and removed when the daemon ends.
struct MCPSocket: ~Copyable {
    /// The process that has connected.
    struct Peer: Equatable {
        let pid: Int32
        let uid: UInt32
    }

    /// What `accept` found.
    enum Accepted: ~Copyable {
        case client(OwnedFD, Peer)
        /// Another user's process; its connection is closed.
        case stranger(Peer)
        case none
        /// Descriptors or memory have run out, with this errno: the client stays in the backlog.
        case exhausted(errno: Int32)
    }

    let path: String
    private let socket: OwnedFD
    /// The lock file, which is locked as long as the daemon lives, so that other daemons know that this socket is in use.
    private let lock: OwnedFD
    private let device: UInt
    private let inode: UInt

    var rawValue: Int32 { socket.rawValue }

    /// Takes the lock, replaces the socket of a dead daemon, and listens.
    init(path: String) throws(StartError) {
        if let problem = Self.placeProblem(path) { throw StartError(sentence: "mcp_socket: \(problem)") }
        let lock = try Self.takeLock(Self.lockFile(of: path), socket: path)
        try Self.removeStale(path)
        let number = Glibc.socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard number >= 0 else { throw Self.failure("make a socket", path) }
        let socket = OwnedFD(taking: number)
        guard var address = Self.address(path) else { throw StartError(sentence: "mcp_socket: \(path) is too long") }
        // The socket must never exist with a wider mode, not even between bind and chmod.
        let old = umask(0o177)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket.rawValue, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        let bindError = errno
        umask(old)
        guard bound == 0 else { throw Self.failure("bind", path, errno: bindError) }
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & 0o7777 == 0o600 else { throw Self.failure("check", path) }
        guard listen(socket.rawValue, 128) == 0 else { throw Self.failure("listen on", path) }
        self.path = path
        self.socket = socket
        self.lock = lock
        device = status.st_dev
        inode = status.st_ino
    }

    borrowing func accept() -> Accepted {
        while true {
            let number = uninterrupted { Glibc.accept(socket.rawValue, nil, nil) }
            guard number >= 0 else {
                if errno == ECONNABORTED { continue }
                return errno == EAGAIN ? .none : .exhausted(errno: errno)
            }
            let client = OwnedFD(taking: number)
            // This process has one thread and starts nothing meanwhile, so this is as safe as accept4(2).
            guard fcntl(client.rawValue, F_SETFD, FD_CLOEXEC) == 0 else { return .none }
            var credentials = csd_peer_credentials()
            guard csd_peer_credentials(client.rawValue, &credentials) == 0 else { continue }
            let peer = Peer(pid: credentials.pid, uid: credentials.uid)
            return peer.uid == geteuid() ? .client(client, peer) : .stranger(peer)
        }
    }

    /// Whether a path leads to this socket, in any spelling.
    borrowing func isAt(_ path: String) -> Bool {
        var status = stat()
        return path == self.path || lstat(path, &status) == 0 && status.st_dev == device && status.st_ino == inode
    }

    /// Removes the socket, if it is still the one that this daemon made.
    borrowing func unlinkOwn() {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_dev == device, status.st_ino == inode else { return }
        unlink(path)
    }

    /// The path of the lock file of a socket.
    static func lockFile(of path: String) -> String { path + ".lock" }

    /// Why no socket can be made at a path, as far as its directory and what lies there show; nil if nothing stands in the way. This
    /// only looks.
    static func placeProblem(_ path: String) -> String? {
        if let problem = DirectoryOwner.problem(of: path) ?? DirectoryOwner.writingProblem(of: path) {
            return "its directory, \(problem)"
        }
        var status = stat()
        let lock = lockFile(of: path)
        if lstat(lock, &status) == 0, status.st_mode & S_IFMT != S_IFREG || status.st_uid != geteuid() {
            return "its lock file, \(lock), is no file of this user; \(moveAway(lock, status))"
        }
        if lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFSOCK || status.st_uid != geteuid() {
            return "\(path) exists and is not a socket of this user; \(moveAway(path, status))"
        }
        return nil
    }

    private static func moveAway(_ path: String, _ status: stat) -> String {
        guard status.st_uid == geteuid() else {
            return "it belongs to uid \(status.st_uid): choose another mcp_socket"
        }
        return
            "choose another mcp_socket, or move it away: mv \(ShellWord.quoted(path)) \(ShellWord.quoted(path + ".old"))"
    }

    private static func takeLock(_ path: String, socket: String) throws(StartError) -> OwnedFD {
        // In a sticky directory another user may have taken the name. O_NOFOLLOW and the check below refuse that file.
        let number = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        guard number >= 0 else { throw failure("open the lock file of", socket) }
        let lock = OwnedFD(taking: number)
        var status = stat()
        guard fstat(lock.rawValue, &status) == 0, status.st_uid == geteuid(), status.st_mode & S_IFMT == S_IFREG else {
            throw StartError(
                sentence: "mcp_socket: its lock file, \(path), is no file of this user; choose another mcp_socket")
        }
        guard flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            throw StartError(
                sentence:
                    "mcp_socket: another claude-ssh-daemon serves \(socket) already; stop it or choose another mcp_socket"
            )
        }
        return lock
    }

    private static func removeStale(_ path: String) throws(StartError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK, status.st_uid == geteuid() else {
            throw StartError(
                sentence: "mcp_socket: \(path) exists and is not a socket of this user; choose another mcp_socket")
        }
        // Another program may listen there, which does not know of the lock.
        guard var address = address(path) else { return }
        let probe = OwnedFD(
            taking: Glibc.socket(
                AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0))
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(probe.rawValue, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        // EAGAIN means that something listens, and that its backlog is full.
        guard connected != 0, errno != EAGAIN else {
            throw StartError(sentence: "mcp_socket: \(listens(path))")
        }
        guard unlink(path) == 0 else { throw failure("remove the stale socket", path) }
    }

    /// Something else than a daemon of this user listens there.
    static func listens(_ path: String) -> String {
        "another program listens on \(path); choose another mcp_socket, or end that program: fuser -v \(ShellWord.quoted(path)) "
            + "names it"
    }

    static func address(_ path: String) -> sockaddr_un? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return address
    }

    private static func failure(_ what: String, _ path: String, errno code: Int32 = errno) -> StartError {
        StartError(sentence: "mcp_socket: cannot \(what) \(path): \(String(cString: strerror(code)))")
    }
}
