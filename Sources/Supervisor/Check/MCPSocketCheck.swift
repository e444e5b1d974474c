internal import CLinux
internal import Glibc
internal import IPC

/// Whether the MCP socket could be made, or is served already.
enum MCPSocketCheck {
    private static let key = "mcp_socket"

    static func lines(_ path: String, environment: [String: String]) -> [String] {
        if let problem = MCPSocket.placeProblem(path) { return [ConfigCheck.line(.error, key, problem)] }
        var lines = openDirectory(path)
        if let daemon = FileLocks.holder(of: MCPSocket.lockFile(of: path)) {
            lines.append(ConfigCheck.line(.note, key, served(path, by: daemon)))
            return lines
        }
        switch Listener.at(path) {
        case .nobody: break
        case .process(let pid) where ProcessName.of(pid) == "claude-ssh-daemon":
            lines.append(ConfigCheck.line(.note, key, served(path, by: pid)))
        case .process, .somebody: lines.append(ConfigCheck.line(.error, key, MCPSocket.listens(path)))
        }
        return lines
    }

    private static func served(_ path: String, by pid: Int32) -> String {
        "claude-ssh-daemon (process \(pid)) serves \(path); a second start is refused. To have that one read its config again, run: "
            + "kill -HUP \(pid)"
    }

    private static func openDirectory(_ path: String) -> [String] {
        let directory = DirectoryOwner.directory(of: path)
        var status = stat()
        guard stat(directory, &status) == 0, status.st_mode & 0o022 != 0 else { return [] }
        return [
            ConfigCheck.line(
                .warning, key,
                "everybody can make files in \(directory): while no daemon runs, another user can serve clients at this path. "
                    + "Name a path in a directory of your own, as $XDG_RUNTIME_DIR/claude-ssh-daemon.sock")
        ]
    }
}

/// Who listens at the path of a socket.
enum Listener: Equatable {
    case nobody
    /// A process of this user.
    case process(Int32)
    /// Another one, or one that takes no connection now.
    case somebody

    /// Connects there, says nothing, and closes the connection.
    static func at(_ path: String) -> Listener {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let number = socket(AF_UNIX, kind, 0)
        guard number >= 0, var address = MCPSocket.address(path) else { return .nobody }
        let probe = OwnedFD(taking: number)
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(probe.rawValue, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard connected == 0 else { return errno == EAGAIN ? .somebody : .nobody }
        var peer = csd_peer_credentials()
        guard csd_peer_credentials(probe.rawValue, &peer) == 0, peer.uid == geteuid() else { return .somebody }
        return .process(peer.pid)
    }
}

/// The file name of a process's program.
enum ProcessName {
    static func of(_ pid: Int32) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/\(pid)/exe", &buffer, buffer.count)
        guard count > 0, count < buffer.count else { return nil }
        let path = String(decoding: buffer[..<count], as: UTF8.self)
        return path.split(separator: "/").last.map { $0.split(separator: " ").first.map(String.init) ?? "" }
    }
}
