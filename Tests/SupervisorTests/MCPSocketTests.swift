import CLinux
import Glibc
import IPC
import TestSupport
import Testing

@testable import Supervisor

/// Each test in a process of its own: `MCPSocket` sets the umask for a moment, which is the whole process's.
@Suite("MCP socket")
struct MCPSocketTests {
    private static func refusal(_ path: String) -> String? {
        do throws(StartError) {
            _ = try MCPSocket(path: path)
            return nil
        } catch {
            return error.sentence
        }
    }

    private static func mode(_ path: String) -> mode_t {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    private static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    /// Runs `body` with the address of a Unix socket, unix(7).
    private static func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }

    private static func newSocket() -> OwnedFD {
        OwnedFD(taking: Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
    }

    /// A socket of some other program at that path.
    private static func bound(_ path: String, backlog: Int32?) -> OwnedFD {
        let other = newSocket()
        #expect(withAddress(path) { bind(other.rawValue, $0, $1) } == 0)
        if let backlog { #expect(listen(other.rawValue, backlog) == 0) }
        return other
    }

    @Test func `the socket has mode 0600 whatever the umask, and the umask is put back`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let path = directory.file("m.sock")
            for mask in [0o000, 0o022, 0o777] as [mode_t] {
                umask(mask)
                do {
                    let socket = try MCPSocket(path: path)
                    #expect(Self.mode(path) == 0o600)
                    #expect(fcntl(socket.rawValue, F_GETFD) & FD_CLOEXEC != 0)
                    socket.unlinkOwn()
                }
                #expect(umask(0o022) == mask)
                unlink(path + ".lock")
            }
        }
    }

    @Test func `an accepted client is told with its process and user; nobody waiting is none`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let path = directory.file("m.sock")
            let socket = try MCPSocket(path: path)
            let client = Self.newSocket()
            #expect(Self.withAddress(path) { connect(client.rawValue, $0, $1) } == 0)
            switch socket.accept() {
            case .client(let descriptor, let peer):
                #expect(peer == MCPSocket.Peer(pid: getpid(), uid: geteuid()))
                #expect(fcntl(descriptor.rawValue, F_GETFD) & FD_CLOEXEC != 0)
            default: Issue.record("the client was not accepted")
            }
            switch socket.accept() {
            case .none: break
            default: Issue.record("accepted twice")
            }
        }
    }

    @Test(.enabled(if: isRoot, "only root can be another user"))
    func `another user's connection is told apart and closed`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let path = directory.file("m.sock")
            let socket = try MCPSocket(path: path)
            // Root passes every mode; from here on this process is somebody else, and the peer is who connected.
            let client = Self.newSocket()
            #expect(Self.withAddress(path) { connect(client.rawValue, $0, $1) } == 0)
            #expect(seteuid(stranger) == 0)
            switch socket.accept() {
            case .stranger(let peer): #expect(peer.uid == 0 && peer.pid == getpid())
            default: Issue.record("another user was let in")
            }
            #expect(seteuid(0) == 0)
            var byte: UInt8 = 0
            #expect(read(client.rawValue, &byte, 1) == 0, "closed")
        }
    }

    @Test func `a second daemon on the same path is refused, and the first goes on`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let path = directory.file("m.sock")
            let first = try MCPSocket(path: path)
            #expect(
                Self.refusal(path)
                    == "mcp_socket: another claude-ssh-daemon serves \(path) already; stop it or choose another mcp_socket"
            )
            // Also where somebody has removed the socket's name.
            unlink(path)
            #expect(Self.refusal(path)?.hasPrefix("mcp_socket: another claude-ssh-daemon serves ") == true)
            #expect(!Self.exists(path))
            _ = first.rawValue
        }
    }

    @Test func `the stale socket of a dead daemon is replaced`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let path = directory.file("m.sock")
            do { _ = try MCPSocket(path: path).rawValue }
            #expect(Self.exists(path) && Self.exists(path + ".lock"), "it died without a word")
            let socket = try MCPSocket(path: path)
            let client = Self.newSocket()
            #expect(Self.withAddress(path) { connect(client.rawValue, $0, $1) } == 0)
            _ = socket.rawValue
        }
    }

    @Test func `a file, a directory or a link at the path is refused and left alone`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let file = try directory.write("file", "precious")
            #expect(
                Self.refusal(file)
                    == "mcp_socket: \(file) exists and is not a socket of this user; choose another mcp_socket, or move it away: "
                    + "mv \(file) \(file).old")
            #expect(!Self.exists(file + ".lock"), "nothing was made before it was refused")
            let folder = directory.file("folder")
            mkdir(folder, 0o700)
            #expect(Self.refusal(folder)?.contains("is not a socket of this user") == true)
            let link = directory.file("link")
            symlink(directory.file("real"), link)
            #expect(Self.refusal(link)?.contains("is not a socket of this user") == true)
            #expect(Self.exists(file) && Self.exists(folder) && Self.exists(link))
        }
    }

    @Test(.enabled(if: isRoot, "only root can be another user"))
    func `another user's socket is refused and left alone`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let path = directory.file("m.sock")
            let other = Self.bound(path, backlog: nil)
            chown(path, stranger, stranger)
            #expect(Self.refusal(path)?.contains("is not a socket of this user") == true)
            #expect(Self.exists(path))
            _ = other.rawValue
        }
    }

    @Test(arguments: [8, 0] as [Int32])
    func `a listener that holds no lock is not pushed aside, also where its backlog is full`(backlog: Int32) async {
        await #expect(processExitsWith: .success) { [backlog] in
            let directory = try TemporaryDirectory()
            let path = directory.file("m.sock")
            let other = Self.bound(path, backlog: backlog)
            let client = Self.newSocket()
            // A backlog of 0 holds one connection.
            if backlog == 0 { #expect(Self.withAddress(path) { connect(client.rawValue, $0, $1) } == 0) }
            #expect(
                Self.refusal(path)?.hasPrefix("mcp_socket: another program listens on \(path); choose another") == true)
            #expect(Self.exists(path))
            _ = other.rawValue
        }
    }

    @Test func `a directory that others can write is refused unless it is sticky`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let path = directory.file("m.sock")
            for (mode, isGood) in [(0o777, false), (0o770, false), (0o702, false), (0o1777, true), (0o755, true)]
                as [(mode_t, Bool)]
            {
                chmod(directory.path, mode)
                let refusal = Self.refusal(path)
                #expect((refusal == nil) == isGood, "\(String(mode, radix: 8))")
                if let refusal {
                    #expect(refusal.contains("is not sticky") && refusal.contains("chmod go-w \(directory.path)"))
                }
            }
        }
    }

    @Test(.enabled(if: isRoot, "only root can be another user"))
    func `another user's directory is refused`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            chown(directory.path, stranger, stranger)
            let sentence = Self.refusal(directory.file("m.sock"))
            #expect(sentence?.contains("belongs to uid 65534; choose one of your own or of root") == true)
        }
    }

    @Test func `a directory that is not there is named`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let sentence = Self.refusal(directory.file("none/m.sock"))
            #expect(
                sentence
                    == "mcp_socket: its directory, \(directory.file("none")), does not exist; run: "
                    + "install -d -m 700 \(directory.file("none"))"
            )
        }
    }

    @Test func `a lock file that is a link or no file is not used`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let target = try directory.write("target", "precious")
            symlink(target, directory.file("m.sock.lock"))
            #expect(Self.refusal(directory.file("m.sock"))?.contains("its lock file, ") == true)
            mkfifo(directory.file("n.sock.lock"), 0o600)
            #expect(Self.refusal(directory.file("n.sock"))?.contains("is no file of this user") == true)
        }
    }

    @Test(.enabled(if: isRoot, "only root can be another user"))
    func `another user's lock file is not used`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            chown(try directory.write("m.sock.lock", ""), stranger, stranger)
            #expect(Self.refusal(directory.file("m.sock"))?.contains("is no file of this user") == true)
        }
    }

    @Test func `a path that no socket can have is refused, and the longest works`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            func name(_ bytes: Int) -> String {
                directory.file(String(repeating: "x", count: bytes - directory.path.utf8.count - 1))
            }
            // With ".lock" behind it a name may be longer than a socket's.
            #expect(Self.refusal(name(107)) == nil)
            #expect(Self.refusal(name(108))?.contains("is too long") == true)
        }
    }

    @Test func `the own socket is removed at the end, a foreign one at its path stays`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let path = directory.file("m.sock")
            do {
                let socket = try MCPSocket(path: path)
                socket.unlinkOwn()
                #expect(!Self.exists(path))
                socket.unlinkOwn()
            }
            let socket = try MCPSocket(path: path)
            let other = Self.bound(directory.file("other"), backlog: 1)
            #expect(rename(directory.file("other"), path) == 0)
            socket.unlinkOwn()
            #expect(Self.exists(path))
            _ = other.rawValue
        }
    }
}
